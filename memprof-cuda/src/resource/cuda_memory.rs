//! The driver's plain memory.
//!
//! It keeps nothing and records nothing, as all four of the driver's. The driver frees such memory at once, so the
//! stream is waited for before; zero bytes, null and what stands around a call are left to [`call`].

#![expect(unsafe_code, reason = "calls of the CUDA driver")]

use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::result;
use cudarc::driver::sys::CUdeviceptr;

use super::call;
use super::memory::DeviceMemory;
use crate::error::Error;

/// Device memory by `cuMemAlloc`: every event is a call of the driver that waits for the device.
///
/// For few, long-lived blocks, and where the device has no memory pools; [`CudaAsyncMemory`](super::CudaAsyncMemory)
/// otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaMemory;

impl DeviceMemory for CudaMemory {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        call::allocate(bytes, self.space(stream), stream, || {
            // SAFETY: nothing here reads the memory before it is written.
            unsafe { result::malloc_sync(bytes) }
        })
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        call::deallocate(pointer, bytes, self.space(stream), stream, || {
            call::finish(stream);
            // SAFETY: nobody uses the memory afterwards, says the caller; a pointer that the driver did not give
            // is refused by it.
            unsafe { result::free_sync(pointer) }
        })
    }
}
