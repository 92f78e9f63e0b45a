//! Typed device memory from any resource.
//!
//! A cudarc slice is inside, whose drop never runs: the memory goes back to the resource that it came from, once, also
//! where making the buffer fails half-way. Into a slice of cudarc's, which the driver frees, only a buffer of the
//! driver's own resources can turn, so no adaptor's books are passed by. Counting and limits are left to the resource.

#![expect(unsafe_code, reason = "device memory by its address")]

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, RangeBounds};
use std::sync::Arc;

use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{
    CudaSlice, CudaStream, CudaViewMut, DevicePtr, DevicePtrMut, DeviceRepr, DeviceSlice, DriverError, LaunchArgs,
    PushKernelArg, SyncOnDrop, ValidAsZeroBits,
};

use super::cuda_async_memory::CudaAsyncMemory;
use super::cuda_memory::CudaMemory;
use super::memory::DeviceMemory;
use crate::error::Error;
use crate::waiting;

/// `len` values of `T` on a device, from the resource `R`, to which they go back when this is dropped.
///
/// Accepted wherever cudarc takes a slice: copies, `memset_zeros`, kernel arguments, the libraries. It derefs to
/// [`CudaSlice`] for reading (a clone made through that is cudarc's own, from the driver), and keeps cudarc's order of
/// streams: freeing waits for what uses the memory. `R` may be a
/// resource, a reference to one, or an `Arc`.
///
/// A free that fails when this is dropped is kept by cudarc for the context's next call; [`free`](Self::free) gives it at
/// once.
pub struct DeviceBuffer<T, R: DeviceMemory> {
    /// Its pointer came from `resource`, with [`DeviceSlice::num_bytes`] bytes. Never dropped as such, for that would
    /// call the driver: it is taken out where the buffer ends, and only there.
    slice: ManuallyDrop<CudaSlice<T>>,
    resource: R,
}

/// A resource whose blocks are the driver's own, in its plain or its pooled memory: a [`DeviceBuffer`] of it can become
/// a [`CudaSlice`], whose drop calls the driver. No other resource is one: its books would never hear of the free.
///
/// ```
/// use cudarc::driver::CudaSlice;
/// use memprof_cuda::resource::{CudaMemory, DeviceBuffer, Limiting};
///
/// fn from_the_driver(buffer: DeviceBuffer<f32, CudaMemory>) -> CudaSlice<f32> {
///     buffer.into_slice()
/// }
/// ```
///
/// ```compile_fail,E0599
/// # use cudarc::driver::CudaSlice;
/// # use memprof_cuda::resource::{CudaMemory, DeviceBuffer, Limiting};
/// fn from_books(buffer: DeviceBuffer<f32, Limiting<CudaMemory>>) -> CudaSlice<f32> {
///     buffer.into_slice()
/// }
/// ```
pub trait DriverBacked: DeviceMemory + sealed::Sealed {}

mod sealed {
    /// Keeps [`DriverBacked`](super::DriverBacked) to the resources of this module.
    pub trait Sealed {}
}

macro_rules! driver_backed {
    ($($resource:ty),+; $($pointer:ty),+) => {
        $(impl sealed::Sealed for $resource {} impl DriverBacked for $resource {})+
        $(impl<R: DriverBacked> sealed::Sealed for $pointer {} impl<R: DriverBacked> DriverBacked for $pointer {})+
    };
}

driver_backed!(CudaMemory, CudaAsyncMemory; &R, Arc<R>, Box<R>);

