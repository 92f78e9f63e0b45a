//! `#[track]` keeps signatures, attributes and places of functions.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]
#![expect(unreachable_pub, reason = "visibilities are part of what is tested")]
#![expect(unsafe_code, reason = "unsafe functions must stay unsafe functions")]

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use memprof::track;

use crate::track_support::{block_on, calls, record};

#[path = "track/mod.rs"]
mod track_support;

/// Case 1; tracing #2576, #2864.
#[test]
fn modifiers_keep_their_order() {
    #[track]
    async unsafe fn async_unsafe() -> u8 {
        1
    }
    #[track]
    unsafe extern "C" fn unsafe_extern() -> u8 {
        2
    }
    memprof::enable();
    // SAFETY: neither asks for anything.
    assert_eq!(block_on(unsafe { async_unsafe() }), 1);
    // SAFETY: as above.
    assert_eq!(unsafe { unsafe_extern() }, 2);
    assert_eq!(calls("modifiers_keep_their_order::async_unsafe"), 1);
    assert_eq!(calls("modifiers_keep_their_order::unsafe_extern"), 1);
}

/// Case 2; tracing #976, #977.
#[test]
fn visibility_and_abi_are_kept() {
    #[track]
    extern "C" fn c(n: u8) -> u8 {
        n
    }
    #[track]
    #[unsafe(no_mangle)]
    pub extern "C" fn memprof_track_test_no_mangle() -> u8 {
        5
    }
    mod linked {
        unsafe extern "C" {
            pub fn memprof_track_test_no_mangle() -> u8;
        }
    }
    let pointer: extern "C" fn(u8) -> u8 = c;
    assert_eq!((visibility::sum(), pointer(4)), (6, 4));
    // SAFETY: it is the function above.
    assert_eq!(unsafe { linked::memprof_track_test_no_mangle() }, 5);
}

mod visibility {
    pub mod inner {
        use memprof::track;

        #[track]
        pub(in crate::visibility) fn within() -> u8 {
            1
        }
        #[track]
        pub(super) async fn above() -> u8 {
            2
        }
        #[track]
        pub fn pinned() -> impl Future<Output = u8> {
            async { 3 }
        }
    }
    pub fn sum() -> u8 {
        inner::within()
            + crate::track_support::block_on(inner::above())
            + crate::track_support::block_on(inner::pinned())
    }
}

/// Case 3; tracing #262.
#[test]
fn generics_are_kept() {
    #[track]
    fn all<'a, T, const N: usize>(items: &'a [T; N], _: impl Fn(&T) -> bool) -> &'a T
    where
        T: PartialOrd + 'a,
        [T; N]: Sized,
    {
        &items[N - 1]
    }
    #[track]
    #[rustfmt::skip]
    fn empty<>() -> u8 where { 1 }
    #[track]
    #[rustfmt::skip]
    fn trailing<'a, T: 'a,>(item: &'a T,) -> &'a T where T: Copy, { item }
    #[track]
    async fn asynchronous<'a, T: ?Sized, const N: usize>(item: &'a T, _: impl Copy) -> (&'a T, [u8; N]) {
        (item, [0; N])
    }
    #[track]
    fn higher_ranked(f: impl for<'a> Fn(&'a str) -> &'a str) -> String {
        f("x").to_owned()
    }
    assert_eq!(*all::<u8, 2>(&[1, 2], |_| true), 2);
    assert_eq!((empty(), *trailing(&3)), (1, 3));
    assert_eq!(block_on(asynchronous::<str, 2>("s", 1)), ("s", [0, 0]));
    assert_eq!(higher_ranked(|s| s), "x");
}

