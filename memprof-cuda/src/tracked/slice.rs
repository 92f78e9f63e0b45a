//! Device memory that memprof knows.
//!
//! The books know it by the address that the slice inside has when it goes, so swapping two tracked slices swaps what
//! is freed. No bytes are a block too: where the driver gives the null pointer, under an address that nobody hands out.
//! How it is freed is left to [`free`], what stands around an allocation to `allocate`.

#![expect(unsafe_code, reason = "the driver's memory, and cudarc's kernel arguments")]

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr, DeviceSlice, DriverError, result};
use memprof_core::Space;

use super::allocate::{allocate, bind, bytes_of};
use super::free;
use crate::error::Error;
use crate::{events, pools, reconcile, spaces, waiting};

/// A [`CudaSlice`] whose bytes stand in the space of its device, `cuda:0`, under who allocated it.
///
/// It comes from a [`TrackedStream`](super::TrackedStream), derefs to the slice, and is accepted wherever cudarc takes one: copies, memsets,
/// kernel arguments, views, and everything else that is generic over [`DevicePtr`] and [`DevicePtrMut`](cudarc::driver::DevicePtrMut). A function
/// that asks for a `&CudaSlice` gets one through the deref.
///
/// Its drop does what the slice's drop does, on any thread: the free is recorded, the stream waits for readers and
/// writers, and the driver frees. An error goes to the context, as with cudarc, and if the driver refused, the block
/// is live as before. Memory of the device's pools, which is where cudarc takes it from if the device has any, belongs to no
/// context: if its context is destroyed or reset before the slice is dropped, the driver refuses the free, and the memory is a
/// leak, on the books as in the device. Plain memory that the driver has released with its context is off the books when its
/// slice is dropped, unless the context has come to life again by then: the driver then refuses an address that it does not
/// know, and the block stays on the books until its address is given out anew.
///
/// Not followed: what is swapped for an untracked slice through [`DerefMut`] (`mem::replace(&mut *tracked, plain)`) is
/// cudarc's to free, so its bytes stay on the books; two tracked slices can be swapped. A slice of no bytes is a block of
/// 0 bytes, also where the driver gives the null pointer for it.
pub struct TrackedSlice<T> {
    slice: ManuallyDrop<CudaSlice<T>>,
    space: Space,
    ordinal: usize,
    /// Where the books have a block of no bytes that came with the null pointer; 0 for none.
    null: u64,
    /// Whether the memory was there before: it may be of another kind than what cudarc allocates.
    adopted: bool,
}

impl<T> TrackedSlice<T> {
    /// What the driver has just allocated.
    pub(super) fn allocated(slice: CudaSlice<T>, space: Space) -> Self {
        let null = match address(&slice) {
            0 => events::null_allocated(space),
            address => {
                events::allocated(space, address, slice.num_bytes() as u64);
                0
            }
        };
        reconcile::allocated(slice.context(), Some(slice.stream()));
        Self::known(slice, space, null)
    }

    /// Memory that may be on the books already.
    pub(super) fn adopted(slice: CudaSlice<T>, space: Space) -> Self {
        let mut adopted = match free::released(space, address(&slice)) {
            Some(known) => {
                known.restore();
                Self::known(slice, space, 0)
            }
            None => Self::allocated(slice, space),
        };
        adopted.adopted = true;
        adopted
    }

    fn known(slice: CudaSlice<T>, space: Space, null: u64) -> Self {
        Self { ordinal: slice.ordinal(), slice: ManuallyDrop::new(slice), space, null, adopted: false }
    }

    /// cudarc's slice, off the books from here on: recorded as a free in the scope that is open here.
    pub fn into_inner(self) -> CudaSlice<T> {
        let (slice, space) = self.into_parts();
        // Dropped: the free stands.
        drop(free::released(space, address(&slice)));
        slice
    }

    /// The address, which the caller frees; see [`CudaSlice::leak`]. It stays on the books, so that a leak is seen:
    /// [`TrackedStream::upgrade_device_ptr`](super::TrackedStream::upgrade_device_ptr) takes it up again. The null
    /// pointer is no address, and off the books.
    pub fn leak(self) -> CUdeviceptr {
        self.into_parts().0.leak()
    }

    fn into_parts(self) -> (CudaSlice<T>, Space) {
        let mut parts = ManuallyDrop::new(self);
        let space = parts.space();
        // Dropped: the free stands.
        drop(events::null_released(parts.space, parts.null));
        pools::freed(address(&parts.slice));
        // SAFETY: `parts` is not used again, and never dropped.
        (unsafe { ManuallyDrop::take(&mut parts.slice) }, space)
    }

