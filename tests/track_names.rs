//! What a tracked function is called in the report: file, line of the `fn` keyword, label (docs/semantics.md, the last column of the report).

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]
#![expect(unreachable_pub, reason = "visibilities are part of what is tested")]

use memprof::track;

use crate::track_support::{block_on, calls, record};

#[path = "track/mod.rs"]
mod track_support;

mod shapes {
    use memprof::track;

    pub struct Square<T, const N: usize>(pub [T; N]);

    impl<T, const N: usize> Square<T, N> {
        #[track]
        pub fn new(items: [T; N]) -> Self {
            Self(items)
        }
    }

    pub struct Circle;

    impl Circle {
        #[track]
        pub fn new() -> Self {
            Self
        }
    }

    pub trait Area<T> {
        #[track]
        fn provided(&self) -> u8 {
            1
        }
        fn area(&self) -> T;
    }
}

use shapes::{Area, Circle, Square};

impl Circle {
    #[track]
    fn elsewhere(&self) -> u8 {
        let Self = self;
        2
    }
}

impl Area<u8> for Circle {
    #[track]
    fn area(&self) -> u8 {
        3
    }
}

impl Area<u16> for [u8] {
    #[track]
    fn area(&self) -> u16 {
        4
    }
}

impl<T> Area<T> for Square<T, 1>
where
    T: Copy,
{
    #[track]
    fn area(&self) -> T {
        self.0[0]
    }
}

impl Area<u8> for dyn Fn(u8) -> Circle {
    #[track]
    fn area(&self) -> u8 {
        self(1).area()
    }
}

#[track]
fn free() {}

#[track(name = "a name, with spaces")]
fn named() {}

#[track(name = "named method")]
async fn named_async() {}

#[test]
fn labels_leave_out_modules_and_generic_arguments_and_keep_types_apart() {
    memprof::enable();
    free();
    named();
    block_on(named_async());
    let square = Square::new([5u8]);
    let circle = Circle::new();
    assert_eq!((circle.elsewhere(), Area::<u8>::area(&circle), Area::<u8>::provided(&circle)), (2, 3, 1));
    assert_eq!((Area::<u16>::area(&[1u8][..]), square.area()), (4, 5));
    let function: &dyn Fn(u8) -> Circle = &|_| Circle;
    assert_eq!(function.area(), 3);
    for (label, ncalls) in [
        ("free", 1),
        ("a name, with spaces", 1),
        ("named method", 1),
        ("Square::new", 1),
        ("Circle::new", 1),
        ("Circle::elsewhere", 1),
        ("Area::provided", 1),
        ("<Circle as Area>::area", 2),
        ("<[u8] as Area>::area", 1),
        ("<Square as Area>::area", 1),
        ("<dyn Fn(u8) -> Circle as Area>::area", 1),
    ] {
        assert_eq!(calls(label), ncalls, "{label}");
    }
}

#[test]
fn the_line_is_that_of_the_fn_keyword_and_the_file_the_users() {
    const FIRST: u32 = line!();
    /// Documented.
    #[track]
    #[must_use]
    #[rustfmt::skip]
    pub
    fn
    below_everything() -> u32 {
        FIRST + 6
    }
    #[rustfmt::skip]
    #[track(name = "line of a name")] async fn in_one_line() -> u32 { line!() }

    memprof::enable();
    let test = "the_line_is_that_of_the_fn_keyword_and_the_file_the_users";
    let (line, record_) = (below_everything(), record(&format!("{test}::below_everything")));
    assert_eq!((record_.line, &*record_.file), (line, file!()));
    assert_eq!(record_.name, format!("{}:{line}({test}::below_everything)", file!()));
    assert_eq!(block_on(in_one_line()), record("line of a name").line);
}

/// Case 32; tracing #755, fastrace #147.
#[test]
fn a_function_made_by_a_macro_has_the_line_of_the_macro_call() {
    macro_rules! make {
        ($(#[$attr:meta])* $vis:vis $name:ident $body:block) => {
            $(#[$attr])*
            #[track]
            $vis fn $name() -> u8 $body
        };
    }
    const LINE: u32 = line!() + 1;
    make!(#[must_use] pub made { 7 });
    memprof::enable();
    assert_eq!(made(), 7);
    assert_eq!(record("a_function_made_by_a_macro_has_the_line_of_the_macro_call::made").line, LINE);
}