impl<T: DeviceRepr, R: DeviceMemory> DeviceBuffer<T, R> {
    /// `len` values with whatever the memory holds.
    ///
    /// # Errors
    ///
    /// What the resource says; [`Error::is_out_of_memory`] also where `len` values are more than an address space
    /// holds. No resource is asked for so many, so no `failed` counts that; a [`TrackedStream`](crate::TrackedStream)
    /// counts its own.
    ///
    /// # Safety
    ///
    /// - The values are written before they are read, or any bytes are a `T`.
    pub unsafe fn uninit(resource: R, len: usize, stream: &Arc<CudaStream>) -> Result<Self, Error> {
        let impossible = || Error::limit(format!("allocate {len} values of {} bytes", size_of::<T>()));
        let bytes = len.checked_mul(size_of::<T>()).ok_or_else(impossible)?;
        let space = resource.space(stream);
        if align_of::<T>() > resource.alignment() {
            let (needs, has) = (align_of::<T>(), resource.alignment());
            return Err(Error::invalid(format!(
                "cannot align to {needs} bytes in {space}: its resource aligns to {has}"
            )));
        }
        // An error that waits in the context is said here, as cudarc does; one that comes later waits on.
        stream.context().bind_to_thread().map_err(|error| Error::call(format!("allocate in {space}"), error))?;
        let pointer = resource.allocate(bytes, stream)?;
        // SAFETY: the resource gave `bytes` bytes there; what they hold is the caller's to answer for.
        match unsafe { waiting::adopt(stream, pointer, len) } {
            Ok(slice) => Ok(Self { slice: ManuallyDrop::new(slice), resource }),
            Err(error) => {
                // SAFETY: nobody has used it.
                unsafe { resource.deallocate(pointer, bytes, stream) }?;
                Err(Error::call(format!("make the events of {bytes} bytes of {space}"), error))
            }
        }
    }

    /// `len` values that are all zero bytes; they are set in the order of the stream.
    ///
    /// # Errors
    ///
    /// What the resource or the driver says.
    pub fn zeros(resource: R, len: usize, stream: &Arc<CudaStream>) -> Result<Self, Error>
    where
        T: ValidAsZeroBits,
    {
        // SAFETY: written below, before anybody gets it.
        let mut buffer = unsafe { Self::uninit(resource, len, stream) }?;
        if !buffer.is_empty() {
            stream.memset_zeros(&mut buffer).map_err(|error| Error::call(format!("set {len} values to 0"), error))?;
        }
        Ok(buffer)
    }

    /// A copy of the host's `values`, made in the order of the stream.
    ///
    /// # Errors
    ///
    /// What the resource or the driver says.
    pub fn from_host(resource: R, values: &[T], stream: &Arc<CudaStream>) -> Result<Self, Error> {
        let len = values.len();
        // SAFETY: written below, before anybody gets it.
        let mut buffer = unsafe { Self::uninit(resource, len, stream) }?;
        if len > 0 {
            let attempted = || format!("copy {len} values to the device");
            stream.memcpy_htod(values, &mut buffer).map_err(|error| Error::call(attempted(), error))?;
        }
        Ok(buffer)
    }
}

impl<T, R: DeviceMemory> DeviceBuffer<T, R> {
    /// The resource that the memory came from.
    pub fn resource(&self) -> &R {
        &self.resource
    }

    /// Gives the memory back to the resource now.
    ///
    /// # Errors
    ///
    /// The resource refuses: the memory stays allocated, and counted.
    pub fn free(self) -> Result<(), Error> {
        let (slice, resource) = self.into_parts();
        give_back(slice, &resource)
    }

    fn into_parts(self) -> (CudaSlice<T>, R) {
        let mut ended = ManuallyDrop::new(self);
        // SAFETY: the buffer ends here, without its drop: nobody takes the slice again.
        let slice = unsafe { ManuallyDrop::take(&mut ended.slice) };
        // SAFETY: likewise, the resource is read once and not dropped with the buffer.
        let resource = unsafe { std::ptr::read(&raw const ended.resource) };
        (slice, resource)
    }

    /// Every value, to be written.
    pub fn as_view_mut(&mut self) -> CudaViewMut<'_, T> {
        self.slice.as_view_mut()
    }

    /// The values in `bounds`, to be written; `None` past the end.
    pub fn try_slice_mut(&mut self, bounds: impl RangeBounds<usize>) -> Option<CudaViewMut<'_, T>> {
        self.slice.try_slice_mut(bounds)
    }
}

