//! What the threads allocate and free, each kind of memory as the driver gives it and by tracked types.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, DriverError, result, sys};
use memprof_cuda::{TrackedExt as _, TrackedStream};

use super::ground::{self, Tried};

/// Memory that any thread may free.
pub(super) enum Held {
    Raw(Raw),
    /// Of a tracked type: freed by its drop.
    Tracked(Kind, Box<dyn Send>),
}

pub(super) struct Raw {
    pub(super) kind: Kind,
    pub(super) address: u64,
    pub(super) device: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Async,
    Plain,
    Managed,
    Pinned,
    Array,
    Physical,
}

pub(super) const KINDS: [Kind; 6] =
    [Kind::Async, Kind::Plain, Kind::Managed, Kind::Pinned, Kind::Array, Kind::Physical];

impl Kind {
    /// What a request for as many bytes asks of the driver.
    pub(super) fn bytes(self, bytes: usize) -> usize {
        match self {
            // Elements of two 32-bit channels.
            Self::Array => bytes * 8,
            Self::Physical => ground::GRANULARITY,
            _ => bytes,
        }
    }
}

/// What a thread has of a device.
pub(super) struct Device {
    pub(super) context: Arc<CudaContext>,
    pub(super) plain: Arc<CudaStream>,
    pub(super) tracked: TrackedStream,
}

impl Device {
    pub(super) fn new(ordinal: usize) -> Tried<Self> {
        let context = memprof_cuda::context(ordinal)?;
        Ok(Self { plain: context.new_stream()?, tracked: context.new_stream()?.tracked(), context })
    }

    pub(super) fn allocate(&self, kind: Kind, bytes: usize) -> Result<Raw, DriverError> {
        self.context.bind_to_thread()?;
        let device = self.context.ordinal();
        let address = match kind {
            // SAFETY: nobody uses the memory.
            Kind::Async => unsafe { result::malloc_async(self.plain.cu_stream(), bytes) }?,
            Kind::Plain => ground::allocate(bytes)?,
            // SAFETY: nobody uses the memory.
            Kind::Managed => unsafe { result::malloc_managed(bytes, sys::CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL) }?,
            Kind::Pinned => ground::pinned(bytes)?.expose_provenance() as u64,
            Kind::Array => ground::array3d(bytes, 1, 1)?.expose_provenance() as u64,
            Kind::Physical => ground::physical(i32::try_from(device).unwrap_or(0), ground::GRANULARITY)?,
        };
        Ok(Raw { kind, address, device })
    }

    /// Frees what was allocated on this device, now and then by another function than the one of its kind.
    pub(super) fn free(&self, raw: &Raw, other: bool) -> Result<(), DriverError> {
        self.context.bind_to_thread()?;
        let pointer = || std::ptr::with_exposed_provenance_mut(usize::try_from(raw.address).unwrap_or(0));
        match raw.kind {
            Kind::Async | Kind::Plain if other => ground::free_async(raw.address, self.plain.cu_stream()),
            Kind::Async | Kind::Plain | Kind::Managed => ground::free(raw.address),
            Kind::Pinned => ground::free_pinned(pointer()),
            Kind::Array => ground::destroy_array(pointer().cast()),
            Kind::Physical => ground::release_physical(raw.address),
        }
    }

    pub(super) fn allocate_tracked(&self, kind: Kind, bytes: usize) -> Result<Box<dyn Send>, DriverError> {
        Ok(match kind {
            // SAFETY: nobody reads it.
            Kind::Pinned => Box::new(unsafe { self.tracked.pinned::<u8>(bytes) }?),
            // SAFETY: nobody reads it.
            Kind::Managed => Box::new(unsafe { self.tracked.managed::<u8>(bytes, true) }?),
            _ => Box::new(self.tracked.alloc_zeros::<u8>(bytes)?),
        })
    }
}
