//! That the process has begun to end.
//!
//! When a process ends, the driver's library takes down its contexts in a handler of its own, and CUPTI may show that as contexts
//! being destroyed. What is released then is released by the process's end, not freed: it stays live in the books. And from then
//! on the driver is not asked any more; what it said is said on, as of the end.
//!
//! Handlers of exit run in the reverse order of their registration, so one that is registered once the driver has started runs
//! before the driver's. Which moment that is nobody says, and a library that is loaded later, as the runtime library, may register one that ends
//! contexts too. So [`watch`] registers again whenever more of the driver has started: at the first context and the first memory, and at the
//! next context, and the next memory, after any library was loaded. That is at most twice for each library that a program loads.

#![cfg_attr(
    unix,
    expect(unsafe_code, reason = "registers a handler with the C library, and asks the loader what it has loaded")
)]

#[cfg(target_os = "linux")]
use std::ffi::{c_int, c_void};
#[cfg(target_os = "linux")]
use std::mem::offset_of;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// What has started.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Interception.
    Interception,
    /// A context that is watched, or seen.
    Context,
    /// Memory in it.
    Memory,
}

/// More of the driver has started: what it registered by now runs after our own handler.
pub(crate) fn watch(step: Step) {
    /// How many libraries had been loaded at the last registration for interception, and for a context.
    static LOADED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
    /// Whether memory is the first one since.
    static IS_FIRST_MEMORY: AtomicBool = AtomicBool::new(true);
    let is_due = match step {
        Step::Interception | Step::Context => {
            let loaded = libraries_loaded();
            LOADED[step as usize].swap(loaded, Ordering::Relaxed) != loaded
        }
        // Read first: no other call writes here.
        Step::Memory => IS_FIRST_MEMORY.load(Ordering::Relaxed) && IS_FIRST_MEMORY.swap(false, Ordering::Relaxed),
    };
    if is_due {
        register();
        if !matches!(step, Step::Memory) {
            IS_FIRST_MEMORY.store(true, Ordering::Relaxed);
        }
    }
}

/// How many libraries the process has loaded so far, those that are gone included, and one more; 1 where the loader does not say.
fn libraries_loaded() -> u64 {
    let mut loaded = 0;
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a callback of this type, and a place for the number that it writes.
        unsafe { libc::dl_iterate_phdr(Some(take_number), (&raw mut loaded).cast()) };
    }
    loaded + 1
}

/// # Safety
/// * `info` is what the loader says of a library, of `size` bytes; `number` is a place for a number.
#[cfg(target_os = "linux")]
unsafe extern "C" fn take_number(info: *mut libc::dl_phdr_info, size: usize, number: *mut c_void) -> c_int {
    const LAST: c_int = 1;
    // An older loader says less of each.
    if size >= offset_of!(libc::dl_phdr_info, dlpi_adds) + size_of::<u64>() {
        // SAFETY: the caller's promise.
        let loaded = unsafe { (*info).dlpi_adds };
        // SAFETY: the caller's promise.
        unsafe { number.cast::<u64>().write(loaded) };
    }
    LAST
}

#[cfg(unix)]
fn register() {
    // SAFETY: a function that does not unwind, and stays loaded.
    let _out_of_memory = unsafe { libc::atexit(begin) };
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
