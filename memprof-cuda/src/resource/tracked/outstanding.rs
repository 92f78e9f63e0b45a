//! The live blocks of a tracked resource, as RMM lists them.
//!
//! RMM's format to the letter, but for what a frame has after its function. A stack is taken while the thread is blind,
//! and its names are looked up when it is printed and not before.

use std::backtrace::Backtrace;
use std::fmt;
use std::sync::Arc;

use cudarc::driver::sys::CUdeviceptr;
use memprof_core::__allocator::blind;

/// As many frames of a stack are listed, as by RMM.
const MOST_FRAMES: usize = 64;

/// A live block of a [`Tracked`](super::Tracked) resource. Its text is RMM's, with the newline at its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Allocation {
    /// Where it is on the device.
    pub pointer: CUdeviceptr,
    /// The bytes that were asked for.
    pub bytes: usize,
    /// Who asked for it, innermost first, if the resource [captures stacks](super::Tracked::capture_stacks).
    pub stack: Option<Arc<Backtrace>>,
}

/// The stack of whoever calls; what it takes is memprof's own memory.
pub(super) fn stack() -> Arc<Backtrace> {
    let _blind = blind();
    Arc::new(Backtrace::force_capture())
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}: {} B", self.pointer, self.bytes)?;
        if let Some(stack) = &self.stack {
            f.write_str(" : callstack:\n")?;
            let text = stack.to_string();
            frames(&text).take(MOST_FRAMES).try_for_each(|(number, name, place)| match place {
                Some(place) => writeln!(f, "#{number} in {name} at {place}"),
                None => writeln!(f, "#{number} in {name}"),
            })?;
        }
        f.write_str("\n")
    }
}

/// The frames of a stack's text, each with its number, its function and, if that is known, its place. The standard
/// library gives them as text alone: `  3: function`, and below it `at file:line:column`.
fn frames(text: &str) -> impl Iterator<Item = (&str, &str, Option<&str>)> {
    let mut lines = text.lines().map(str::trim_start).peekable();
    std::iter::from_fn(move || {
        loop {
            let (number, name) = lines.next()?.split_once(": ").unwrap_or_default();
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let place = lines.next_if(|line| line.starts_with("at ")).and_then(|line| line.strip_prefix("at "));
            return Some((number, name, place));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn a_frame_has_its_place_where_one_is_known() {
        let text = "   0: one::two<T: Three>\n             at ./src/a.rs:1:2\n   1: four\n  10: main\n             at b.rs:3:4\n";
        let expected = [
            ("0", "one::two<T: Three>", Some("./src/a.rs:1:2")),
            ("1", "four", None),
            ("10", "main", Some("b.rs:3:4")),
        ];
        assert_eq!(frames(text).collect::<Vec<_>>(), expected);
    }
}
