//! A callback when memory does not suffice.
//!
//! The callback runs outside of the call that failed, so what it frees is recorded as any other free. How often it is
//! asked has no bound here, unlike that of [`oom`](crate::oom): that is the callback's own promise, as in RMM. A
//! failure that is tried again is counted through [`events`].

#![expect(unsafe_code, reason = "passes on the promise of whoever frees")]

use std::fmt;
use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::Space;

use super::memory::DeviceMemory;
use crate::error::Error;
use crate::events::{self, WrapperCall};

/// Asks `callback(bytes)` when `upstream` has not enough memory: `true` has the allocation tried again, `false` lets
/// it fail.
///
/// For spilling on demand: a callback frees something and returns `true`. It is called as often as it does so, for as
/// long as memory does not suffice: one that never returns `false` must free something each time. It runs on the
/// allocating thread; it may allocate here, and a panic of it is the caller's. Errors other than
/// [`Error::is_out_of_memory`] pass without it. A failure that is tried again is counted in `failed`, as the last one is:
/// where a [`Tracked`](super::Tracked) is around this, or the process is [intercepted](crate::intercept()).
pub struct FailureCallback<R, F> {
    upstream: R,
    callback: F,
}

impl<R, F: Fn(usize) -> bool + Send + Sync> FailureCallback<R, F> {
    /// Allocates from `upstream`, and asks `callback` where that has not enough.
    pub fn new(upstream: R, callback: F) -> Self {
        Self { upstream, callback }
    }

    /// What this allocates from.
    pub fn upstream(&self) -> &R {
        &self.upstream
    }
}

impl<R: DeviceMemory, F: Fn(usize) -> bool + Send + Sync> DeviceMemory for FailureCallback<R, F> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        loop {
            let before = events::failures_seen();
            match self.upstream.allocate(bytes, stream) {
                Err(error) if error.is_out_of_memory() && WrapperCall::outside(|| (self.callback)(bytes)) => {
                    events::retried(bytes as u64, before);
                }
                outcome => return outcome,
            }
        }
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        // SAFETY: the caller's promises are upstream's.
        unsafe { self.upstream.deallocate(pointer, bytes, stream) }
    }

    fn space(&self, stream: &CudaStream) -> Space {
        self.upstream.space(stream)
    }

    fn alignment(&self) -> usize {
        self.upstream.alignment()
    }
}

impl<R: fmt::Debug, F> fmt::Debug for FailureCallback<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureCallback").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
