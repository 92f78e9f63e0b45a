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

mod memory;

mod call;
mod ledger;

mod cuda_async_memory;
mod cuda_memory;
mod managed_memory;
mod pinned_host_memory;

mod aligned;
mod failure_callback;
mod limiting;
mod logging;
mod tracked;

mod buffer;

pub use aligned::Aligned;
pub use buffer::{DeviceBuffer, DriverBacked};
pub use cuda_async_memory::CudaAsyncMemory;
pub use cuda_memory::CudaMemory;
pub use failure_callback::FailureCallback;
pub use limiting::Limiting;
pub use logging::Logging;
pub use managed_memory::ManagedMemory;
pub use memory::{ALLOCATION_ALIGNMENT, DeviceMemory};
pub use pinned_host_memory::PinnedHostMemory;
pub use tracked::{Allocation, Tracked};
