//! A hard limit in bytes.
//!
//! Bytes are counted before upstream is asked and no longer counted after it has freed, so they are never fewer than
//! upstream holds, nor more than the limit. Which block counts how much is in its own books, so a free that names other
//! bytes changes nothing.

#![expect(unsafe_code, reason = "passes on the promise of whoever frees")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::Space;

use super::ledger::Ledger;
use super::memory::{ALLOCATION_ALIGNMENT, DeviceMemory};
use crate::error::Error;

/// Lets at most so many bytes be allocated from `upstream` at once.
///
/// A block counts with its bytes rounded up to the alignment, 256 unless another one is given. The limit is exact
/// under threads: an allocation succeeds if, and only if, it fits at that moment. What would exceed the limit fails
/// with [`Error::is_out_of_memory`] and does not reach upstream; what upstream refuses is taken back. A block counts
/// until upstream has freed it. Freeing what did not come from here changes nothing in the count.
#[derive(Debug)]
pub struct Limiting<R> {
    upstream: R,
    limit: usize,
    /// A power of two.
    alignment: usize,
    /// Sum of the ledger's bytes, and of allocations and frees on their way: never above `limit`.
    allocated: AtomicUsize,
    /// Bytes counted, and bytes asked for.
    blocks: Ledger<(usize, usize)>,
}

impl<R> Limiting<R> {
    /// At most `limit` bytes of `upstream` at once.
    pub fn new(upstream: R, limit: usize) -> Self {
        let (alignment, allocated) = (ALLOCATION_ALIGNMENT, AtomicUsize::new(0));
        Self { upstream, limit, alignment, allocated, blocks: Ledger::new() }
    }

    /// As [`new`](Self::new), each block counted with its bytes rounded up to `alignment`.
    ///
    /// # Errors
    ///
    /// `alignment` is not a power of two.
    pub fn with_alignment(upstream: R, limit: usize, alignment: usize) -> Result<Self, Error> {
        if !alignment.is_power_of_two() {
            return Err(Error::invalid(format!("cannot count in multiples of {alignment} bytes: not a power of two")));
        }
        Ok(Self { alignment, ..Self::new(upstream, limit) })
    }

    /// Bytes allocated now, as counted against the limit.
    pub fn allocated_bytes(&self) -> usize {
        self.allocated.load(Ordering::Acquire)
    }

    /// The limit, in bytes.
    pub fn allocation_limit(&self) -> usize {
        self.limit
    }

    /// What this allocates from.
    pub fn upstream(&self) -> &R {
        &self.upstream
    }

    /// Counts a block of `bytes`, if it fits, and gives what it counts with.
    fn reserve(&self, bytes: usize) -> Result<usize, usize> {
        let taken = |allocated: usize, counted: usize| allocated.checked_add(counted).filter(|sum| *sum <= self.limit);
        let Some(counted) = bytes.checked_next_multiple_of(self.alignment) else {
            return Err(self.allocated_bytes());
        };
        self.allocated
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |allocated| taken(allocated, counted))
            .map(|_| counted)
    }

    fn take_back(&self, counted: usize) {
        self.allocated.fetch_sub(counted, Ordering::AcqRel);
    }
}

impl<R: DeviceMemory> DeviceMemory for Limiting<R> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        let counted = self.reserve(bytes).map_err(|allocated| {
            let (space, limit) = (self.space(stream), self.limit);
            let holds = format!("allocate {bytes} bytes of {space}: {allocated} of {limit} bytes are allocated");
            Error::limit(format!("{holds}, the limit of this resource"))
        })?;
        let pointer = self.upstream.allocate(bytes, stream).inspect_err(|_| self.take_back(counted))?;
        if counted > 0
            && let Some((missed, _)) = self.blocks.insert(pointer, (counted, bytes))
        {
            self.take_back(missed);
        }
        Ok(pointer)
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        let Some((counted, allocated)) = self.blocks.remove(pointer) else {
            // SAFETY: the caller's promises are upstream's.
            return unsafe { self.upstream.deallocate(pointer, bytes, stream) };
        };
        // SAFETY: the caller's promises are upstream's; the bytes are those it was asked for.
        let freed = unsafe { self.upstream.deallocate(pointer, allocated, stream) };
        if freed.is_ok() || !self.blocks.restore(pointer, (counted, allocated)) {
            self.take_back(counted);
        }
        freed
    }

    fn space(&self, stream: &CudaStream) -> Space {
        self.upstream.space(stream)
    }

    fn alignment(&self) -> usize {
        self.upstream.alignment()
    }
}
