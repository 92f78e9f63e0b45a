//! `#[track]` needs no name of the user's to mean what it usually means.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "functions of every kind, some odd by intent; what lints say about tracked code is the matter of track_lints.rs"
)]
#![expect(unreachable_pub, reason = "visibilities are part of what is tested")]
#![forbid(unsafe_code)]

use memprof::track;

use crate::track_support::{block_on, calls};

#[path = "track/mod.rs"]
mod track_support;

/// Case 29; tracing #2528, #3126, #2761, #2762, #1842, #1918, #3023, #3024.
#[expect(dead_code, unused_macros, unused_imports, reason = "they are there to be in the way")]
mod everything_is_redefined {
    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod memprof {
        pub mod __private {}
    }
    pub struct Option;
    pub struct Result;
    pub struct Box;
    pub struct Pin;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct Err;
    pub struct Site;
    pub struct Send;
    pub trait Future {}
    pub trait Drop {}
    pub fn drop() {}
    pub fn enter() {}
    pub const SITE: () = ();
    #[allow(non_camel_case_types, reason = "they are there to be in the way")]
    pub mod primitives {
        pub struct str;
        pub struct u32;
    }
    pub use primitives::*;

    macro_rules! file {
        () => {
            compile_error!("not ours")
        };
    }
    macro_rules! line {
        () => {
            compile_error!("not ours")
        };
    }
    macro_rules! module_path {
        () => {
            compile_error!("not ours")
        };
    }
    macro_rules! concat {
        () => {
            compile_error!("not ours")
        };
    }

    #[::memprof::track]
    pub fn sync() -> ::core::primitive::u8 {
        1
    }
    #[::memprof::track]
    pub async fn asynchronous(fail: bool) -> ::core::result::Result<::core::primitive::u8, ()> {
        if fail {
            return ::core::result::Result::Err(());
        }
        ::core::result::Result::Ok(2)
    }
    #[::memprof::track(name = "named among redefined names")]
    pub fn future() -> impl ::core::future::Future<Output = ::core::primitive::u8> {
        async { 3 }
    }
    pub struct Type;
    #[::memprof::track]
    impl Type {
        pub fn method(&self) -> ::core::primitive::u8 {
            4
        }
        #[::memprof::track(skip)]
        pub fn skipped(&self) {}
    }
}

/// Case 29: nothing of the prelude, macros included.
#[no_implicit_prelude]
mod without_a_prelude {
    #[::memprof::track]
    pub fn sync(n: u8) -> u8 {
        n
    }
    #[::memprof::track(name = "without a prelude")]
    pub async fn asynchronous() -> ::std::vec::Vec<u8> {
        if true {
            return ::std::vec::Vec::new();
        }
        ::std::vec![2]
    }
    #[::memprof::track]
    pub fn future() -> ::std::pin::Pin<::std::boxed::Box<dyn ::std::future::Future<Output = u8>>> {
        ::std::boxed::Box::pin(async { 3 })
    }
    #[::memprof::track]
    pub fn never() -> ! {
        ::std::panic!()
    }
}

#[test]
fn redefined_and_missing_names_do_not_matter() {
    memprof::enable();
    {
        use everything_is_redefined::{Type, asynchronous, future, sync};
        assert_eq!((sync(), block_on(asynchronous(false)), block_on(future()), Type.method()), (1, Ok(2), 3, 4));
        assert!(block_on(asynchronous(true)).is_err());
        Type.skipped();
    }
    {
        use without_a_prelude::{asynchronous, future, never, sync};
        assert_eq!((sync(1), block_on(asynchronous()), block_on(future())), (1, Vec::new(), 3));
        assert!(std::panic::catch_unwind(|| never()).is_err());
    }
    for (function, ncalls) in
        [("Type::method", 1), ("named among redefined names", 1), ("without a prelude", 1), ("never", 1)]
    {
        assert_eq!(calls(function), ncalls, "{function}");
    }
}

