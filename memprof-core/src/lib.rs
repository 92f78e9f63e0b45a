//! The recorder behind [memprof](https://docs.rs/memprof): scopes, paths, per-thread counters, the tagging allocator,
//! snapshots and reports.
//!
//! Use it through the `memprof` crate, which adds the `#[track]` attribute and the `scope!` macro. What the numbers
//! mean is written at [`Snapshot`] and [`Counters`]; how they come about is in the repository's `ARCHITECTURE.md`.
//!
//! Without the feature `runtime` every name compiles and does nothing.

mod activation;
mod alloc;
mod ambient;
mod blind;
mod collect;
mod context;
mod counters;
mod device;
mod events;
mod exit;
mod fork;
mod frame;
mod future;
mod label;
mod lane;
mod ledger;
mod lock;
mod mark;
mod net;
mod open;
mod output;
mod path;
mod platform;
mod polls;
mod read;
mod record;
mod report;
mod scopes;
mod settings;
mod sharing;
mod site;
mod slot;
mod snapshot;
mod space;
mod start;
mod state;
mod steps;
mod switch;
mod system;
mod thread;

pub use alloc::Alloc;
pub use ambient::{Ambient, ambient};
pub use collect::{reset, snapshot};
pub use context::{Context, ContextGuard};
pub use counters::Counters;
pub use device::Device;
pub use events::record::{record_alloc, record_alloc_failure, record_free};
pub use future::{InContext, TrackExt, Tracked};
pub use record::{PathRecord, Record, Totals};
pub use scopes::{Measurement, Scope, counters};
pub use site::Site;
pub use snapshot::Snapshot;
pub use space::Space;
pub use switch::{disable, enable, is_enabled, print_memory_report};

/// What the macros name. Not part of the public surface.
#[doc(hidden)]
pub mod __private {
    pub use core::any::type_name_of_val;
    pub use core::future::Future;
    pub use core::option::Option;
    pub use core::{file, line, module_path};

    pub use crate::future::Tracked as InScope;
    pub use crate::scopes::Scope;
    pub use crate::site::Site;

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
    pub use crate::blind::{BlindGuard, enter as blind};
    pub use crate::device::on_snapshot;
    pub use crate::events::record::{Released, release, unknown_free};
    pub use crate::platform::print_line;
    pub use crate::scopes::open_scopes;
    pub use crate::start::cuda_setting;
}
