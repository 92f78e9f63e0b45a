//! What tracked allocations report, unless interception sees the driver's calls itself.
//!
//! Interception records the driver's memory, in the spaces of devices, `managed` and `pinned`. Which of the two records a
//! call there that a wrapper makes, is decided once, when the wrapper's [`WrapperCall`] begins. Wrapper and callback are
//! on the same thread and both ask [`is_intercepted`], so they agree also where interception begins or ends in the midst
//! of the call: it is recorded once. What a resource reports in any other space, it records itself either way.
//!
//! A block is taken off the books by who put it there. A wrapper knows what it recorded itself; what interception recorded
//! goes when the driver frees it, which interception sees, or after its end who makes that call: [`released_unseen`].

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use memprof_core::__allocator::{self, Released};
use memprof_core::Space;

use crate::{intercept, spaces};

mod call;

pub(crate) use self::call::{Reporting, WrapperCall};

/// Whether interception records what the driver does; then wrappers leave that to it.
static INTERCEPTED: AtomicBool = AtomicBool::new(false);

/// Calls of wrappers that leave the recording to interception. While there are any, it stays subscribed.
static LEFT_TO_INTERCEPTION: AtomicUsize = AtomicUsize::new(0);

/// Whether interception records what the driver does for this thread now.
pub(crate) fn is_intercepted() -> bool {
    call::current().map_or_else(|| INTERCEPTED.load(Ordering::SeqCst), |call| call.intercepted)
}

/// Whether interception records what is allocated in this space, for this thread now.
pub(crate) fn is_left_to_interception(space: Space) -> bool {
    is_intercepted() && spaces::is_of_the_driver(space)
}

/// Interception begins or ends.
pub(crate) fn set_intercepted(intercepted: bool) {
    INTERCEPTED.store(intercepted, Ordering::SeqCst);
}

/// Whether calls are under way that count on interception.
pub(crate) fn is_counted_on() -> bool {
    LEFT_TO_INTERCEPTION.load(Ordering::SeqCst) > 0
}

/// Counts on interception, unless it is off or has ended.
fn leave_to_interception() -> bool {
    if !INTERCEPTED.load(Ordering::SeqCst) {
        return false;
    }
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
    if !is_left_to_interception(space) {
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
    let before = failures_seen();
    attempt().inspect_err(|_| failed(space, bytes, before))
}

/// An allocation has failed and will be tried again: whoever reports around it does not see that failure. `before`: the
/// [`failures_seen`] before it was tried.
pub(crate) fn retried(bytes: u64, before: u64) {
    Reporting::for_each(|space| failed(space, bytes, before));
}

fn failed(space: Space, bytes: u64, before: u64) {
    if !is_left_to_interception(space) || failures_seen() == before {
        memprof_core::record_alloc_failure(space, bytes);
    }
}

/// How many failures interception has counted in the call that this thread is in.
pub(crate) fn failures_seen() -> u64 {
    call::current().map_or(0, |call| call.failures_seen)
}

/// Interception sees that the driver could not allocate.
pub(crate) fn failure_seen(space: Space, bytes: u64) {
    call::note(|call| call.failures_seen += 1);
    memprof_core::record_alloc_failure(space, bytes);
}

/// Interception has recorded a block at this address.
pub(crate) fn block_seen(address: u64, bytes: u64) {
    call::note(|call| call.block_seen = Some((address, bytes)));
}

/// Whether interception has recorded exactly this block in the call that this thread is in, and nobody below
/// [`tells_of_free`].
pub(crate) fn has_to_tell_of_free(address: u64, bytes: u64) -> bool {
    call::current().is_some_and(|call| call.block_seen == Some((address, bytes)))
}

/// Whoever has just allocated from the driver calls [`released_unseen`] when it frees that: nobody above has to.
pub(crate) fn tells_of_free() {
    call::note(|call| call.block_seen = None);
}

/// Frees what a wrapper has on its books: no free of the driver's in it is of an unknown block.
pub(crate) fn freeing_known<R>(work: impl FnOnce() -> R) -> R {
    let before = frees_known();
    call::note(|call| call.frees_known = true);
    let done = work();
    call::note(|call| call.frees_known = before);
    done
}

/// Whether what this thread frees is on the books of a wrapper.
pub(crate) fn frees_known() -> bool {
    call::current().is_some_and(|call| call.frees_known)
}

/// The driver is about to free: call it before, and [`Released::restore`] on the result if the driver refuses.
pub(crate) fn released(space: Space, address: u64) -> Option<Released> {
    if is_left_to_interception(space) { None } else { __allocator::release(space, address) }
}

/// The driver is about to free, in a [`WrapperCall`]: takes off the books what interception recorded at this address, if
/// it does not see this call. Call [`Freed::restore`](intercept::Freed::restore) on the result if the driver refuses.
pub(crate) fn released_unseen(address: u64) -> Option<intercept::Freed> {
    if is_intercepted() { None } else { intercept::freed_unseen(address) }
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
