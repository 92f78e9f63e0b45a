//! The driver's memory pool.
//!
//! It keeps nothing and records nothing. Freeing is in the order of the stream, so nothing is waited for; where a
//! device has no pools cudarc is not called, as it panics at a function that the driver lacks. The rest is left to
//! [`call`].

#![expect(unsafe_code, reason = "calls of the CUDA driver")]

use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{CUdeviceptr, CUresult};

use super::call;
use super::memory::DeviceMemory;
use crate::error::Error;

/// Device memory from the device's current memory pool, by `cuMemAllocAsync`: in the order of the stream, without
/// waiting for it.
///
/// The pool keeps what is freed, as its release threshold says. Where the device has no pools, allocating is an error
/// with the code `CUDA_ERROR_NOT_SUPPORTED`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaAsyncMemory;

impl DeviceMemory for CudaAsyncMemory {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        call::allocate(bytes, self.space(stream), stream, || {
            supported(stream)?;
            // SAFETY: a stream that cudarc holds open; nothing here reads the memory before it is written.
            unsafe { result::malloc_async(stream.cu_stream(), bytes) }
        })
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        call::deallocate(pointer, bytes, self.space(stream), stream, || {
            supported(stream)?;
            // SAFETY: nobody uses the memory afterwards but in the order of the stream, says the caller; a pointer
            // that the driver did not give is refused by it.
            unsafe { result::free_async(pointer, stream.cu_stream()) }
        })
    }
}

/// A driver without pools may lack the function, and cudarc panics where one is missing.
fn supported(stream: &CudaStream) -> Result<(), DriverError> {
    if stream.context().has_async_alloc() { Ok(()) } else { Err(DriverError(CUresult::CUDA_ERROR_NOT_SUPPORTED)) }
}
