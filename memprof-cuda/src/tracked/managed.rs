//! Managed memory that memprof knows.

#![expect(unsafe_code, reason = "cudarc's host slices and kernel arguments")]

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{
    CudaContext, CudaStream, DevicePtr, DevicePtrMut, DeviceRepr, DeviceSlice, HostSlice, LaunchArgs, PushKernelArg,
    SyncOnDrop, UnifiedSlice,
};
use memprof_core::Space;

use super::{allocate, bind, bytes_of, free};
use crate::{Error, events, reconcile};

/// A [`UnifiedSlice`] whose bytes stand in the space `managed`, under who allocated it.
///
/// It comes from [`TrackedStream::managed`](super::TrackedStream::managed) or
/// [`TrackedContext::alloc_unified`](super::TrackedContext::alloc_unified), derefs to cudarc's slice, and is accepted
/// wherever cudarc takes one. Its drop waits for its uses and frees; whether the driver did is seen from the error that
/// cudarc leaves in the context, so a second thread with an error of its own at that very moment may blur it.
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
    reconcile::allocated(context);
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

impl<T> Deref for TrackedUnifiedSlice<T> {
    type Target = UnifiedSlice<T>;

    fn deref(&self) -> &UnifiedSlice<T> {
        &self.slice
    }
}

impl<T> DerefMut for TrackedUnifiedSlice<T> {
    fn deref_mut(&mut self) -> &mut UnifiedSlice<T> {
        &mut self.slice
    }
}

impl<T> std::fmt::Debug for TrackedUnifiedSlice<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackedUnifiedSlice").field("len", &self.slice.len()).finish_non_exhaustive()
    }
}

impl<T> DeviceSlice<T> for TrackedUnifiedSlice<T> {
    fn len(&self) -> usize {
        self.slice.len()
    }

    fn stream(&self) -> &Arc<CudaStream> {
        self.slice.stream()
    }
}

impl<T> DevicePtr<T> for TrackedUnifiedSlice<T> {
    fn device_ptr<'a>(&'a self, stream: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        self.slice.device_ptr(stream)
    }
}

impl<T> DevicePtrMut<T> for TrackedUnifiedSlice<T> {
    fn device_ptr_mut<'a>(&'a mut self, stream: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        self.slice.device_ptr_mut(stream)
    }
}

impl<T> HostSlice<T> for TrackedUnifiedSlice<T> {
    fn len(&self) -> usize {
        self.slice.len()
    }

    unsafe fn stream_synced_slice<'a>(&'a self, stream: &'a CudaStream) -> (&'a [T], SyncOnDrop<'a>) {
        // SAFETY: the caller's promise.
        unsafe { self.slice.stream_synced_slice(stream) }
    }

    unsafe fn stream_synced_mut_slice<'a>(&'a mut self, stream: &'a CudaStream) -> (&'a mut [T], SyncOnDrop<'a>) {
        // SAFETY: the caller's promise.
        unsafe { self.slice.stream_synced_mut_slice(stream) }
    }
}

// SAFETY: pushes what cudarc pushes for the slice in here, which lives as long as the borrow.
unsafe impl<'a, 'b: 'a, T> PushKernelArg<&'b TrackedUnifiedSlice<T>> for LaunchArgs<'a> {
    #[inline(always)]
    fn arg(&mut self, arg: &'b TrackedUnifiedSlice<T>) -> &mut Self {
        self.arg(&*arg.slice)
    }
}

// SAFETY: as above.
unsafe impl<'a, 'b: 'a, T> PushKernelArg<&'b mut TrackedUnifiedSlice<T>> for LaunchArgs<'a> {
    #[inline(always)]
    fn arg(&mut self, arg: &'b mut TrackedUnifiedSlice<T>) -> &mut Self {
        self.arg(&mut *arg.slice)
    }
}

/// The address of a slice that nothing is done with: no use is noted, and whether its stream may use it now, which
/// cudarc would leave in the context as an error, does not matter.
fn address<T>(slice: &UnifiedSlice<T>) -> CUdeviceptr {
    let stream = slice.stream();
    let context = stream.context();
    let earlier = context.check_err();
    let (address, not_a_use) = slice.device_ptr(stream);
    let _ = ManuallyDrop::new(not_a_use);
    // What the look-up alone left.
    let _ = context.check_err();
    context.record_err(earlier);
    address
}