/// Case 31; tracing #1818, #1819, fastrace #69, #105.
#[test]
fn memprof_is_found_where_the_path_says() {
    mod vendored {
        pub mod deep {
            pub use memprof as profiler;
        }
    }
    use vendored::deep::profiler;
    #[profiler::track(crate = vendored::deep::profiler)]
    fn relative() -> u8 {
        1
    }
    #[track(name = "renamed and named", crate = ::memprof)]
    async fn absolute() -> u8 {
        2
    }
    #[track(crate = profiler, r#name = "raw keys")]
    fn raw() -> u8 {
        3
    }
    profiler::enable();
    assert_eq!((relative(), block_on(absolute()), raw()), (1, 2, 3));
    assert_eq!((calls("renamed and named"), calls("raw keys")), (1, 1));
    assert_eq!(calls("memprof_is_found_where_the_path_says::relative"), 1);
}

/// Case 31: what a macro of a crate that re-exports memprof writes.
pub mod facade {
    pub use memprof;
}

/// See [`facade`].
#[macro_export]
macro_rules! tracked_through_a_facade {
    ($name:ident, $body:block) => {
        #[$crate::facade::memprof::track(crate = $crate::facade::memprof)]
        fn $name() -> u8 $body
    };
}

#[test]
fn a_macros_own_crate_can_be_the_path() {
    tracked_through_a_facade!(through, { 1 });
    memprof::enable();
    assert_eq!(through(), 1);
    assert_eq!(calls("a_macros_own_crate_can_be_the_path::through"), 1);
}

/// Case 32; fastrace #147, tracing #755.
#[test]
fn functions_made_by_macros_keep_their_contexts_apart() {
    macro_rules! function {
        ($(#[$attr:meta])* $vis:vis $name:ident($arg:ident: $ty:ty) -> $ret:ty, $body:block) => {
            $(#[$attr])*
            #[track]
            $vis fn $name($arg: $ty) -> $ret $body
        };
        (async $name:ident($arg:ident: $ty:ty) -> $ret:ty, $value:expr) => {
            #[track]
            async fn $name($arg: $ty) -> $ret {
                let mine = 1;
                mine + $value
            }
        };
        (tail $name:ident, $future:expr) => {
            #[track]
            fn $name() -> impl Future<Output = u8> {
                $future
            }
        };
    }
    function!(#[inline] pub sync(n: u8) -> u8, { let __scope = n; __scope + 1 });
    function!(async asynchronous(mine: u8) -> u8, mine);
    function!(tail tail, async { 5 });
    assert_eq!((sync(1), block_on(asynchronous(2)), block_on(tail())), (2, 3, 5));
}

/// What `$e * 2` means must not depend on how the attribute takes the function apart (rust-lang/rust #67062).
#[test]
fn an_expression_given_to_a_macro_stays_one_operand() {
    struct Block;
    macro_rules! function {
        ($e:expr) => {
            #[track]
            fn sync() -> u32 {
                $e * 2
            }
            #[track]
            fn with_inner_attribute() -> u32 {
                #![allow(clippy::all)]
                $e * 2
            }
            #[track]
            async fn asynchronous() -> u32 {
                $e * 2
            }
            #[track]
            fn before_a_future() -> impl Future<Output = u32> {
                let doubled = $e * 2;
                async move { doubled }
            }
            #[track]
            fn in_the_signature(array: [u8; $e * 2]) -> [u8; $e * 2] {
                array
            }
            #[track]
            impl Block {
                const CONSTANT: u32 = $e * 2;
                fn method() -> u32 {
                    $e * 2
                }
                #[track(skip)]
                fn skipped() -> u32 {
                    $e * 2
                }
                const fn constant() -> u32 {
                    $e * 2
                }
            }
        };
    }
    function!(1 + 2);
    assert_eq!((sync(), with_inner_attribute(), block_on(asynchronous())), (6, 6, 6));
    assert_eq!((block_on(before_a_future()), in_the_signature([0; 6]).len()), (6, 6));
    assert_eq!((Block::CONSTANT, Block::method(), Block::skipped(), Block::constant()), (6, 6, 6, 6));
}
