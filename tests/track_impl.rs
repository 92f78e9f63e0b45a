//! `#[track]` on a whole `impl` block.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]
#![expect(unreachable_pub, reason = "visibilities are part of what is tested")]

use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;

use memprof::track;

use crate::track_support::{block_on, calls, is_recorded, record, yield_once};

#[path = "track/mod.rs"]
mod track_support;

struct Frame<T>(Vec<T>);

macro_rules! accessor {
    ($name:ident) => {
        fn $name(&self) -> usize {
            self.0.len()
        }
    };
}

#[track]
impl<T> Frame<T>
where
    T: Clone + 'static,
{
    #![allow(clippy::unused_self)]

    const LIMIT: usize = { 3 };
    const NAMES: [&'static str; {
        const ONE: usize = 1;
        ONE
    }] = ["a"];

    accessor!(columns);
    accessor! { rows }

    const fn constant(&self) -> usize {
        Self::LIMIT
    }

    fn new(items: &[T]) -> Self {
        Self(items.to_vec())
    }

    /// Documented.
    #[must_use]
    #[inline]
    pub fn first(&self) -> Option<&T> {
        let first = self.0.first()?;
        Some(first)
    }

    async fn fetch(&mut self, item: T) -> Result<Box<dyn Fn() -> usize>, String> {
        #![allow(unused_variables)]
        let unused = 1;
        yield_once().await;
        self.0.push(item);
        let length = self.0.len();
        Ok(Box::new(move || length))
    }

    fn boxed(&self) -> Pin<Box<dyn Future<Output = usize> + '_>> {
        Box::pin(async move { self.0.len() })
    }

    fn opaque(self) -> impl Iterator<Item = T> {
        self.0.into_iter()
    }

    fn fail(&self) -> ! {
        panic!("{}", Self::NAMES[0])
    }

    #[track(name = "by another name")]
    fn renamed(&self) {}

    #[memprof::track]
    fn on_its_own(&self) {}

    #[memprof::track(skip)]
    fn skipped(&self) {}

    #[cfg(any())]
    fn gone(&self) -> Missing {}
}

#[test]
fn every_function_of_the_block_is_measured_but_those_left_out() {
    memprof::enable();
    let mut frame = Frame::new(&[1u8]);
    assert_eq!((frame.first(), frame.constant(), frame.columns(), frame.rows()), (Some(&1), 3, 1, 1));
    assert_eq!((block_on(frame.fetch(2)).unwrap()(), block_on(frame.boxed())), (2, 2));
    assert!(std::panic::catch_unwind(|| Frame::<u8>(Vec::new()).fail()).is_err());
    frame.renamed();
    frame.on_its_own();
    frame.skipped();
    assert_eq!(frame.opaque().count(), 2);

    for function in ["new", "first", "fetch", "boxed", "opaque", "fail", "on_its_own"] {
        assert_eq!(calls(&format!("Frame::{function}")), 1, "{function}");
    }
    assert_eq!(calls("by another name"), 1);
    for function in ["skipped", "renamed", "constant", "columns", "rows"] {
        assert!(!is_recorded(&format!("Frame::{function}")), "{function}");
    }
}

#[test]
fn lines_in_a_block_are_those_of_the_functions() {
    struct Lines;
    #[track]
    impl Lines {
        fn first() -> u32 {
            line!() - 1
        }
        #[inline]
        async fn second() -> u32 {
            line!() - 1
        }
    }
    memprof::enable();
    let of = |function: &str| record(&format!("lines_in_a_block_are_those_of_the_functions::Lines::{function}")).line;
    assert_eq!((Lines::first(), block_on(Lines::second())), (of("first"), of("second")));
}

#[test]
fn trait_impls_are_measured_and_keep_their_other_items() {
    struct Celsius(i8);
    #[track]
    impl Display for Celsius {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0)
        }
    }
    #[track]
    impl Iterator for Celsius {
        type Item = i8;
        fn next(&mut self) -> Option<Self::Item> {
            self.0 = self.0.checked_sub(1).filter(|n| *n > 0)?;
            Some(self.0)
        }
    }
    memprof::enable();
    assert_eq!((Celsius(3).to_string(), Celsius(3).count()), ("3".into(), 2));
    assert_eq!((calls("<Celsius as Display>::fmt"), calls("<Celsius as Iterator>::next")), (1, 3));
}

#[test]
fn the_path_given_to_a_block_reaches_functions_with_an_attribute_of_their_own() {
    /// Counts what is entered through it.
    mod counting {
        pub(super) mod __private {
            use std::sync::atomic::{AtomicU32, Ordering};

            pub(crate) use ::memprof::__private::*;

            pub(crate) static ENTERED: AtomicU32 = AtomicU32::new(0);

            pub(crate) fn enter(site: &'static Site) -> impl Sized {
                ENTERED.fetch_add(1, Ordering::Relaxed);
                ::memprof::__private::enter(site)
            }
        }
    }
    struct Handed;
    #[track(crate = counting)]
    impl Handed {
        fn plain() {}
        #[track]
        fn bare() {}
        #[track(name = "handed by name")]
        fn named() {}
        #[track(crate = ::memprof)]
        fn elsewhere() {}
        #[track(skip)]
        fn skipped() {}
    }
    memprof::enable();
    Handed::plain();
    Handed::bare();
    Handed::named();
    Handed::elsewhere();
    Handed::skipped();
    let test = "the_path_given_to_a_block_reaches_functions_with_an_attribute_of_their_own";
    for function in ["plain", "bare", "elsewhere"] {
        assert_eq!(calls(&format!("{test}::Handed::{function}")), 1, "{function}");
    }
    assert_eq!(calls("handed by name"), 1);
    let entered = counting::__private::ENTERED.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(entered, 3, "all but the one that names another path");
    assert!(!is_recorded(&format!("{test}::Handed::skipped")));
}

/// Case 32, for a block.
#[test]
fn a_block_made_by_a_macro_is_measured() {
    macro_rules! make {
        ($name:ident, $ty:ty, [$($method:ident $body:block)*]) => {
            struct $name;
            #[track]
            impl $name {
                $(fn $method(&self) -> $ty $body)*
            }
        };
    }
    make!(Made, impl Debug, [one { 1u8 } two { "two" }]);
    memprof::enable();
    assert_eq!((format!("{:?}", Made.one()), format!("{:?}", Made.two())), ("1".into(), "\"two\"".into()));
    let test = "a_block_made_by_a_macro_is_measured";
    assert_eq!((calls(&format!("{test}::Made::one")), calls(&format!("{test}::Made::two"))), (1, 1));
}
