//! Vectors and hash tables in memory from [`pages`].
//!
//! What is larger than [`LARGE`](pages::LARGE) gets a mapping of its own that ends when the table outgrows it, so a
//! large table that doubled does not leave the smaller ones behind.

#![expect(unsafe_code, reason = "an allocator")]

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};
use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use crate::base::pages;

/// The allocator of the recorder's tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages;

/// A vector in this memory.
pub(crate) type PageVec<T> = Vec<T, Pages>;

pub(crate) const fn page_vec<T>() -> PageVec<T> {
    Vec::new_in(Pages)
}

/// A hash table in this memory.
pub(crate) type PageTable<T> = HashTable<T, Pages>;

/// Empty, and without memory until the first entry.
pub(crate) const fn page_table<T>() -> PageTable<T> {
    HashTable::new_in(Pages)
}

// SAFETY: what is handed out is there until it is given back, mostly for ever, and `Pages` has no state that could
// move.
unsafe impl Allocator for Pages {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            let dangling = NonNull::without_provenance(layout.align().try_into().map_err(|_| AllocError)?);
            return Ok(NonNull::slice_from_raw_parts(dangling, 0));
        }
        let memory = pages::allocate(layout).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(memory, layout.size()))
    }

    unsafe fn deallocate(&self, memory: NonNull<u8>, layout: Layout) {
        // SAFETY: it came from `allocate` with this layout, and nobody uses it any longer.
        unsafe { pages::free(memory, layout) };
    }
}
