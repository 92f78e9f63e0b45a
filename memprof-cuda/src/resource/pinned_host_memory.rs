//! Page-locked host memory.
//!
//! It keeps nothing and records nothing. The host's address is handed out as the device's, which it is under unified
//! addressing; a free waits for the stream. The rest is left to [`call`].

#![expect(unsafe_code, reason = "calls of the CUDA driver")]

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::result;
use cudarc::driver::sys::{CU_MEMHOSTALLOC_PORTABLE, CUdeviceptr};
use memprof_core::Space;

use super::call;
use super::memory::DeviceMemory;
use crate::error::Error;

/// Page-locked host memory by `cuMemHostAlloc`, which devices reach at the same address (unified addressing). Counted
/// in the space `pinned`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PinnedHostMemory;

impl DeviceMemory for PinnedHostMemory {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        call::allocate(bytes, Space::PINNED, stream, || {
            // SAFETY: nothing here reads the memory before it is written.
            let pointer = unsafe { result::malloc_host(bytes, CU_MEMHOSTALLOC_PORTABLE) };
            pointer.map(|pointer| pointer.expose_provenance() as CUdeviceptr)
        })
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        call::deallocate(pointer, bytes, Space::PINNED, stream, || {
            call::finish(stream);
            let pointer: *mut c_void = std::ptr::with_exposed_provenance_mut(pointer as usize);
            // SAFETY: not null, and nobody uses the memory afterwards, says the caller; a pointer that the driver did
            // not give is refused by it.
            unsafe { result::free_host(pointer) }
        })
    }

    fn space(&self, _stream: &CudaStream) -> Space {
        Space::PINNED
    }
}