/// Case 4; divan `weird_usage.rs`.
#[test]
fn receivers_are_kept_and_raw_names_lose_their_prefix() {
    #[derive(Clone)]
    struct S(u8);
    impl S {
        #[track]
        fn by_ref(&self) -> &u8 {
            &self.0
        }
        #[track]
        fn by_mut(&mut self) -> &mut Self {
            self.0 += 1;
            self
        }
        #[track]
        fn by_value(self) -> Self {
            Self { ..self }
        }
        #[track]
        fn by_mut_value(mut self) -> u8 {
            self.0 += 1;
            self.0
        }
        #[track]
        fn boxed(self: Box<Self>) -> u8 {
            self.0
        }
        #[track]
        fn counted(self: Rc<Self>) -> u8 {
            self.0
        }
        #[track]
        async fn shared(self: Arc<Self>) -> u8 {
            self.0
        }
        #[track]
        async fn pinned(self: Pin<&mut Self>) -> u8 {
            self.0
        }
        #[track]
        async fn asynchronous(&mut self, other: &Self) -> &mut u8 {
            self.0 += other.0;
            &mut self.0
        }
        #[track]
        fn r#type(r#fn: u8) -> u8 {
            r#fn
        }
    }
    memprof::enable();
    let mut s = S(1);
    assert_eq!((*s.by_ref(), s.by_mut().0, s.clone().by_value().0, s.clone().by_mut_value()), (1, 2, 2, 3));
    assert_eq!((Box::new(s.clone()).boxed(), Rc::new(s.clone()).counted()), (2, 2));
    assert_eq!((block_on(Arc::new(s.clone()).shared()), block_on(Pin::new(&mut s).pinned())), (2, 2));
    assert_eq!((*block_on(s.asynchronous(&S(3))), S::r#type(9)), (5, 9));
    assert_eq!(calls("receivers_are_kept_and_raw_names_lose_their_prefix::S::type"), 1);
}

/// Case 5; minitrace #112, #119, tracing #397.
#[test]
fn patterns_are_kept() {
    struct Point {
        x: u8,
        y: u8,
    }
    #[track]
    fn sync((a, mut b): (u8, u8), Point { x, y }: Point, [c, ..]: [u8; 3], _: u8, &d: &u8, mut e: u8) -> u8 {
        b += 1;
        e += 1;
        a + b + x + y + c + d + e
    }
    #[track]
    async fn asynchronous(
        (a, mut b): (u8, u8),
        Point { x, y }: Point,
        [c, ..]: [u8; 3],
        _: u8,
        &d: &u8,
        mut e: u8,
    ) -> u8 {
        b += 1;
        e += 1;
        a + b + x + y + c + d + e
    }
    let point = || Point { x: 1, y: 1 };
    assert_eq!(sync((1, 1), point(), [1; 3], 0, &1, 1), 9);
    assert_eq!(block_on(asynchronous((1, 1), point(), [1; 3], 0, &1, 1)), 9);
}

/// Case 6; async-trait `transform_block`.
#[test]
fn attributes_of_parameters_are_kept() {
    #[track]
    fn sync(#[cfg(any())] missing: Missing, #[allow(unused_variables)] unused: u8, #[cfg(all())] kept: u8) -> u8 {
        kept
    }
    #[track]
    async fn asynchronous(#[cfg(any())] missing: Missing, #[allow(unused_variables)] unused: u8) -> u8 {
        2
    }
    assert_eq!((sync(0, 1), block_on(asynchronous(0))), (1, 2));
}

/// Case 10.
#[test]
fn attributes_of_the_function_are_kept() {
    /// Documented.
    #[track]
    #[must_use]
    #[inline]
    fn above() -> u8 {
        1
    }
    #[cold]
    #[inline(never)]
    #[doc(hidden)]
    #[track]
    fn below() -> u8 {
        2
    }
    #[cfg(any())]
    #[track]
    fn gone(_: Missing) -> Missing {}
    #[track]
    #[cfg(any())]
    fn gone_too(_: Missing) -> Missing {}
    assert_eq!(above() + below(), 3);
}

/// Case 11; tracing #967.
mod harness_attributes {
    use memprof::track;

    use crate::track_support::calls;

    #[track]
    #[test]
    fn above_test() {
        memprof::enable();
        inner(1);
        assert_eq!(calls("inner"), 1);
    }

    #[test]
    #[track]
    fn below_test() -> Result<(), String> {
        "1".parse::<u8>().map_err(|error| error.to_string())?;
        Ok(())
    }

    #[track]
    #[tokio::test]
    async fn above_tokio_test() {
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    #[track]
    async fn below_tokio_test() -> Result<(), String> {
        tokio::task::yield_now().await;
        "1".parse::<u8>().map_err(|error| error.to_string())?;
        Ok(())
    }

    #[test]
    fn around_tokio_main() {
        #[track]
        #[tokio::main(flavor = "current_thread")]
        async fn above() -> u8 {
            tokio::task::yield_now().await;
            1
        }
        #[tokio::main(flavor = "current_thread")]
        #[track]
        async fn below() -> u8 {
            tokio::task::yield_now().await;
            2
        }
        assert_eq!(above() + below(), 3);
    }

    #[track]
    fn inner(_: u8) {}
}

/// Case 12.
#[test]
fn track_caller_still_names_the_caller() {
    #[track]
    #[track_caller]
    fn below() -> u32 {
        std::panic::Location::caller().line()
    }
    #[track_caller]
    #[track]
    fn above() -> u32 {
        std::panic::Location::caller().line()
    }
    assert_eq!(below(), line!());
    assert_eq!(above(), line!());
}

/// Case 13.
#[test]
fn twice_nested_and_recursive_functions_compile_and_count() {
    #[track]
    #[track(name = "again")]
    fn twice(n: u8) -> u8 {
        n
    }
    #[track]
    fn outer() -> u8 {
        #[track]
        fn inner() -> u8 {
            7
        }
        inner()
    }
    #[track]
    fn sync(n: u64) -> u64 {
        if n == 0 { 0 } else { n + sync(n - 1) }
    }
    #[track]
    async fn asynchronous(n: u64) -> u64 {
        if n == 0 { 0 } else { n + Box::pin(asynchronous(n - 1)).await }
    }
    memprof::enable();
    assert_eq!((twice(1), outer(), sync(4), block_on(asynchronous(4))), (1, 7, 10, 10));
    let test = "twice_nested_and_recursive_functions_compile_and_count";
    assert_eq!((calls("again"), calls(&format!("{test}::twice"))), (1, 1));
    assert_eq!((calls(&format!("{test}::outer")), calls(&format!("{test}::outer::inner"))), (1, 1));
    assert_eq!((calls(&format!("{test}::sync")), calls(&format!("{test}::asynchronous"))), (5, 5));
    assert_eq!(record("again").file, file!());
}
