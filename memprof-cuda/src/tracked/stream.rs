//! A stream whose allocations memprof knows.
//!
//! Its methods shadow cudarc's and take the same arguments; all else is cudarc's stream, through the deref, and what is
//! allocated through that is not seen. Here is which memory is asked for; that it is recorded is left to
//! [`TrackedSlice`] and its kin, that a device is asked when its last stream ends to [`Watch`].

#![expect(unsafe_code, reason = "cudarc's methods that give unset memory are unsafe, and so are these")]

use std::ops::Deref;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr, CUstreamCaptureMode};
use cudarc::driver::{CudaStream, DevicePtr, DeviceRepr, DriverError, HostSlice, ValidAsZeroBits, result};
use memprof_core::Space;

use super::allocate::{allocate, bind, bytes_of};
use super::free;
use super::managed::{self, TrackedUnifiedSlice};
use super::mapping::TrackedMapping;
use super::pinned::{self, TrackedPinnedSlice};
use super::slice::{TrackedSlice, alloc, copied};
use crate::error::Error;
use crate::reconcile::Watch;
use crate::{captures, driver, events, pools, spaces, waiting};

/// A [`CudaStream`] whose allocations memprof knows: what [`TrackedExt::tracked`](super::TrackedExt::tracked) gives.
///
/// It derefs to `Arc<CudaStream>`, so everything that a stream does, it does. The methods below that carry cudarc's
/// names take the same arguments, and give a [`TrackedSlice`] where cudarc gives a slice. Each costs less than a
/// microsecond over cudarc's; every 10 ms at most, one of them also asks the driver what the device has in use, some
/// 50 µs. Those that allocate give an [`Error`]: it has the driver's word in its
/// [`code`](Error::code), becomes cudarc's [`DriverError`] in a `?`, and where memory did not suffice its text says who
/// holds it.
///
/// Not seen: what is allocated from the stream underneath, as by `slice.stream().alloc(..)`, by a library that is
/// given the `Arc<CudaStream>`. That is what [interception](crate::intercept()) is for. What a launched graph allocates nobody
/// sees: a slice that is allocated while this stream is captured counts from then until it is freed, as if it had its
/// memory; under interception it does not count.
#[derive(Clone, Debug)]
pub struct TrackedStream {
    /// Before the stream, which it needs while it ends.
    _watch: Watch,
    stream: Arc<CudaStream>,
    space: Space,
}

impl TrackedStream {
    pub(super) fn new(stream: Arc<CudaStream>) -> Self {
        let space = spaces::of_context(stream.context());
        Self { _watch: Watch::new(stream.context()), stream, space }
    }

    /// The space of what it allocates.
    pub fn space(&self) -> Space {
        self.space
    }

    /// See [`CudaStream::null`].
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn null<T>(&self) -> Result<TrackedSlice<T>, Error> {
        bind(self.stream.context(), self.space)?;
        let _call = events::WrapperCall::begin();
        let slice = allocate(self.space, 0, self.stream.context(), || self.stream.null())?;
        Ok(TrackedSlice::allocated(slice, self.space))
    }

