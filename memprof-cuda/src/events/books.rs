//! What wrappers and interception record, each its own part.
//!
//! It goes to the recorder at once, and nothing is kept here: of each event is decided whether it is this caller's to
//! record. An allocation is recorded after the driver's call, a free before it and taken back if the driver refuses, a
//! failure once, whichever of the two has seen it. Which of them records a call is left to [`call`], what interception
//! sees to `intercept`.

use std::sync::atomic::{AtomicU64, Ordering};

use memprof_core::__allocator::{self, Released};
use memprof_core::Space;

use super::call::{self, Reporting, is_intercepted};
use crate::spaces;

/// Whether interception records what is allocated in this space, for this thread now.
pub(crate) fn is_left_to_interception(space: Space) -> bool {
    is_intercepted() && spaces::is_of_the_driver(space)
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

/// Whoever has just allocated from the driver calls [`released_unseen`](crate::intercept::released_unseen) when it frees that: nobody above has to.
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
