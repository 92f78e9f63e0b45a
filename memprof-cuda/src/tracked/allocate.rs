//! What every tracked allocation has around it.
//!
//! The tracked types allocate through this, all of them, so failures are counted, answered and said alike, and an error
//! that waits in a context is met as cudarc meets it. That an allocation succeeded is recorded by the type, which knows
//! the address.

use std::sync::Arc;

use cudarc::driver::{CudaContext, DriverError, sys::CUresult};
use memprof_core::{Space, record_alloc_failure};

use crate::error::Error;
use crate::{oom, waiting};

/// The bytes of `len` elements. As many as an address space holds, or more, is memory that does not suffice, in every
/// space, and nothing that anybody could free would help; cudarc panics at so many pinned ones.
pub(super) fn bytes_of<T>(space: Space, len: usize) -> Result<u64, Error> {
    let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes < isize::MAX.unsigned_abs());
    bytes.map(|bytes| bytes as u64).ok_or_else(|| {
        record_alloc_failure(space, (len as u64).saturating_mul(size_of::<T>() as u64));
        let attempted = format!("allocate {len} values of {} bytes in {space}", size_of::<T>());
        Error::call(attempted, DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY))
    })
}

/// That this context can be current on this thread; an error that waits in it is said here, as cudarc does.
pub(super) fn bind(context: &CudaContext, space: Space) -> Result<(), Error> {
    context.bind_to_thread().map_err(|error| Error::call(format!("allocate in {space}"), error))
}

/// Allocates by `attempt`, in this context. A failure is counted; where memory does not suffice, the program's callback
/// of [`on_out_of_memory`](crate::on_out_of_memory) is asked and who holds it reported. An error that came to wait in the context since
/// [`bind`], as of a free in that callback, waits on: it stops no attempt.
pub(super) fn allocate<A>(
    space: Space,
    bytes: u64,
    context: &Arc<CudaContext>,
    mut attempt: impl FnMut() -> Result<A, DriverError>,
) -> Result<A, Error> {
    oom::retrying(space, bytes, Some(context), || {
        waiting::keeping(context, &mut attempt)
            .map_err(|error| Error::call(format!("allocate {bytes} bytes of {space}"), error))
    })
}
