//! Where a program starts: a context, with an error where cudarc panics, and interception where the environment asks
//! for it.
//!
//! Nothing here panics where there is no driver, no device or no function: cudarc is called once that is known not to
//! be so. Interception that the environment asks for is installed once a process, before a context is made here, or a
//! stream, a context or a resource is tracked; where it cannot be, a line on stderr says why and the program goes on.

use std::sync::{Arc, Once};

use cudarc::driver::{CudaContext, result, sys::CUresult};
use memprof_core::__allocator;

use crate::error::{Error, Kind};
use crate::{driver, intercept, reconcile};

/// A context of the device with this index, counted from 0: [`CudaContext::new`] with an error in place of a panic.
///
/// This is where to start: the device then stands in every snapshot with what its driver says of its memory, and with
/// `MEMPROF=1 MEMPROF_CUDA=intercept` the first call installs the [interception](crate::intercept()) of all allocations
/// in the process, if nothing was tracked before. It costs what cudarc's own call does, and some microseconds more.
///
/// # Errors
///
/// There is no driver ([`is_no_driver`](Error::is_no_driver)): none can be loaded, which names were searched, or which
/// function it lacks. It does not start, there is no such device, or it refuses the context: what it said.
///
/// ```no_run
/// use memprof_cuda::TrackedExt as _;
///
/// let stream = memprof_cuda::context(0)?.default_stream().tracked();
/// let zeros = stream.alloc_zeros::<f32>(1024)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn context(ordinal: usize) -> Result<Arc<CudaContext>, Error> {
    driver::library()?;
    let none = |count| Error::new(Kind::NoDevice { ordinal, count });
    match result::init() {
        Err(error) if error.0 == CUresult::CUDA_ERROR_NO_DEVICE => return Err(none(0)),
        started => started.map_err(|error| Error::call("start the CUDA driver (cuInit)", error))?,
    }
    let count = result::device::get_count().map_err(|error| Error::call("count the CUDA devices", error))?;
    let count = usize::try_from(count).unwrap_or(0);
    if ordinal >= count {
        return Err(none(count));
    }
    intercept_if_asked();
    let context = CudaContext::new(ordinal)
        .map_err(|error| Error::call(format!("create a context on CUDA device {ordinal}"), error))?;
    reconcile::watch(&context);
    Ok(context)
}

/// Installs interception, once, where the environment asks for it.
pub(crate) fn intercept_if_asked() {
    static ONCE: Once = Once::new();
    ONCE.call_once_force(|_| {
        if __allocator::cuda_setting() {
            intercept::install_from_environment();
        }
    });
}
