//! What tracked allocations report, unless interception sees the driver's calls itself.
//!
//! Which of the two records a call of the driver that a wrapper makes, is decided once, when the wrapper's [`WrapperCall`]
//! begins. Wrapper and callback are on the same thread and both ask [`is_intercepted`], so they agree also where
//! interception begins or ends in the midst of the call: it is recorded once.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use memprof_core::__allocator::{self, Released};
use memprof_core::Space;

use crate::intercept;

/// Whether interception records what the driver does; then wrappers record nothing.
static INTERCEPTED: AtomicBool = AtomicBool::new(false);

/// Calls of wrappers that leave the recording to interception. While there are any, it stays subscribed.
static LEFT_TO_INTERCEPTION: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// In a wrapper's call: whether interception records it. Without a destructor: blocks are freed late.
    static IN_CALL: Cell<Option<bool>> = const { Cell::new(None) };
    /// How many failures interception has counted on this thread.
    static FAILURES_SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Whether interception records what the driver does for this thread now.
pub(crate) fn is_intercepted() -> bool {
    IN_CALL.get().unwrap_or_else(|| INTERCEPTED.load(Ordering::SeqCst))
}

/// Interception begins or ends.
pub(crate) fn set_intercepted(intercepted: bool) {
    INTERCEPTED.store(intercepted, Ordering::SeqCst);
}

/// Whether calls are under way that count on interception.
pub(crate) fn is_counted_on() -> bool {
    LEFT_TO_INTERCEPTION.load(Ordering::SeqCst) > 0
}

/// A wrapper's call, from before the driver's until it is recorded.
#[must_use]
pub(crate) struct WrapperCall {
    before: Option<bool>,
}

impl WrapperCall {
    /// Within another call, this one is part of it.
    pub(crate) fn begin() -> Self {
        let before = IN_CALL.get();
        if before.is_none() {
            IN_CALL.set(Some(is_intercepted() && leave_to_interception()));
        }
        Self { before }
    }

    /// What the program does in the midst of a call is no part of it.
    pub(crate) fn outside<R>(work: impl FnOnce() -> R) -> R {
        let _call = Self { before: IN_CALL.replace(None) };
        work()
    }
}

impl Drop for WrapperCall {
    fn drop(&mut self) {
        if IN_CALL.replace(self.before) == Some(true) && self.before.is_none() {
            counts_no_longer();
        }
    }
}

/// Counts on interception, unless it has ended.
fn leave_to_interception() -> bool {
    LEFT_TO_INTERCEPTION.fetch_add(1, Ordering::SeqCst);
    // Ending, interception clears the one and then looks at the other: one of the two sees what the other did.
    let intercepted = INTERCEPTED.load(Ordering::SeqCst);
    if !intercepted {
        counts_no_longer();
    }
    intercepted
}

fn counts_no_longer() {
    if LEFT_TO_INTERCEPTION.fetch_sub(1, Ordering::SeqCst) == 1 && !INTERCEPTED.load(Ordering::SeqCst) {
        intercept::end();
    }
}

/// The driver has allocated: call it after the driver's call succeeded.
pub(crate) fn allocated(space: Space, address: u64, bytes: u64) {
    if !is_intercepted() {
        memprof_core::record_alloc(space, address, bytes);
    }
}

/// A block of 0 bytes for which there is only the null pointer: recorded by the wrapper also while interception is on,
/// which sees no block in it. Gives the address by which the books know it, one that no allocator hands out.
pub(crate) fn null_allocated(space: Space) -> u64 {
    static USED: AtomicU64 = AtomicU64::new(0);
    let address = !USED.fetch_add(1, Ordering::Relaxed);
    memprof_core::record_alloc(space, address, 0);
    address
}

/// Such a block is about to be freed; see [`released`].
pub(crate) fn null_released(space: Space, address: u64) -> Option<Released> {
    __allocator::release(space, address)
}

/// Tries to allocate, and counts a failure: also one that never reached the driver, so that interception has not seen it.
pub(crate) fn attempt<T, E>(space: Space, bytes: u64, attempt: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let before = FAILURES_SEEN.get();
    attempt().inspect_err(|_| {
        if !is_intercepted() || FAILURES_SEEN.get() == before {
            memprof_core::record_alloc_failure(space, bytes);
        }
    })
}

/// Interception sees that the driver could not allocate.
pub(crate) fn failure_seen(space: Space, bytes: u64) {
    FAILURES_SEEN.set(FAILURES_SEEN.get().wrapping_add(1));
    memprof_core::record_alloc_failure(space, bytes);
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
