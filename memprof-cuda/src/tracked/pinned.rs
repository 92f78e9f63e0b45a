//! Pinned host memory that memprof knows.
//!
//! cudarc allocates and frees it, as with [`managed`](super::managed). The address is taken once, when nothing uses the
//! memory yet, so a drop waits for no more than cudarc's does. For no bytes the driver is asked first whether it gives
//! an address, since cudarc panics at a null pointer.

#![expect(unsafe_code, reason = "the driver's memory, and cudarc's host slices")]

use std::mem::ManuallyDrop;
use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaStream, DeviceRepr, DriverError, HostSlice as _, PinnedHostSlice, ValidAsZeroBits, result};
use memprof_core::Space;

use super::allocate::{allocate, bind, bytes_of};
use super::free;
use crate::error::Error;
use crate::{events, reconcile};

/// A [`PinnedHostSlice`] whose bytes stand in the space `pinned`, under who allocated it.
///
/// It comes from [`TrackedStream::pinned`](super::TrackedStream::pinned) or
/// [`TrackedContext::alloc_pinned`](super::TrackedContext::alloc_pinned), derefs to cudarc's slice, and is copied from
/// and to as that is: once its context has a second stream, cudarc notes those copies, and `as_slice` and the drop wait for them; with the
/// one stream that it begins with it notes none, and a program waits for the stream itself before it reads. Whether the driver freed is seen
/// from the error that cudarc leaves in the context, so a second thread with an error of its own at that very moment may blur it.
pub struct TrackedPinnedSlice<T> {
    /// Never lent out mutably, so that it is what `address` says.
    slice: ManuallyDrop<PinnedHostSlice<T>>,
    address: u64,
}

/// Allocates, records, and has `stream` find the address: it waits for nothing.
pub(super) unsafe fn alloc<T: DeviceRepr>(
    stream: &Arc<CudaStream>,
    len: usize,
    flags: u32,
) -> Result<TrackedPinnedSlice<T>, Error> {
    let bytes = bytes_of::<T>(Space::PINNED, len)?;
    let context = stream.context();
    bind(context, Space::PINNED)?;
    let _call = events::WrapperCall::begin();
    let slice = allocate(Space::PINNED, bytes, context, || {
        if bytes == 0 {
            events::unrecorded(|| has_an_address(flags))?;
        }
        // SAFETY: the caller sets the memory.
        unsafe { context.alloc_pinned_with_flags::<T>(len, flags) }
    })?;
    // SAFETY: only the address is taken, of memory that nothing uses yet.
    let (elements, not_a_use) = unsafe { slice.stream_synced_slice(stream) };
    let address = elements.as_ptr().addr() as u64;
    let _ = ManuallyDrop::new(not_a_use);
    events::allocated(Space::PINNED, address, bytes);
    reconcile::allocated(context, Some(stream));
    Ok(TrackedPinnedSlice { slice: ManuallyDrop::new(slice), address })
}

/// That the driver gives an address for no bytes: cudarc panics at the null pointer, which the driver's documentation leaves open.
/// Where it gives none, that is refused as an invalid number of bytes, as other drivers do.
fn has_an_address(flags: u32) -> Result<(), DriverError> {
    // SAFETY: freed below, and used by nobody.
    let address = unsafe { result::malloc_host(0, flags) }?;
    if address.is_null() {
        return Err(DriverError(CUresult::CUDA_ERROR_INVALID_VALUE));
    }
    // SAFETY: allocated above.
    unsafe { result::free_host(address) }
}

impl<T> TrackedPinnedSlice<T> {
    /// cudarc's slice, off the books from here on: recorded as a free in the scope that is open here.
    pub fn into_inner(self) -> PinnedHostSlice<T> {
        let mut parts = ManuallyDrop::new(self);
        // Dropped: the free stands.
        drop(free::released(Space::PINNED, parts.address));
        // SAFETY: `parts` is not used again, and never dropped.
        unsafe { ManuallyDrop::take(&mut parts.slice) }
    }
}

impl<T: ValidAsZeroBits> TrackedPinnedSlice<T> {
    /// See [`PinnedHostSlice::as_mut_ptr`].
    ///
    /// # Errors
    ///
    /// The driver's, of the copies that it waits for.
    pub fn as_mut_ptr(&mut self) -> Result<*mut T, DriverError> {
        self.slice.as_mut_ptr()
    }

    /// See [`PinnedHostSlice::as_mut_slice`].
    ///
    /// # Errors
    ///
    /// The driver's, of the copies that it waits for.
    pub fn as_mut_slice(&mut self) -> Result<&mut [T], DriverError> {
        self.slice.as_mut_slice()
    }
}

impl<T> Drop for TrackedPinnedSlice<T> {
    fn drop(&mut self) {
        let context = Arc::clone(self.slice.context());
        free::drop_watched(&context, Space::PINNED, self.address, || {
            // SAFETY: it is being dropped, so nobody uses the field again.
            unsafe { ManuallyDrop::drop(&mut self.slice) };
        });
    }
}

host_memory!(TrackedPinnedSlice, PinnedHostSlice);
