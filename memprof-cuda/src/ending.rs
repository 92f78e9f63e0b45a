//! That the process has begun to end.
//!
//! When a process ends, the driver's library takes down its contexts in a handler of its own, and CUPTI may show that as contexts
//! being destroyed. What is released then is released by the process's end, not freed: it stays live in the books. And from then
//! on the driver is not asked any more; what it said is said on, as of the end.
//!
//! Handlers of exit run in the reverse order of their registration, so one that is registered once the driver has started runs
//! before the driver's. Which moment that is nobody says: [`watch`] registers again whenever more of the driver has started.

#![cfg_attr(unix, expect(unsafe_code, reason = "registers a handler with the C library"))]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static BEGUN: AtomicBool = AtomicBool::new(false);
/// What is done while the driver can still be asked.
static LAST: OnceLock<fn()> = OnceLock::new();

/// Whether the process has begun to end.
pub(crate) fn has_begun() -> bool {
    BEGUN.load(Ordering::Acquire)
}

/// Has `last` called as the process begins to end.
pub(crate) fn begins_with(last: fn()) {
    LAST.get_or_init(|| last);
}

/// More of the driver has started: what it registered by now runs after our own handler. `step` tells one such moment from
/// another; each registers once.
pub(crate) fn watch(step: Step) {
    static REGISTERED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
    let registered = &REGISTERED[step as usize];
    // Read first: once it is registered, no call writes here.
    if !registered.load(Ordering::Relaxed) && !registered.swap(true, Ordering::Relaxed) {
        register();
    }
}

#[cfg(unix)]
fn register() {
    // SAFETY: a function that does not unwind, and stays loaded.
    let _out_of_memory = unsafe { libc::atexit(begin) };
}

/// What has started.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Interception.
    Interception,
    /// The first context that is watched, or seen.
    Context,
    /// The first memory in it.
    Memory,
}

#[cfg(not(unix))]
fn register() {}

#[cfg(unix)]
extern "C" fn begin() {
    if BEGUN.load(Ordering::Acquire) {
        return;
    }
    if let Some(last) = LAST.get() {
        let outcome = std::panic::catch_unwind(last);
        if let Err(payload) = outcome {
            // Dropping it may panic again.
            Box::leak(payload);
        }
    }
    BEGUN.store(true, Ordering::Release);
}
