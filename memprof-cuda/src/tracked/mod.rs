//! Tracked allocations: cudarc's own types, and the books beside them.
//!
//! [`TrackedExt::tracked`] makes a [`TrackedStream`] of a stream, whose allocating methods shadow cudarc's, with the
//! same names and arguments, and give a [`TrackedSlice`]. That derefs to cudarc's slice and is accepted wherever cudarc
//! takes one. Their [`Error`] says who holds the memory where it does not suffice, and becomes cudarc's in a `?`. An allocation is recorded after the driver made it, a free before the driver takes it
//! back, under the address that the inner slice then has; a free that the driver refuses is taken back.
//!
//! What cudarc does with a slice, that it waits for readers and writers before the free and keeps errors of a drop in
//! the context, happens here as there.

mod context;
mod free;
mod managed;
mod mapping;
mod pinned;
mod slice;
mod stream;

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, DriverError, sys::CUresult};
use memprof_core::{Space, record_alloc_failure};

pub use self::context::TrackedContext;
pub use self::managed::TrackedUnifiedSlice;
pub use self::mapping::TrackedMapping;
pub use self::pinned::TrackedPinnedSlice;
pub use self::slice::TrackedSlice;
pub use self::stream::TrackedStream;
use crate::{Error, driver, oom};

/// The one word: `stream.tracked()` allocates as `stream` does, and memprof knows by whom.
///
/// ```no_run
/// use memprof_cuda::TrackedExt as _;
///
/// let stream = memprof_cuda::context(0)?.default_stream().tracked();
/// let ones = stream.clone_htod(&[1.0_f32; 1024])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait TrackedExt {
    /// What tracks it.
    type Tracked;

    /// The same stream or context, with allocations that memprof knows. Costs a lock; keep the result.
    fn tracked(&self) -> Self::Tracked;
}

impl TrackedExt for Arc<CudaStream> {
    type Tracked = TrackedStream;

    fn tracked(&self) -> TrackedStream {
        driver::intercept_if_asked();
        TrackedStream::new(Self::clone(self))
    }
}

impl TrackedExt for Arc<CudaContext> {
    type Tracked = TrackedContext;

    fn tracked(&self) -> TrackedContext {
        driver::intercept_if_asked();
        TrackedContext::new(Self::clone(self))
    }
}

/// The bytes of `len` elements. As many as an address space holds, or more, is memory that does not suffice, in every
/// space, and nothing that anybody could free would help; cudarc panics at so many pinned ones.
fn bytes_of<T>(space: Space, len: usize) -> Result<u64, Error> {
    let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes < isize::MAX.unsigned_abs());
    bytes.map(|bytes| bytes as u64).ok_or_else(|| {
        record_alloc_failure(space, (len as u64).saturating_mul(size_of::<T>() as u64));
        let attempted = format!("allocate {len} values of {} bytes in {space}", size_of::<T>());
        Error::call(attempted, DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY))
    })
}

/// That this context can be current on this thread; an error that waits in it is said here, as cudarc does.
fn bind(context: &CudaContext, space: Space) -> Result<(), Error> {
    context.bind_to_thread().map_err(|error| Error::call(format!("allocate in {space}"), error))
}

/// Allocates by `attempt`, in this context. A failure is counted; where memory does not suffice, the program's callback
/// of [`on_out_of_memory`](crate::on_out_of_memory) is asked and who holds it reported.
fn allocate<A>(
    space: Space,
    bytes: u64,
    context: &Arc<CudaContext>,
    mut attempt: impl FnMut() -> Result<A, DriverError>,
) -> Result<A, Error> {
    oom::retrying(space, bytes, Some(context), || {
        attempt().map_err(|error| Error::call(format!("allocate {bytes} bytes of {space}"), error))
    })
}
