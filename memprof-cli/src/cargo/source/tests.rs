use super::{edit, file::Source, function::Reason, lean::cannot_allocate};

/// The text with every function tracked that can be.
fn all(text: &str) -> String {
    let source = Source::read(text).expect("it parses");
    edit::tracked(text, &source, |index| source.functions[index].reason.is_none_or(|reason| !reason.is_binding()))
        .done()
}

#[test]
fn every_function_is_tracked_where_it_stands() {
    let text = "#![x]\n/// é\n#[inline] pub(crate) unsafe fn f() { fn g() {} }\nconst fn c() {}\ntrait T { fn a(); fn b(&self) {} }\nimpl T for ü { fn a() {}\n    pub async fn b(self) {} default fn d() {} }\n";
    let expected = "#![x]\n/// é\n#[inline] #[::memprof::track] pub(crate) unsafe fn f() { #[::memprof::track] fn g() {} }\nconst fn c() {}\ntrait T { fn a(); #[::memprof::track] fn b(&self) {} }\nimpl T for ü { #[::memprof::track] fn a() {}\n    #[::memprof::track] pub async fn b(self) {} #[::memprof::track] default fn d() {} }\n";
    assert_eq!(all(text), expected);
}

/// A byte order mark, and the line that a shell reads.
#[test]
fn what_the_parser_leaves_out_at_the_beginning_moves_nothing() {
    assert_eq!(all("\u{feff}fn f() {}"), "\u{feff}#[::memprof::track] fn f() {}");
    assert_eq!(all("#!/bin/é\nfn f() {}"), "#!/bin/é\n#[::memprof::track] fn f() {}");
    assert_eq!(all("\u{feff}#!/bin/é\nfn f() {}"), "\u{feff}#!/bin/é\n#[::memprof::track] fn f() {}");
    assert_eq!(all("#![no_std]\r\nfn f() {}\r\n"), "#![no_std]\r\n#[::memprof::track] fn f() {}\r\n");
}

#[test]
fn names_and_lines_are_those_of_the_report() {
    let text = "struct A;\nimpl A {\n    #[inline]\n    pub\n    fn f() {\n    }\n}\nimpl Drop for A { fn drop(&mut self) {} }\ntrait T { fn g() {} }\nfn h() {}\n";
    let source = Source::read(text).expect("it parses");
    let said: Vec<_> = source.functions.iter().map(|f| (f.name.as_str(), f.line, f.lines.clone())).collect();
    assert_eq!(said, [("A::f", 5, 3..=6), ("<A as Drop>::drop", 8, 8..=8), ("T::g", 9, 9..=9), ("h", 10, 10..=10)]);
}

/// Calibration and what does not compile mean one function each.
#[test]
fn each_function_of_a_file_has_a_key_of_its_own() {
    let text = "mod a { fn load() {} }\nmod b { fn load() {} fn save() {} }\nimpl T for &X { fn f() {} }\nimpl T for [X] { fn f() {} }\n";
    let source = Source::read(text).expect("it parses");
    let keys: Vec<_> = source.functions.iter().map(|function| function.key.as_str()).collect();
    assert_eq!(keys, ["a::load", "b::load", "b::save", "<_ as T>::f", "<_ as T>::f (2)"]);
}

#[test]
fn what_must_not_be_tracked_is_told_from_what_need_not() {
    let reasons = |text: &str| Source::read(text).expect("it parses").functions[0].reason;
    let is = [
        ("const fn f() {}", Some(Reason::Const)),
        ("#[unsafe(naked)] fn f() {}", Some(Reason::Naked)),
        ("unsafe extern \"C\" fn f(_: ...) {}", Some(Reason::Variadic)),
        ("extern \"C\" fn f() {}", Some(Reason::Extern)),
        ("#[no_mangle] fn f() {}", Some(Reason::Extern)),
        ("#[unsafe(no_mangle)] pub fn f() {}", Some(Reason::Extern)),
        ("#[unsafe(export_name = \"x\")] pub fn f() {}", Some(Reason::Extern)),
        ("#[inline(always)] fn f() {}", Some(Reason::InlineAlways)),
        ("#[inline] fn f() {}", None),
        ("#[target_feature(enable = \"avx2\")] fn f() {}", Some(Reason::TargetFeature)),
        ("#[proc_macro_derive(X)] pub fn f(i: T) -> T { i }", Some(Reason::OfCompiler)),
        ("#[panic_handler] fn f() -> ! { loop {} }", Some(Reason::OfCompiler)),
        ("unsafe impl GlobalAlloc for A { unsafe fn alloc(&self) {} }", Some(Reason::OfAllocator)),
        ("#[memprof::track] fn f() {}", Some(Reason::TracksItself)),
        ("#[memprof::track] impl A { fn f() {} }", Some(Reason::TracksItself)),
        ("fn f(n: u32) -> u32 { if n == 0 { 1 } else { f(n - 1) } }", Some(Reason::TailRecursion)),
        ("fn f(n: u32) -> u32 { match n { 0 => 1, _ => return f(n - 1) } }", Some(Reason::TailRecursion)),
        ("impl A { fn f(self) -> u32 { self.f() } }", Some(Reason::TailRecursion)),
        ("fn f(n: u32) -> u32 { f(n) + 1 }", None),
        ("impl A { fn f(self) -> u32 { self.0.f() } }", None),
    ];
    for (text, expected) in is {
        assert_eq!(reasons(text), expected, "{text}");
    }
}

