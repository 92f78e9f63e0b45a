//! Composable device resources: where device memory comes from, as a value.
//!
//! A resource is a [`DeviceMemory`]: it allocates and frees bytes on a stream. Four come straight from the driver
//! ([`CudaMemory`], [`CudaAsyncMemory`], [`ManagedMemory`], [`PinnedHostMemory`]); the others wrap any resource and add
//! one thing, in RMM's words:
//!
//! | adaptor | what it adds |
//! |---|---|
//! | [`Tracked`] | reports to memprof, answers when memory runs out |
//! | [`Limiting`] | a hard limit in bytes |
//! | [`Logging`] | RMM's CSV of every event |
//! | [`FailureCallback`] | a callback that frees something and has the allocation tried again |
//! | [`Aligned`] | a greater alignment |
//!
//! A [`DeviceBuffer`] is typed memory from any resource, for use wherever cudarc takes a slice.
//!
//! ```no_run
//! use memprof_cuda::resource::{CudaAsyncMemory, DeviceBuffer, Limiting, Tracked};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stream = memprof_cuda::context(0)?.default_stream();
//! let resource = Tracked::new(Limiting::new(CudaAsyncMemory, 1 << 30));
//! let prices = DeviceBuffer::from_host(&resource, &[1.0_f32, 2.0], &stream)?;
//! assert_eq!(resource.allocated_bytes(), 8);
//! assert_eq!(stream.clone_dtoh(&prices)?, [1.0, 2.0]);
//! # Ok(())
//! # }
//! ```
//!
//! # Zero bytes, null and wrong frees
//!
//! Zero bytes are a null pointer, without a call of the driver; freeing null with 0 bytes does nothing. Through
//! [`Tracked`] they are a block of 0 bytes. Null with other
//! bytes is an error. What the driver refuses to free (a foreign pointer, one freed before) is an error, and the books
//! of every adaptor above are as before the call. An adaptor that keeps books uses the bytes that it handed out, also
//! where a free names others.

#![expect(unsafe_code, reason = "freeing needs a promise of the caller; forwarding it passes that on")]

use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::Space;

use crate::{Error, spaces};

mod aligned;
mod buffer;
mod call;
mod cuda_async_memory;
mod cuda_memory;
mod failure_callback;
mod ledger;
mod limiting;
mod logging;
mod managed_memory;
mod pinned_host_memory;
mod tracked;

pub use aligned::Aligned;
pub use buffer::{DeviceBuffer, DriverBacked};
pub use cuda_async_memory::CudaAsyncMemory;
pub use cuda_memory::CudaMemory;
pub use failure_callback::FailureCallback;
pub use limiting::Limiting;
pub use logging::Logging;
pub use managed_memory::ManagedMemory;
pub use pinned_host_memory::PinnedHostMemory;
pub use tracked::{Allocation, Tracked};

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