/// Gives a slice's memory to the resource that it came from; what uses it on other streams is waited for by its own.
fn give_back<T, R: DeviceMemory>(slice: CudaSlice<T>, resource: &R) -> Result<(), Error> {
    let (bytes, stream) = (slice.num_bytes(), Arc::clone(slice.stream()));
    let pointer = slice.leak();
    // SAFETY: the pointer and bytes that the resource gave, of a buffer that has ended; the stream is the one of the
    // allocation, and `leak` had it wait for the events of all uses.
    unsafe { resource.deallocate(pointer, bytes, &stream) }
}

impl<T, R: DriverBacked> DeviceBuffer<T, R> {
    /// The memory as a slice of cudarc's, which frees it through the driver.
    pub fn into_slice(self) -> CudaSlice<T> {
        let (slice, _resource) = self.into_parts();
        if slice.is_empty()
            && let Ok(null) = slice.stream().null()
        {
            // A null pointer that the driver knows about, if it can make one: it is asked to free it.
            slice.leak();
            return null;
        }
        slice
    }
}

impl<T, R: DriverBacked> From<DeviceBuffer<T, R>> for CudaSlice<T> {
    fn from(buffer: DeviceBuffer<T, R>) -> Self {
        buffer.into_slice()
    }
}

impl<T, R: DeviceMemory> Drop for DeviceBuffer<T, R> {
    fn drop(&mut self) {
        let context = Arc::clone(self.slice.context());
        // SAFETY: the buffer ends here: nobody takes the slice again.
        let slice = unsafe { ManuallyDrop::take(&mut self.slice) };
        if let Err(error) = give_back(slice, &self.resource)
            && let Some(code) = error.code()
        {
            context.record_err::<()>(Err(DriverError(code)));
        }
    }
}

impl<T, R: DeviceMemory> Deref for DeviceBuffer<T, R> {
    type Target = CudaSlice<T>;

    fn deref(&self) -> &CudaSlice<T> {
        &self.slice
    }
}

impl<T, R: DeviceMemory> DeviceSlice<T> for DeviceBuffer<T, R> {
    fn len(&self) -> usize {
        self.slice.len()
    }

    fn stream(&self) -> &Arc<CudaStream> {
        self.slice.stream()
    }
}

impl<T, R: DeviceMemory> DevicePtr<T> for DeviceBuffer<T, R> {
    fn device_ptr<'a>(&'a self, stream: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        self.slice.device_ptr(stream)
    }
}

impl<T, R: DeviceMemory> DevicePtrMut<T> for DeviceBuffer<T, R> {
    fn device_ptr_mut<'a>(&'a mut self, stream: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        self.slice.device_ptr_mut(stream)
    }
}

// SAFETY: the argument is that of the slice inside, which lives as long as the buffer is borrowed.
unsafe impl<'a, 'b: 'a, T, R: DeviceMemory> PushKernelArg<&'b DeviceBuffer<T, R>> for LaunchArgs<'a> {
    fn arg(&mut self, argument: &'b DeviceBuffer<T, R>) -> &mut Self {
        self.arg(&*argument.slice)
    }
}

// SAFETY: the argument is that of the slice inside, which lives as long as the buffer is borrowed.
unsafe impl<'a, 'b: 'a, T, R: DeviceMemory> PushKernelArg<&'b mut DeviceBuffer<T, R>> for LaunchArgs<'a> {
    fn arg(&mut self, argument: &'b mut DeviceBuffer<T, R>) -> &mut Self {
        self.arg(&mut *argument.slice)
    }
}

impl<T, R: DeviceMemory> fmt::Debug for DeviceBuffer<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuffer").field("len", &self.slice.len()).finish_non_exhaustive()
    }
}
