//! The recorder behind [memprof](https://docs.rs/memprof): scopes, paths, per-thread counters, the tagging allocator,
//! snapshots and reports.
//!
//! Use it through the `memprof` crate, which adds the `#[track]` attribute and the `scope!` macro. What the numbers
//! mean is written at [`Snapshot`] and [`Counters`]; how they come about is in the repository's `ARCHITECTURE.md`.
//!
//! Without the feature `runtime` every name compiles and does nothing.
//!
//! | to | use |
//! |---|---|
//! | measure a stretch of code on this thread | [`Scope`], at a [`Site`] |
//! | measure a future, over all its polls | [`TrackExt::track`] |
//! | have another thread or task work for a scope | [`Context`] |
//! | reach threads that somebody else starts | [`ambient`] |
//! | count the host's memory | [`Alloc`], as the global allocator |
//! | count any other memory | [`record_alloc`], [`record_free`], in a [`Space`] |
//! | ask what an open scope did so far | [`Scope::counters`], [`counters`] |
//! | ask for everything | [`snapshot()`], [`print_memory_report`] |
//! | measure a part of a run | [`enable`], [`disable`], [`reset()`] |
//! | hear of a limit that was exceeded | [`on_limit`] |
//!
//! ```
//! use memprof_core::{Scope, Site, Space};
//!
//! memprof_core::enable();
//! let arena = Space::named("arena");
//! let scope = Scope::enter(Site::named("load"));
//! memprof_core::record_alloc(arena, 0x1000, 4096);
//! memprof_core::record_free(arena, 0x1000);
//! let counters = scope.finish().counters(arena);
//! # if memprof_core::is_enabled() {
//! assert_eq!((counters.peak_bytes, counters.current_bytes), (4096, 0));
//! # }
//! ```
//!
//! A program needs no `if` around any of this: where memprof is off, or the thread cannot be recorded, the same
//! calls do nothing, at the cost of a load and a branch. One program holds one recorder (`links` in the manifest),
//! so all of its crates count in the same one.

mod base;
mod names;
mod space;
mod lanes;
mod thread;
mod share;
mod scope;
mod events;
mod observe;
mod process;
mod api;

pub use memprof_report::{
    Cell, Device, Field, Format, Measure, Options, PathRecord, Process, Record, Report, Resident, Snapshot, Totals,
};

pub use api::alloc::Alloc;
pub use api::ambient::{Ambient, ambient};
pub use api::context::{Context, ContextGuard};
pub use api::control::{disable, enable, is_enabled, print_memory_report, snapshot};
pub use api::exceeded::{Excess, LimitExceeded, on_limit};
pub use api::future::{InContext, TrackExt, Tracked};
pub use api::record::{record_alloc, record_alloc_failure, record_free};
pub use api::scope::{Measurement, Scope, counters};
pub use base::tally::Counters;
pub use names::site::Site;
pub use observe::reset::reset;
pub use space::spaces::Space;

/// What the macros name. Not part of the public surface.
#[doc(hidden)]
pub mod __private {
    pub use core::any::type_name_of_val;
    pub use core::future::Future;
    pub use core::option::Option;
    pub use core::{file, line, module_path};

    pub use crate::api::future::{Call, Tracked as InScope};
    pub use crate::api::limit::{Limit, Limited, Limits};
    pub use crate::api::limited_future::InLimits;
    pub use crate::api::scope::Scope;
    pub use crate::names::site::Site;

    /// The site of a run-time name.
    pub fn site_named(name: &(impl AsRef<str> + ?Sized)) -> &'static Site {
        Site::named(name.as_ref())
    }

    /// The site of a name that was not made because memprof was off.
    pub fn site_unnamed() -> &'static Site {
        Site::unnamed()
    }

    /// Enters a scope of `site` until the result is dropped.
    #[inline]
    pub fn enter(site: &'static Site) -> Scope {
        Scope::enter(site)
    }
}

/// What an allocator's crate such as memprof-cuda builds on. Not part of the public surface.
#[doc(hidden)]
pub mod __allocator {
    pub use crate::api::record::unknown_free;
    pub use crate::api::released::{Released, release};
    pub use crate::api::scope::open_scopes;
    pub use crate::base::blind::{BlindGuard, enter as blind};
    pub use crate::base::platform::print_line;
    pub use crate::observe::devices::{attribute_now, on_snapshot};
    pub use crate::process::shortage::on_shortage;
    pub use crate::process::start::cuda_setting;
    pub use memprof_report::{one_line, thousands};
}
