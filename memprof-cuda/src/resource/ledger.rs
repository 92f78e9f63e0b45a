//! What an adaptor has handed out: its own books, hidden from the recorder.

use cudarc::driver::sys::CUdeviceptr;
use dashmap::{DashMap, Entry};
use memprof_core::__allocator::blind;

use crate::scatter::Scattered;

/// Blocks by pointer. No method holds a lock when it returns. Its memory is of blocks that the recorder does not know, so
/// dropping it is not seen either.
#[derive(Debug)]
pub(super) struct Ledger<B>(DashMap<CUdeviceptr, B, Scattered>);

impl<B> Ledger<B> {
    pub(super) fn new() -> Self {
        let _blind = blind();
        Self(DashMap::default())
    }

    /// Enters a block; gives what stood at its pointer, whose free was missed.
    pub(super) fn insert(&self, pointer: CUdeviceptr, block: B) -> Option<B> {
        let _blind = blind();
        self.0.insert(pointer, block)
    }

    pub(super) fn remove(&self, pointer: CUdeviceptr) -> Option<B> {
        let _blind = blind();
        self.0.remove(&pointer).map(|(_, block)| block)
    }

    /// Puts back a block whose free was refused; `false` where its pointer was handed out meanwhile, so that it was
    /// free after all.
    pub(super) fn restore(&self, pointer: CUdeviceptr, block: B) -> bool {
        let _blind = blind();
        match self.0.entry(pointer) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(block);
                true
            }
        }
    }

    pub(super) fn fold<A>(&self, start: A, add: impl Fn(A, CUdeviceptr, &B) -> A) -> A {
        let _blind = blind();
        self.0.iter().fold(start, |sum, block| add(sum, *block.key(), block.value()))
    }
}
