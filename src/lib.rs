#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use memprof_core::{
    Alloc, Ambient, Cell, Context, ContextGuard, Counters, Device, Excess, Field, Format, InContext, LimitExceeded,
    Measure, Measurement, Options, PathRecord, Process, Record, Report, Resident, Scope, Site, Snapshot, Space, Totals,
    TrackExt, Tracked, ambient, counters, disable, enable, is_enabled, on_limit, print_memory_report, record_alloc,
    record_alloc_failure, record_free, reset, snapshot,
};
#[cfg(feature = "cuda")]
#[doc(inline)]
pub use memprof_cuda as cuda;
pub use memprof_macros::{limit, track};

#[doc(hidden)]
pub mod __private {
    pub use core::compile_error;
    pub use core::prelude::v1::global_allocator;

    pub use memprof_core::__private::*;
}

/// A `static` site with this name, and the file and line of the macro call: `&'static Site`.
///
/// ```
/// let scope = memprof::Scope::enter(memprof::site!("parse"));
/// # drop(scope);
/// ```
#[macro_export]
macro_rules! site {
    ($name:literal) => {{
        static SITE: $crate::__private::Site =
            $crate::__private::Site::block($crate::__private::file!(), $crate::__private::line!(), $name);
        &SITE
    }};
}

/// Measures a block, an async block, or the rest of the enclosing block.
///
/// * `scope!("load", { .. })` is the block's value; `?`, `return`, `break` and `continue` work in it.
/// * `scope!("load", async { .. })`, also `async move`, is a future that is one activation
///   (see [`Tracked`](crate::Tracked)).
/// * `scope!("load");` lasts until the end of the enclosing block. In a future it ends with the poll that entered it: held over an
///   `.await`, it misses what comes later. The report then names it, if the future is tracked or inside of one that is; of any other
///   memprof sees no poll, and such a scope takes on what its thread does next. Give `scope!` an async block there.
///
/// The name is a literal, which makes a static site and costs nanoseconds, or any other `AsRef<str>` expression, as
/// `format!("layer {i}")`: that is borrowed, evaluated only while memprof measures, and interned, at some
/// 50 ns (see [`Site::named`](crate::Site::named)).
///
/// ```
/// fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     let number = memprof::scope!("parse", { text.trim().parse::<u32>()? });
///     memprof::scope!("the rest");
///     Ok(number + 1)
/// }
/// # assert_eq!(parse(" 41 "), Ok(42));
/// ```
#[macro_export]
macro_rules! scope {
    ($name:literal $(,)?) => {
        let __scope = $crate::__private::enter($crate::site!($name));
    };
    ($name:expr $(,)?) => {
        let __scope = $crate::__private::enter($crate::__named_site!($name));
    };
    ($name:literal, async move $body:block $(,)?) => {
        $crate::__private::InScope::new($crate::site!($name), async move $body)
    };
    ($name:literal, async $body:block $(,)?) => {
        $crate::__private::InScope::new($crate::site!($name), async $body)
    };
    ($name:expr, async move $body:block $(,)?) => {
        $crate::__private::InScope::new($crate::__named_site!($name), async move $body)
    };
    ($name:expr, async $body:block $(,)?) => {
        $crate::__private::InScope::new($crate::__named_site!($name), async $body)
    };
    ($name:literal, $body:block $(,)?) => {{
        let __scope = $crate::__private::enter($crate::site!($name));
        $body
    }};
    ($name:expr, $body:block $(,)?) => {{
        let __scope = $crate::__private::enter($crate::__named_site!($name));
        $body
    }};
    ($($other:tt)*) => {
        $crate::__private::compile_error!(
            "`scope!` takes a name alone, or a name and a block: `scope!(\"load\")`, `scope!(\"load\", { .. })`, \
             `scope!(\"load\", async { .. })` or `scope!(\"load\", async move { .. })`; an `unsafe` block goes into the braces"
        )
    };
}

/// The site of a name that is made at run time, and only while memprof measures. The name is borrowed.
#[doc(hidden)]
#[macro_export]
macro_rules! __named_site {
    ($name:expr) => {
        if $crate::is_enabled() { $crate::__private::site_named(&$name) } else { $crate::__private::site_unnamed() }
    };
}
