//! Puts `#[::memprof::track]` on every function of the Rust files that are named, and memprof's allocator into those that are roots of
//! test programs: `memprof-suites (FILE | --root FILE)..`. Says how many functions that were.
//!
//! The attribute stands on the line of its function, so that lines keep their numbers. Left out is what the attribute refuses: a
//! `const fn`, and a function without a body. What macros make of their arguments is not seen.

use std::process::ExitCode;

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

const TRACK: &str = "#[::memprof::track] ";

/// The allocator of a test program. In a library's root for its unit tests alone: an integration test has its own.
const ALLOCATOR: &str =
    "\n#[cfg(test)]\n#[global_allocator]\nstatic MEMPROF_HERE: ::memprof::Alloc = ::memprof::Alloc::system();\n";

/// Where functions begin, after their attributes.
#[derive(Default)]
struct Functions {
    begins: Vec<LineColumn>,
    has_allocator: bool,
}

impl Functions {
    fn add(&mut self, visibility: Option<&syn::Visibility>, signature: &syn::Signature) {
        if signature.constness.is_none() {
            let visible = visibility.filter(|visibility| !matches!(visibility, syn::Visibility::Inherited));
            let begin: Span = visible.map_or_else(|| signature.span(), syn::spanned::Spanned::span);
            self.begins.push(begin.start());
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(Some(&function.vis), &function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        // `default fn` begins before its signature.
        if method.modifiers.defaultness.is_none() {
            self.add(Some(&method.vis), &method.sig);
        }
        visit::visit_impl_item_fn(self, method);
    }

    fn visit_trait_item_fn(&mut self, method: &'ast syn::TraitItemFn) {
        if method.default.is_some() {
            self.add(None, &method.sig);
        }
        visit::visit_trait_item_fn(self, method);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.has_allocator |= item.attrs.iter().any(|attribute| attribute.path().is_ident("global_allocator"));
    }
}

/// The text with every function tracked, and how many those are.
fn tracked(text: &str, is_root: bool) -> syn::Result<(String, usize)> {
    let mut functions = Functions::default();
    functions.visit_file(&syn::parse_file(text)?);
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    functions.begins.sort_by_key(|place| (place.line, place.column));
    // From the last to the first, so that the others stay where they are. A column counts characters.
    for place in functions.begins.iter().rev() {
        let Some(line) = lines.get_mut(place.line - 1) else { continue };
        let at = line.char_indices().nth(place.column).map_or(line.len(), |(at, _)| at);
        line.insert_str(at, TRACK);
    }
    let mut text = lines.join("\n");
    if is_root && !functions.has_allocator {
        text.push_str(ALLOCATOR);
    }
    Ok((text, functions.begins.len()))
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
    fn every_function_is_tracked_where_it_stands() {
        let text = "#![x]\n/// é\n#[inline] pub(crate) unsafe fn f() { fn g() {} }\nconst fn c() {}\ntrait T { fn a(); fn b(&self) {} }\nimpl T for ü { fn a() {}\n    pub async fn b(self) {} }\n";
        let expected = "#![x]\n/// é\n#[inline] #[::memprof::track] pub(crate) unsafe fn f() { #[::memprof::track] fn g() {} }\nconst fn c() {}\ntrait T { fn a(); #[::memprof::track] fn b(&self) {} }\nimpl T for ü { #[::memprof::track] fn a() {}\n    #[::memprof::track] pub async fn b(self) {} }\n";
        assert_eq!(tracked(text, false).expect("parses"), (expected.to_owned(), 5));
    }

    #[test]
    fn a_root_gets_an_allocator_unless_it_has_one() {
        assert_eq!(tracked("", true).expect("parses"), (ALLOCATOR.to_owned(), 0));
        let own = "#[global_allocator] static A: B = B;\n";
        assert_eq!(tracked(own, true).expect("parses"), (own.to_owned(), 0));
    }
}
