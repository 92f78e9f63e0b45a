//! Memory that moves between host and devices.
//!
//! It keeps nothing and records nothing. The driver frees such memory at once, so the stream is waited for before; the
//! rest is left to [`call`].

#![expect(unsafe_code, reason = "calls of the CUDA driver")]

use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::result;
use cudarc::driver::sys::{CUdeviceptr, CUmemAttach_flags};
use memprof_core::Space;

use super::call;
use super::memory::DeviceMemory;
use crate::error::Error;

/// Managed (unified) memory by `cuMemAllocManaged`, for all streams: the driver moves it to where it is used. Counted
/// in the space `managed`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ManagedMemory;

impl DeviceMemory for ManagedMemory {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        call::allocate(bytes, Space::MANAGED, stream, || {
            // SAFETY: nothing here reads the memory before it is written.
            unsafe { result::malloc_managed(bytes, CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL) }
        })
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        call::deallocate(pointer, bytes, Space::MANAGED, stream, || {
            call::finish(stream);
            // SAFETY: nobody uses the memory afterwards, says the caller; a pointer that the driver did not give
            // is refused by it.
            unsafe { result::memory_free(pointer) }
        })
    }

    fn space(&self, _stream: &CudaStream) -> Space {
        Space::MANAGED
    }
}
