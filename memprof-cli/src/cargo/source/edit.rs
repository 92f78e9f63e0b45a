//! The text of a file with what is put into it.
//!
//! It only inserts, and a line break at the end alone: every line keeps its number, in the compiler's messages and in
//! reports. What is inserted names memprof by whole paths, so a name in the program's modules is not in its way. Where
//! things stand is left to [`file`](super::file), what is tracked to `mirror`.

use super::file::{Allocator, Source};

/// Stands in front of a function.
const TRACK: &str = "#[::memprof::track] ";

/// What is added to a root of the package: each line only where the compiler is given the setting that names this root, so that
/// the same file can be a module elsewhere. Edition 2015 has to be told of the crate.
fn at_end(root: &str) -> String {
    let root = root.escape_default();
    format!(
        "\n#[cfg(memprof_crate = \"{root}\")] extern crate memprof;\n#[cfg(memprof_root = \"{root}\")] #[::memprof::__private::global_allocator] static __MEMPROF: ::memprof::Alloc = ::memprof::Alloc::system();\n"
    )
}

/// `text` with the attribute on those functions of `source` for which `is_tracked` holds, by their place in it.
pub(crate) fn tracked(text: &str, source: &Source, is_tracked: impl Fn(usize) -> bool) -> Edits {
    let functions = source.functions.iter().enumerate().filter(|(index, _)| is_tracked(*index));
    Edits { text: text.to_owned(), inserts: functions.map(|(_, function)| (function.at, TRACK.to_owned())).collect() }
}

/// A text, and what is still to be put into it.
#[derive(Debug)]
pub(crate) struct Edits {
    text: String,
    inserts: Vec<(usize, String)>,
}

impl Edits {
    /// The program's own allocator with memprof's around it, where it stands.
    pub(crate) fn wrap(&mut self, allocator: &Allocator) {
        self.inserts.push((allocator.ty.start, "::memprof::Alloc<".to_owned()));
        self.inserts.push((allocator.ty.end, ">".to_owned()));
        self.inserts.push((allocator.value.start, "::memprof::Alloc::new(".to_owned()));
        self.inserts.push((allocator.value.end, ")".to_owned()));
    }

    /// What the root of a target gets; `root` names it.
    pub(crate) fn root(&mut self, root: &str) {
        self.inserts.push((self.text.len(), at_end(root)));
    }

    /// The text.
    pub(crate) fn done(mut self) -> String {
        // Stable, so of two at one place the first that was asked for comes first.
        self.inserts.sort_by_key(|(at, _)| *at);
        let mut done = String::with_capacity(self.text.len() + 64 * self.inserts.len());
        let mut from = 0;
        for (at, insert) in &self.inserts {
            done.push_str(&self.text[from..*at]);
            done.push_str(insert);
            from = *at;
        }
        done.push_str(&self.text[from..]);
        done
    }
}
