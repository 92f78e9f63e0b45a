//! Puts `#[::memprof::track]` on every function of the Rust files that are named, and memprof's allocator into those that are roots of
//! test programs: `memprof-suites (FILE | --root FILE)..`. Says how many functions that were.
//!
//! By the same code as `cargo memprof --policy all`: what is left out is what the attribute refuses. What macros make of their arguments
//! is not seen.

use std::process::ExitCode;

use source::{edit, file::Source};

#[expect(dead_code, reason = "of the annotator, what decides about a whole package has no use here")]
#[path = "../../../memprof-cli/src/cargo/source/mod.rs"]
mod source;

/// The allocator of a test program. In a library's root for its unit tests alone: an integration test has its own.
const ALLOCATOR: &str =
    "\n#[cfg(test)]\n#[global_allocator]\nstatic MEMPROF_HERE: ::memprof::Alloc = ::memprof::Alloc::system();\n";

/// The text with every function tracked, and how many those are.
fn tracked(text: &str, is_root: bool) -> syn::Result<(String, usize)> {
    let source = Source::read(text)?;
    let is_tracked = |index: usize| source.functions[index].reason.is_none_or(|reason| !reason.is_binding());
    let count = (0..source.functions.len()).filter(|index| is_tracked(*index)).count();
    let mut text = edit::tracked(text, &source, is_tracked).done();
    if is_root && source.allocators.is_empty() {
        text.push_str(ALLOCATOR);
    }
    Ok((text, count))
}

fn main() -> ExitCode {
    let (mut count, mut is_root) = (0, false);
    for argument in std::env::args().skip(1) {
        if argument == "--root" {
            is_root = true;
            continue;
        }
        let done = std::fs::read_to_string(&argument).map_err(|error| error.to_string()).and_then(|text| {
            let (text, functions) = tracked(&text, is_root).map_err(|error| error.to_string())?;
            std::fs::write(&argument, text).map_err(|error| error.to_string())?;
            Ok(functions)
        });
        match done {
            Ok(functions) => count += functions,
            Err(error) => {
                eprintln!("memprof-suites: {argument}: {error}");
                return ExitCode::FAILURE;
            }
        }
        is_root = false;
    }
    println!("{count}");
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::{ALLOCATOR, tracked};

    #[test]
    fn every_function_is_tracked_but_what_the_attribute_refuses() {
        let text = "#[inline(always)] fn f() { fn g() {} }\nconst fn c() {}\ntrait T { fn a(); fn b(&self) {} }\n";
        let expected = "#[inline(always)] #[::memprof::track] fn f() { #[::memprof::track] fn g() {} }\nconst fn c() {}\ntrait T { fn a(); #[::memprof::track] fn b(&self) {} }\n";
        assert_eq!(tracked(text, false).expect("parses"), (expected.to_owned(), 3));
    }

    #[test]
    fn a_root_gets_an_allocator_unless_it_has_one() {
        assert_eq!(tracked("", true).expect("parses"), (ALLOCATOR.to_owned(), 0));
        let own = "#[global_allocator] static A: B = B;\n";
        assert_eq!(tracked(own, true).expect("parses"), (own.to_owned(), 0));
    }
}
