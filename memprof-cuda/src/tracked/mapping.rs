//! Memory of the driver's virtual memory management that memprof knows.
//!
//! Created, mapped and made accessible in one go, or nothing is left behind. It belongs to no context and is known to
//! the books by its physical memory's handle, as interception knows it, so it is recorded once, as requested and
//! rounded up.

#![expect(
    unsafe_code,
    reason = "the driver's functions for virtual memory are called directly, as cudarc has no others"
)]

use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{CudaContext, CudaSlice, CudaStream, CudaView, CudaViewMut, DeviceRepr, DriverError};
use memprof_core::Space;

use super::allocate::allocate;
use super::free;
use crate::error::Error;
use crate::{driver, events, reconcile, spaces, waiting};

const FUNCTIONS: &[&str] = &[
    "cuMemGetAllocationGranularity",
    "cuMemAddressReserve",
    "cuMemAddressFree",
    "cuMemCreate",
    "cuMemRelease",
    "cuMemMap",
    "cuMemUnmap",
    "cuMemSetAccess",
];

/// Device memory that is created and mapped at an address range of its own (`cuMemAddressReserve`, `cuMemCreate`,
/// `cuMemMap`, `cuMemSetAccess`), and goes back in the reverse order when it is dropped.
///
/// It comes from [`TrackedStream::map`](super::TrackedStream::map). The driver hands out such memory in multiples of a
/// granularity, commonly 2 MiB; what is asked of it, and so recorded, is `len` elements rounded up to that:
/// [`mapped_bytes`](Self::mapped_bytes).
///
/// It is passed wherever cudarc takes device memory, and its views are cudarc's.
pub struct TrackedMapping<T> {
    /// Carries the address and the events of its uses; never dropped, as its drop would free.
    slice: ManuallyDrop<CudaSlice<T>>,
    physical: Physical,
    space: Space,
}

/// What backs a mapping.
#[derive(Clone, Copy)]
struct Physical {
    handle: sys::CUmemGenericAllocationHandle,
    bytes: usize,
}

impl Physical {
    /// What the books know it by.
    fn key(self) -> u64 {
        spaces::physical(self.handle)
    }
}

impl<T: DeviceRepr> TrackedMapping<T> {
    /// Maps `len` elements of `bytes` bytes in all.
    ///
    /// # Safety
    ///
    /// The memory is unset. The context of the stream is current on this thread.
    pub(super) unsafe fn new(stream: &Arc<CudaStream>, space: Space, bytes: u64, len: usize) -> Result<Self, Error> {
        driver::require(FUNCTIONS)?;
        if bytes == 0 {
            return Err(Error::invalid("cannot map 0 bytes: the driver maps whole pages"));
        }
        let properties = properties(stream.context());
        let granularity =
            granularity(&properties).map_err(|error| Error::call("ask for the granularity of mapped memory", error))?;
        let rounded = usize::try_from(bytes).ok().and_then(|bytes| bytes.checked_next_multiple_of(granularity));
        let rounded = rounded.ok_or_else(|| Error::invalid(format!("cannot map {bytes} bytes on {space}")))?;
        let _call = events::WrapperCall::begin();
        let (slice, physical) = allocate(space, rounded as u64, stream.context(), || {
            let (address, physical) = reserve(&properties, rounded)?;
            // SAFETY: mapped just now with at least these bytes; the caller sets the memory.
            let slice = unsafe { waiting::adopt(stream, address, len) };
            slice.map(|slice| (slice, physical)).inspect_err(|_| {
                let undone = unmap(address, rounded).and_then(|()| release(physical.handle));
                stream.context().record_err(undone.and_then(|()| free_range(address, rounded)));
            })
        })?;
        events::allocated(space, physical.key(), rounded as u64);
        reconcile::allocated(stream.context(), Some(stream));
        Ok(Self { slice: ManuallyDrop::new(slice), physical, space })
    }
}

impl<T> TrackedMapping<T> {
    /// What is mapped and recorded: the elements' bytes, rounded up to the driver's granularity.
    pub fn mapped_bytes(&self) -> usize {
        self.physical.bytes
    }

    /// All elements; see [`CudaSlice::as_view`].
    pub fn as_view(&self) -> CudaView<'_, T> {
        self.slice.as_view()
    }

    /// All elements, to write; see [`CudaSlice::as_view_mut`].
    pub fn as_view_mut(&mut self) -> CudaViewMut<'_, T> {
        self.slice.as_view_mut()
    }
}