    /// See [`CudaStream::alloc`]. More elements than an address space holds are `CUDA_ERROR_OUT_OF_MEMORY`.
    ///
    /// # Errors
    ///
    /// What was attempted, and the driver's word. It is counted in `failed`, unless it was waiting in the context
    /// already. Where memory does not suffice ([`is_out_of_memory`](Error::is_out_of_memory)), the text of the first
    /// failure of a burst goes on with who holds it; stderr says it too: see
    /// [`on_out_of_memory`](crate::on_out_of_memory).
    ///
    /// Where the driver gives the memory and then no event for the slice, the memory goes back. cudarc panics within at
    /// that, so the panic's message stands on stderr beside the error.
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn alloc<T: DeviceRepr>(&self, len: usize) -> Result<TrackedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { alloc(&self.stream, self.space, len) }
    }

    /// See [`CudaStream::alloc_zeros`].
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn alloc_zeros<T: DeviceRepr + ValidAsZeroBits>(&self, len: usize) -> Result<TrackedSlice<T>, Error> {
        // SAFETY: set on the next line.
        let mut slice = unsafe { self.alloc(len) }?;
        self.stream.memset_zeros(&mut slice).map_err(|error| Error::call(format!("set {len} values to 0"), error))?;
        Ok(slice)
    }

    /// See [`CudaStream::clone_htod`].
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn clone_htod<T: DeviceRepr, Src: HostSlice<T> + ?Sized>(&self, src: &Src) -> Result<TrackedSlice<T>, Error> {
        // SAFETY: set on the next line.
        let mut slice = unsafe { self.alloc(src.len()) }?;
        let attempted = || format!("copy {} values to the device", src.len());
        self.stream.memcpy_htod(src, &mut slice).map_err(|error| Error::call(attempted(), error))?;
        Ok(slice)
    }

    /// See [`CudaStream::clone_htod`], its name by now.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    #[deprecated = "Use clone_htod"]
    pub fn memcpy_stod<T: DeviceRepr, Src: HostSlice<T> + ?Sized>(&self, src: &Src) -> Result<TrackedSlice<T>, Error> {
        self.clone_htod(src)
    }

    /// See [`CudaStream::clone_dtod`].
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn clone_dtod<T: DeviceRepr, Src: DevicePtr<T>>(&self, src: &Src) -> Result<TrackedSlice<T>, Error> {
        // SAFETY: set on the next line.
        let mut slice = unsafe { self.alloc(src.len()) }?;
        copied(src.len(), self.stream.memcpy_dtod(src, &mut slice))?;
        Ok(slice)
    }

    /// Allocates from a memory pool of this stream's device (`cuMemAllocFromPoolAsync`). The slice goes back to the
    /// pool on this stream when it is dropped; its bytes stand in the space of the device. What the pool holds in reserve
    /// is part of the device's line for as long as a slice out of it is alive, or interception has seen it made.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc); or that the driver lacks this function.
    ///
    /// # Safety
    ///
    /// - The pool is one of the driver's, of this stream's device, and outlives the slice.
    /// - The memory is unset.
    pub unsafe fn alloc_from_pool<T: DeviceRepr>(
        &self,
        pool: sys::CUmemoryPool,
        len: usize,
    ) -> Result<TrackedSlice<T>, Error> {
        driver::require(&["cuMemAllocFromPoolAsync"])?;
        let bytes = bytes_of::<T>(self.space, len)?;
        bind(self.stream.context(), self.space)?;
        let _call = events::WrapperCall::begin();
        let (slice, address) = allocate(self.space, bytes, self.stream.context(), || {
            // The callback that asks for another try may have changed which one is current.
            waiting::make_current(self.stream.context())?;
            // SAFETY: the pool is the caller's promise; the stream is alive.
            let address = unsafe { result::mem_pool::alloc_async(pool, bytes as usize, self.stream.cu_stream()) }?;
            // SAFETY: allocated just now on this stream, for nobody else.
            let slice = unsafe { waiting::adopt(&self.stream, address, len) };
            slice.map(|slice| (slice, address)).inspect_err(|_| free::unused(&self.stream, address))
        })?;
        pools::allocated(address, pool, self.space);
        Ok(TrackedSlice::allocated(slice, self.space))
    }

    /// See [`CudaStream::upgrade_device_ptr`]. An address that is on the books, as from [`TrackedSlice::leak`], keeps
    /// the bytes and the owner that it has there; any other is recorded as an allocation made here.
    ///
    /// # Panics
    ///
    /// As cudarc's: if the driver cannot make an event. Not at an error that waits in the context, which waits on.
    ///
    /// # Safety
    ///
    /// As cudarc's: the address is an allocation of at least `len` elements, which nobody else frees.
    #[expect(clippy::expect_used, reason = "cudarc's own contract; there is no way to give the error")]
    pub unsafe fn upgrade_device_ptr<T>(&self, cu_device_ptr: CUdeviceptr, len: usize) -> TrackedSlice<T> {
        // SAFETY: the caller's promise.
        let slice = unsafe { waiting::adopt(&self.stream, cu_device_ptr, len) }.expect("a slice's events are made");
        TrackedSlice::adopted(slice, self.space)
    }

    /// Pinned host memory; see [`CudaContext::alloc_pinned`](cudarc::driver::CudaContext::alloc_pinned). Its bytes
    /// stand in the space `pinned`.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn pinned<T: DeviceRepr>(&self, len: usize) -> Result<TrackedPinnedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { pinned::alloc(&self.stream, len, sys::CU_MEMHOSTALLOC_WRITECOMBINED) }
    }

    /// [`pinned`](Self::pinned) with flags of `cuMemHostAlloc`.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn pinned_with_flags<T: DeviceRepr>(
        &self,
        len: usize,
        flags: u32,
    ) -> Result<TrackedPinnedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { pinned::alloc(&self.stream, len, flags) }
    }

    /// Managed memory, which the driver moves between host and devices; see
    /// [`CudaContext::alloc_unified`](cudarc::driver::CudaContext::alloc_unified). Its bytes stand in the space
    /// `managed`.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc). That the driver can make the slice's event is asked first: where it cannot make it
    /// after all, cudarc loses the memory.
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn managed<T: DeviceRepr>(
        &self,
        len: usize,
        attach_global: bool,
    ) -> Result<TrackedUnifiedSlice<T>, Error> {
        // SAFETY: the caller sets the memory.
        unsafe { managed::alloc(self.stream.context(), len, attach_global) }
    }

    /// Memory that is reserved, created and mapped with the driver's virtual memory management; see
    /// [`TrackedMapping`].
    ///
    /// # Errors
    ///
    /// The driver's, or that it lacks these functions; no element.
    ///
    /// # Safety
    ///
    /// The memory is unset.
    pub unsafe fn map<T: DeviceRepr>(&self, len: usize) -> Result<TrackedMapping<T>, Error> {
        let bytes = bytes_of::<T>(self.space, len)?;
        bind(self.stream.context(), self.space)?;
        // SAFETY: the caller sets the memory.
        unsafe { TrackedMapping::new(&self.stream, self.space, bytes, len) }
    }

    /// See [`CudaStream::begin_capture`]. While the capture goes on, memprof asks the driver nothing on this thread: snapshots
    /// that are taken on it have the last known values. `end_capture` is the stream's own.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn begin_capture(&self, mode: CUstreamCaptureMode) -> Result<(), DriverError> {
        self.stream.begin_capture(mode)?;
        captures::begun_tracked(&self.stream);
        Ok(())
    }

    /// A new stream that waits for this one, tracked as well; see [`CudaStream::fork`].
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn fork(&self) -> Result<Self, DriverError> {
        self.stream.fork().map(Self::new)
    }
}

impl Deref for TrackedStream {
    type Target = Arc<CudaStream>;

    fn deref(&self) -> &Arc<CudaStream> {
        &self.stream
    }
}
