//! The four methods of `GlobalAlloc`.
//!
//! All four are forwarded, so upstream's `realloc` and `alloc_zeroed` stay its own: a large block that grows may be
//! remapped, and zeroed memory may come from the system as it is. Each asks first whether blocks carry tags; where
//! they do not, that load and its branch are all that is added.

#![expect(unsafe_code, reason = "GlobalAlloc")]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::cold_path;

use super::allocator::Alloc;
use super::placing::Asked;

// SAFETY: every request goes to `A`, padded by `offset` in front, which keeps size and alignment of the block; what
// comes back goes to `A` as it came from there. Nothing in here unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    // Inlined into the one place that calls it, the program's allocation shim, where `always` is known.
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let tags = self.tags();
        if tags.are_left_out() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.alloc(layout) };
        }
        if !self.always {
            cold_path();
            if !tags.are_written() {
                // SAFETY: handed on.
                return unsafe { Self::alloc_first(Asked::of(layout), self) };
            }
            // SAFETY: handed on.
            return unsafe { Self::alloc_outlined(Asked::of(layout), self) };
        }
        // SAFETY: handed on.
        unsafe { self.alloc_tagged(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let tags = self.tags();
        if tags.are_left_out() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        if !self.always {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::alloc_zeroed_outlined(Asked::of(layout), self) };
        }
        // SAFETY: handed on.
        unsafe { self.alloc_zeroed_tagged(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // It was decided when the block was allocated.
        if !self.tags().are_written() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        if !self.always {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::dealloc_outlined(block, Asked::of(layout), self) };
        }
        // SAFETY: handed on.
        unsafe { self.dealloc_tagged(block, layout) };
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !self.tags().are_written() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        if !self.always {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::realloc_outlined(block, Asked::of(layout), new_size, self) };
        }
        // SAFETY: handed on.
        unsafe { self.realloc_tagged(block, layout, new_size) }
    }
}