/// Those of a text that cannot allocate, by their names.
fn harmless(text: &str) -> Vec<String> {
    let source = Source::read(text).expect("it parses");
    let functions: Vec<_> = source.functions.iter().collect();
    let cannot = cannot_allocate(&functions);
    let names = functions.iter().zip(cannot).filter(|(_, cannot)| *cannot);
    names.map(|(function, _)| function.name.clone()).collect()
}

#[test]
fn what_cannot_allocate_is_what_calls_nothing_that_can() {
    assert_eq!(harmless("fn f() {} fn g() { f() } fn h() { Box::new(1); } fn i() { h() }"), ["f", "g"]);
    // One calls the other.
    assert_eq!(harmless("fn f(n: u8) { g(n) } fn g(n: u8) { f(n) }"), ["f", "g"]);
    assert_eq!(harmless("fn f(n: u8) { g(n) } fn g(n: u8) { f(n); vec![n]; }"), [""; 0]);
    assert_eq!(
        harmless("fn f(v: &[u8]) -> usize { let mut n = 0; for x in v.iter() { n += usize::from(*x); } n }"),
        ["f"]
    );
    assert_eq!(harmless("fn f(a: String, b: &str) -> String { a + &b }"), [""; 0]);
    assert_eq!(harmless("fn f(a: u8, b: u8) -> u8 { a + b }"), ["f"]);
    assert_eq!(harmless("async fn f() { g().await } fn g() {}"), ["g"]);
    assert_eq!(harmless("fn f(g: impl Fn()) { g() }"), [""; 0]);
    assert_eq!(harmless("fn f(a: A) { (a.g)() }"), [""; 0]);
    assert_eq!(
        harmless(
            "fn f(n: u8) { assert!(n.is_power_of_two()); } fn g() { assert!(h()); } fn h() -> bool { format!(\"\"); true }"
        ),
        ["f"]
    );
    assert_eq!(harmless("fn f(o: Option<u8>) -> Option<P> { Some(P(o?)) }"), ["f"]);
    assert_eq!(
        harmless(
            "fn f() -> V { V::new() } impl V { fn new() -> V { V } } fn g() -> A { A::new() } impl A { fn new() -> A { A(Box::new(1)) } }"
        ),
        ["f", "V::new"]
    );
    // Whether `push` is Vec's or the package's is not known.
    assert_eq!(harmless("impl A { fn push(&mut self) {} } fn f(v: &mut V) { v.push() }"), ["A::push"]);
    // Nor whether a method of another type is, by the name of one of the package's.
    assert_eq!(
        harmless("impl A { fn frob(&self) {} } fn f<T: B>(x: T) { T::frob(x) } fn g(x: &str) -> usize { Str::len(x) }"),
        ["A::frob", "g"]
    );
    // A function that is handed on is called.
    assert_eq!(
        harmless(
            "fn f(o: Option<u8>) { o.map(g); } fn g(n: u8) { vec![n]; } fn h(o: Option<u8>) { o.map(String::from); }"
        ),
        [""; 0]
    );
    // Operators of the package, and methods with a name that most calls mean the standard library by, have a row themselves.
    assert_eq!(
        harmless(
            "impl Add for A { fn add(self, o: A) -> A { vec![1]; self } fn iter(&self) -> I { vec![1]; } } fn f(a: A, b: A) -> A { a + b } fn g(v: &[u8]) { v.iter(); } fn h(r: R) -> R { r?; Ok(()) } fn from() { vec![1]; }"
        ),
        ["f", "g", "h"]
    );
    // A value that is called as a function of the package is.
    assert_eq!(harmless("fn a() { vec![1]; } fn f(a: u8) -> u8 { let b = a; b } fn g(v: V) { v.map(a); }"), ["f"]);
    // Of types and modules of the standard library, no function.
    assert_eq!(harmless("fn f() -> u8 { u8::max_value() } fn g() { char::to_string(&'a'); }"), ["f"]);
}

#[test]
fn an_allocator_of_its_own_is_wrapped_where_it_stands() {
    let text = "#[global_allocator]\nstatic A: x::Y<u8> = x::Y::<u8>(1);\n";
    let source = Source::read(text).expect("it parses");
    let mut edits = edit::tracked(text, &source, |_| true);
    edits.wrap(&source.allocators[0]);
    assert_eq!(
        edits.done(),
        "#[global_allocator]\nstatic A: ::memprof::Alloc<x::Y<u8>> = ::memprof::Alloc::new(x::Y::<u8>(1));\n"
    );
}

#[test]
fn files_that_are_named_are_found_in_macros_and_attributes_too() {
    let text = "#[path = \"a.rs\"] mod a;\n#[doc = include_str!(\"../b.md\")] fn f() { x!(1, include_bytes!(\"c\")); include!(\"d.rs\"); let path = \"no\"; include_str!(concat!(\"e\", \"f\")); }";
    let source = Source::read(text).expect("it parses");
    let found: Vec<_> = source.included.iter().map(|file| (file.path.as_str(), file.is_data)).collect();
    assert_eq!(found, [("a.rs", false), ("../b.md", true), ("c", true), ("d.rs", false), ("no", false)]);
}