impl<T> Drop for TrackedMapping<T> {
    fn drop(&mut self) {
        let stream = Arc::clone(self.slice.stream());
        let context = stream.context();
        waiting::keeping(context, || {
            context.record_err(context.bind_to_thread());
            // SAFETY: it is being dropped, so nobody uses the field again.
            let slice = unsafe { ManuallyDrop::take(&mut self.slice) };
            // Its stream waits for what reads and writes it, and this thread for the stream: unmapping waits for nobody.
            let address = slice.leak();
            context.record_err(stream.synchronize());
            let _call = events::WrapperCall::begin();
            let released = free::released(self.space, self.physical.key());
            let freed = unmap(address, self.physical.bytes).and_then(|()| release(self.physical.handle));
            // It belongs to no context, so it is still there unless the driver is gone.
            if let (Some(released), Err(error)) = (released, freed)
                && error.0 != sys::CUresult::CUDA_ERROR_DEINITIALIZED
            {
                released.restore();
            }
            if freed.is_ok() {
                context.record_err(free_range(address, self.physical.bytes));
            }
            context.record_err(freed);
        });
        reconcile::freed(context, Some(&stream), Arc::strong_count(&stream) == 1 && Arc::strong_count(context) == 1);
    }
}

impl<T> std::fmt::Debug for TrackedMapping<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackedMapping")
            .field("space", &self.space)
            .field("mapped_bytes", &self.physical.bytes)
            .finish_non_exhaustive()
    }
}

device_memory!(TrackedMapping);

/// Reserves a range and backs it; nothing is left behind by a failure.
fn reserve(properties: &sys::CUmemAllocationProp, bytes: usize) -> Result<(CUdeviceptr, Physical), DriverError> {
    let mut address = 0;
    // SAFETY: the place is written before the call returns; the driver picks alignment and address.
    unsafe { sys::cuMemAddressReserve(&raw mut address, bytes, 0, 0, 0) }.result()?;
    match create(properties, address, bytes) {
        Ok(handle) => Ok((address, Physical { handle, bytes })),
        Err(error) => {
            let _ = free_range(address, bytes);
            Err(error)
        }
    }
}

fn create(
    properties: &sys::CUmemAllocationProp,
    address: CUdeviceptr,
    bytes: usize,
) -> Result<sys::CUmemGenericAllocationHandle, DriverError> {
    let mut handle = 0;
    // SAFETY: the place is written before the call returns.
    unsafe { sys::cuMemCreate(&raw mut handle, bytes, properties, 0) }.result()?;
    match map(properties, address, bytes, handle) {
        Ok(()) => Ok(handle),
        Err(error) => {
            let _ = release(handle);
            Err(error)
        }
    }
}

fn map(
    properties: &sys::CUmemAllocationProp,
    address: CUdeviceptr,
    bytes: usize,
    handle: sys::CUmemGenericAllocationHandle,
) -> Result<(), DriverError> {
    // SAFETY: the range is reserved and the handle created, both with these bytes.
    unsafe { sys::cuMemMap(address, bytes, 0, handle, 0) }.result()?;
    let access = sys::CUmemAccessDesc {
        location: properties.location,
        flags: sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
    };
    // SAFETY: the range is mapped; one description is passed.
    let set = unsafe { sys::cuMemSetAccess(address, bytes, &raw const access, 1) }.result();
    if set.is_err() {
        let _ = unmap(address, bytes);
    }
    set
}

fn unmap(address: CUdeviceptr, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: the caller has mapped this range, and nothing uses it any more.
    unsafe { sys::cuMemUnmap(address, bytes) }.result()
}

fn release(handle: sys::CUmemGenericAllocationHandle) -> Result<(), DriverError> {
    // SAFETY: the caller owns the handle, and its mapping is gone.
    unsafe { sys::cuMemRelease(handle) }.result()
}

fn free_range(address: CUdeviceptr, bytes: usize) -> Result<(), DriverError> {
    // SAFETY: the caller has reserved this range, and nothing is mapped there.
    unsafe { sys::cuMemAddressFree(address, bytes) }.result()
}

/// Memory on the device of this context.
fn properties(context: &CudaContext) -> sys::CUmemAllocationProp {
    // SAFETY: a plain C structure, of which every bit pattern of zeros is a value.
    let mut properties: sys::CUmemAllocationProp = unsafe { MaybeUninit::zeroed().assume_init() };
    properties.type_ = sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
    // What comes after the type is the device, under a name that depends on the version of CUDA.
    const { assert!(size_of::<sys::CUmemLocation>() == size_of::<[i32; 2]>()) };
    let location = [sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE as i32, context.cu_device()];
    // SAFETY: two 32-bit numbers in C's layout, the first of them a valid type.
    unsafe { (&raw mut properties.location).cast::<[i32; 2]>().write(location) };
    properties
}

fn granularity(properties: &sys::CUmemAllocationProp) -> Result<usize, DriverError> {
    let mut bytes = 0;
    let minimum = sys::CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM;
    // SAFETY: the place is written before the call returns.
    unsafe { sys::cuMemGetAllocationGranularity(&raw mut bytes, properties, minimum) }.result()?;
    Ok(bytes.max(1))
}
