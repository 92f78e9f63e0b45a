//! What a resource is.
//!
//! The contract stands at the methods of [`DeviceMemory`], and for zero bytes, null and refused frees in the head of
//! [`resource`](super). All of this folder that implements it is held to it by one test,
//! `tests/resource_conformance.rs`. It records nothing: that is what [`Tracked`](super::Tracked) adds.

#![expect(unsafe_code, reason = "freeing needs a promise of the caller; forwarding it passes that on")]

use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::Space;

use crate::error::Error;
use crate::spaces;

/// The alignment, in bytes, of every pointer that the CUDA driver hands out.
pub const ALLOCATION_ALIGNMENT: usize = 256;

/// Where device memory comes from: bytes, allocated and freed on a stream.
///
/// A shared reference, an `Arc` and a `Box` of a resource are resources too, so that several owners share one.
/// Implement it for an allocator of your own; everything here then works over it.
pub trait DeviceMemory: Send + Sync {
    /// Allocates `bytes` bytes, to be used on `stream` or on what waits for it. 0 bytes may be a null pointer. The
    /// memory is not initialised.
    ///
    /// # Errors
    ///
    /// [`Error::is_out_of_memory`] where the memory does not suffice, on the device or under a limit; otherwise what
    /// the driver said.
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error>;

    /// Frees what [`allocate`](Self::allocate) gave, once what was queued on `stream` before is done.
    ///
    /// # Errors
    ///
    /// The driver refuses, or the pointer is null and `bytes` is not 0. Nothing was freed then, and an adaptor's
    /// books are as before the call.
    ///
    /// # Safety
    ///
    /// - Nobody uses the memory afterwards, and what uses it on other streams is done or `stream` waits for it.
    /// - `stream` is one of the device that the memory was allocated for.
    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error>;

    /// The space in which memprof counts what is allocated on `stream`. Unless a resource says otherwise, that of the
    /// stream's device, `cuda:N`.
    fn space(&self, stream: &CudaStream) -> Space {
        spaces::of_context(stream.context())
    }

    /// The alignment, in bytes, of every pointer that this hands out: a power of two.
    fn alignment(&self) -> usize {
        ALLOCATION_ALIGNMENT
    }
}

/// Forwards every method to what a pointer points to.
macro_rules! forward {
    ($($pointer:ty),+) => {$(
        impl<R: DeviceMemory + ?Sized> DeviceMemory for $pointer {
            fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
                (**self).allocate(bytes, stream)
            }

            unsafe fn deallocate(
                &self,
                pointer: CUdeviceptr,
                bytes: usize,
                stream: &Arc<CudaStream>,
            ) -> Result<(), Error> {
                // SAFETY: the caller's promises are those of the inner resource.
                unsafe { (**self).deallocate(pointer, bytes, stream) }
            }

            fn space(&self, stream: &CudaStream) -> Space {
                (**self).space(stream)
            }

            fn alignment(&self) -> usize {
                (**self).alignment()
            }
        }
    )+};
}

forward!(&R, Arc<R>, Box<R>);
