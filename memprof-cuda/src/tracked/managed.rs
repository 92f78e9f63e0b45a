//! Managed memory that memprof knows.
//!
//! cudarc allocates and frees it, so its own waiting and its errors stay as they are; whether a free worked is seen
//! from the context, which is left to [`free`]. The address is looked up without noting a use.

#![expect(unsafe_code, reason = "cudarc's host slices and kernel arguments")]

use std::mem::ManuallyDrop;
use std::ops::DerefMut;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{CudaContext, DevicePtr as _, DeviceRepr, DeviceSlice as _, UnifiedSlice};
use memprof_core::Space;

use super::allocate::{allocate, bind, bytes_of};
use super::free;
use crate::error::Error;
use crate::{events, reconcile, waiting};

/// A [`UnifiedSlice`] whose bytes stand in the space `managed`, under who allocated it.
///
/// It comes from [`TrackedStream::managed`](super::TrackedStream::managed) or
/// [`TrackedContext::alloc_unified`](super::TrackedContext::alloc_unified), derefs to cudarc's slice, and is accepted
/// wherever cudarc takes one. Once its context has a second stream, `as_slice` and the drop wait for its uses; with the one stream that it
/// begins with, cudarc notes none, and a program waits for the stream itself before it reads. Whether the driver freed is seen from the error
/// that cudarc leaves in the context, so a second thread with an error of its own at that very moment may blur it.
pub struct TrackedUnifiedSlice<T> {
    slice: ManuallyDrop<UnifiedSlice<T>>,
}

/// Allocates and records.
pub(super) unsafe fn alloc<T: DeviceRepr>(
    context: &Arc<CudaContext>,
    len: usize,
    attach_global: bool,
) -> Result<TrackedUnifiedSlice<T>, Error> {
    let bytes = bytes_of::<T>(Space::MANAGED, len)?;
    bind(context, Space::MANAGED)?;
    let _call = events::WrapperCall::begin();
    let slice = allocate(Space::MANAGED, bytes, context, || {
        // cudarc makes the event once it has the memory, which it loses where that fails.
        drop(context.new_event(Some(sys::CUevent_flags::CU_EVENT_BLOCKING_SYNC))?);
        // SAFETY: the caller sets the memory.
        unsafe { context.alloc_unified(len, attach_global) }
    })?;
    match address(&slice) {
        0 => {}
        address => events::allocated(Space::MANAGED, address, bytes),
    }
    reconcile::allocated(context, None);
    Ok(TrackedUnifiedSlice { slice: ManuallyDrop::new(slice) })
}

impl<T> TrackedUnifiedSlice<T> {
    /// cudarc's slice, off the books from here on: recorded as a free in the scope that is open here.
    pub fn into_inner(self) -> UnifiedSlice<T> {
        let mut parts = ManuallyDrop::new(self);
        // Dropped: the free stands.
        drop(free::released(Space::MANAGED, address(&parts.slice)));
        // SAFETY: `parts` is not used again, and never dropped.
        unsafe { ManuallyDrop::take(&mut parts.slice) }
    }
}

impl<T> Drop for TrackedUnifiedSlice<T> {
    fn drop(&mut self) {
        let context = Arc::clone(self.slice.stream().context());
        let address = address(&self.slice);
        free::drop_watched(&context, Space::MANAGED, address, || {
            // SAFETY: it is being dropped, so nobody uses the field again.
            unsafe { ManuallyDrop::drop(&mut self.slice) };
        });
    }
}

impl<T> DerefMut for TrackedUnifiedSlice<T> {
    fn deref_mut(&mut self) -> &mut UnifiedSlice<T> {
        &mut self.slice
    }
}

device_memory!(TrackedUnifiedSlice);
host_memory!(TrackedUnifiedSlice, UnifiedSlice);

/// The address of a slice that nothing is done with: no use is noted, and whether its stream may use it now, which
/// cudarc leaves in the context as an error, does not matter.
fn address<T>(slice: &UnifiedSlice<T>) -> CUdeviceptr {
    let stream = slice.stream();
    let context = stream.context();
    waiting::keeping(context, || {
        // What the look-up will leave. Any other error is another thread's, and stays.
        let own = slice.check_device_access(stream);
        let (address, not_a_use) = slice.device_ptr(stream);
        let _ = ManuallyDrop::new(not_a_use);
        let left = context.check_err();
        context.record_err(if left == own { Ok(()) } else { left });
        address
    })
}