    /// The space of the slice that is in here now.
    fn space(&self) -> Space {
        if self.slice.ordinal() == self.ordinal { self.space } else { spaces::of_context(self.slice.context()) }
    }
}

impl<T: DeviceRepr> TrackedSlice<T> {
    /// A copy on the same stream; see [`CudaSlice::try_clone`].
    ///
    /// # Errors
    ///
    /// As [`TrackedStream::alloc`](super::TrackedStream::alloc).
    pub fn try_clone(&self) -> Result<Self, Error> {
        let stream = self.slice.stream();
        // SAFETY: set on the next line.
        let mut clone = unsafe { alloc(stream, self.space(), self.slice.len()) }?;
        copied(self.slice.len(), stream.memcpy_dtod(self, &mut clone))?;
        Ok(clone)
    }
}

impl<T: DeviceRepr> Clone for TrackedSlice<T> {
    /// # Panics
    ///
    /// As cudarc's: if the driver cannot allocate or copy. [`try_clone`](Self::try_clone) gives the error.
    #[expect(clippy::expect_used, reason = "cudarc's own contract; there is no way to give the error")]
    fn clone(&self) -> Self {
        self.try_clone().expect("a device slice is cloned")
    }
}

/// Takes a slice of cudarc's onto the books, as if it had been allocated here; nothing changes for one that is known.
impl<T> From<CudaSlice<T>> for TrackedSlice<T> {
    fn from(slice: CudaSlice<T>) -> Self {
        let space = spaces::of_context(slice.context());
        Self::adopted(slice, space)
    }
}

impl<T: Clone + Default + DeviceRepr> TryFrom<TrackedSlice<T>> for Vec<T> {
    type Error = DriverError;

    fn try_from(slice: TrackedSlice<T>) -> Result<Self, DriverError> {
        slice.stream().clone_dtoh(&slice)
    }
}

impl<T> Drop for TrackedSlice<T> {
    fn drop(&mut self) {
        let (space, null) = (self.space(), events::null_released(self.space, self.null));
        // SAFETY: it is being dropped, so nobody uses the field again.
        free::free_slice(unsafe { ManuallyDrop::take(&mut self.slice) }, space, null, self.adopted);
    }
}

impl<T> Deref for TrackedSlice<T> {
    type Target = CudaSlice<T>;

    fn deref(&self) -> &CudaSlice<T> {
        &self.slice
    }
}

impl<T> DerefMut for TrackedSlice<T> {
    fn deref_mut(&mut self) -> &mut CudaSlice<T> {
        &mut self.slice
    }
}

impl<T> std::fmt::Debug for TrackedSlice<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackedSlice")
            .field("space", &self.space())
            .field("len", &self.slice.len())
            .finish_non_exhaustive()
    }
}

device_memory!(TrackedSlice);

/// See [`TrackedStream::alloc`](super::TrackedStream::alloc).
pub(super) unsafe fn alloc<T: DeviceRepr>(
    stream: &Arc<CudaStream>,
    space: Space,
    len: usize,
) -> Result<TrackedSlice<T>, Error> {
    let bytes = bytes_of::<T>(space, len)?;
    bind(stream.context(), space)?;
    let _call = events::WrapperCall::begin();
    let slice = allocate(space, bytes, stream.context(), || {
        // The callback that asks for another try may have changed which one is current.
        waiting::make_current(stream.context())?;
        let address = if stream.context().has_async_alloc() {
            // SAFETY: the stream is alive.
            unsafe { result::malloc_async(stream.cu_stream(), bytes as usize) }
        } else {
            // SAFETY: a context is current.
            unsafe { result::malloc_sync(bytes as usize) }
        }?;
        // SAFETY: allocated just now on this stream, for nobody else.
        unsafe { waiting::adopt(stream, address, len) }.inspect_err(|_| free::unused(stream, address))
    })?;
    Ok(TrackedSlice::allocated(slice, space))
}

/// What a copy of so many values on the device came to.
pub(super) fn copied(len: usize, outcome: Result<(), DriverError>) -> Result<(), Error> {
    outcome.map_err(|error| Error::call(format!("copy {len} values on the device"), error))
}

/// The address of a slice that nothing is done with: no read is noted.
fn address<T>(slice: &CudaSlice<T>) -> CUdeviceptr {
    let (address, not_a_read) = slice.device_ptr(slice.stream());
    let _ = ManuallyDrop::new(not_a_read);
    address
}
