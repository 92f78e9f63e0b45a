//! A greater alignment than the driver's.
//!
//! Its own books have the pointers that were moved, each with upstream's, so a block goes back as it came, whatever
//! bytes its free names; a pointer that is not there passes unchanged.

#![expect(unsafe_code, reason = "passes on the promise of whoever frees")]

use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::Space;

use super::ledger::Ledger;
use super::memory::{ALLOCATION_ALIGNMENT, DeviceMemory};
use crate::error::Error;

/// Aligns blocks of at least a threshold of bytes more than `upstream` does, by asking it for more.
///
/// Upstream sees `bytes` rounded up to the alignment, and the alignment less its own on top. Smaller blocks pass
/// unchanged, and all of them where upstream's alignment suffices. Adaptors above this see the bytes asked for,
/// those below the padded ones.
#[derive(Debug)]
pub struct Aligned<R> {
    upstream: R,
    /// A power of two, at least [`ALLOCATION_ALIGNMENT`].
    alignment: usize,
    alignment_threshold: usize,
    /// By the pointer that was handed out: upstream's pointer and bytes.
    padded: Ledger<(CUdeviceptr, usize)>,
}

impl<R: DeviceMemory> Aligned<R> {
    /// Aligns to `alignment` bytes, at least 256, what has `alignment_threshold` bytes or more. RMM's defaults are 256
    /// and 0.
    ///
    /// # Errors
    ///
    /// `alignment` is not a power of two.
    pub fn new(upstream: R, alignment: usize, alignment_threshold: usize) -> Result<Self, Error> {
        if !alignment.is_power_of_two() {
            return Err(Error::invalid(format!("cannot align to {alignment} bytes: not a power of two")));
        }
        let alignment = alignment.max(ALLOCATION_ALIGNMENT);
        Ok(Self { upstream, alignment, alignment_threshold, padded: Ledger::new() })
    }

    /// What this allocates from.
    pub fn upstream(&self) -> &R {
        &self.upstream
    }

    /// The bytes to ask upstream for so that an aligned block of `bytes` is within; `None` past the address space.
    fn upstream_bytes(&self, bytes: usize) -> Option<usize> {
        bytes.checked_next_multiple_of(self.alignment)?.checked_add(self.alignment - self.upstream.alignment())
    }

    fn passes(&self, bytes: usize) -> bool {
        bytes == 0 || self.alignment <= self.upstream.alignment() || bytes < self.alignment_threshold
    }
}

impl<R: DeviceMemory> DeviceMemory for Aligned<R> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        if self.passes(bytes) {
            return self.upstream.allocate(bytes, stream);
        }
        let (space, alignment) = (self.space(stream), self.alignment);
        let impossible = || Error::limit(format!("allocate {bytes} bytes of {space} aligned to {alignment}"));
        let upstream_bytes = self.upstream_bytes(bytes).ok_or_else(impossible)?;
        let pointer = self.upstream.allocate(upstream_bytes, stream)?;
        let aligned = pointer.checked_next_multiple_of(alignment as CUdeviceptr).unwrap_or(pointer);
        self.padded.insert(aligned, (pointer, upstream_bytes));
        Ok(aligned)
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        let Some((original, upstream_bytes)) = self.padded.remove(pointer) else {
            // SAFETY: the caller's promises are upstream's.
            return unsafe { self.upstream.deallocate(pointer, bytes, stream) };
        };
        // SAFETY: the caller's promises; the pointer and the bytes are those of upstream's block around it.
        let freed = unsafe { self.upstream.deallocate(original, upstream_bytes, stream) };
        if freed.is_err() {
            self.padded.restore(pointer, (original, upstream_bytes));
        }
        freed
    }

    fn space(&self, stream: &CudaStream) -> Space {
        self.upstream.space(stream)
    }

    /// Upstream's, where small blocks pass unchanged.
    fn alignment(&self) -> usize {
        let own = if self.alignment_threshold == 0 { self.alignment } else { 0 };
        own.max(self.upstream.alignment())
    }
}
