//! What tracked allocations report, unless interception sees the driver's calls itself.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use memprof_core::__allocator::{self, Released};
use memprof_core::Space;

/// Whether interception records what the driver does; then wrappers record nothing.
static INTERCEPTED: AtomicBool = AtomicBool::new(false);

/// Whether interception records what the driver does.
pub(crate) fn is_intercepted() -> bool {
    INTERCEPTED.load(Ordering::Acquire)
}

/// Interception begins or ends.
pub(crate) fn set_intercepted(intercepted: bool) {
    INTERCEPTED.store(intercepted, Ordering::Release);
}

/// The driver has allocated: call it after the driver's call succeeded.
pub(crate) fn allocated(space: Space, address: u64, bytes: u64) {
    if !is_intercepted() {
        memprof_core::record_alloc(space, address, bytes);
    }
}

/// The driver could not allocate.
pub(crate) fn failed(space: Space, bytes: u64) {
    if !is_intercepted() {
        memprof_core::record_alloc_failure(space, bytes);
    }
}

/// The driver is about to free: call it before, and [`Released::restore`] on the result if the driver refuses.
pub(crate) fn released(space: Space, address: u64) -> Option<Released> {
    if is_intercepted() { None } else { __allocator::release(space, address) }
}

/// What physical memory (`cuMemCreate`) is known by in the books, by its handle: as interception knows it, past all
/// addresses.
pub(crate) fn physical(handle: u64) -> u64 {
    handle & !(1 << 62) | 1 << 63
}

thread_local! {
    /// Whether this thread is in a callback of interception. Without a destructor: callbacks come late.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a callback of interception, where no function of the driver may be called.
pub(crate) fn is_in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Runs `work` as a callback of interception.
pub(crate) fn in_callback<R>(work: impl FnOnce() -> R) -> R {
    IN_CALLBACK.set(true);
    let result = work();
    IN_CALLBACK.set(false);
    result
}
