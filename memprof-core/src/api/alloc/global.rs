//! The four methods of `GlobalAlloc`.
//!
//! All four are forwarded, so upstream's `realloc` and `alloc_zeroed` stay its own: a large block that grows may be
//! remapped, and zeroed memory may come from the system as it is. Each asks first whether blocks carry tags; where
//! they do not, that load and its branch are all that is added.

#![expect(unsafe_code, reason = "GlobalAlloc")]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::cold_path;

use crate::api::host;
use crate::base::tags;

use super::allocator::Alloc;
use super::placing::{offset, padded, tag_of};
use super::tagged::failed;

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
                return unsafe { Self::alloc_first(layout, self) };
            }
            // SAFETY: handed on.
            return unsafe { Self::alloc_outlined(layout, self) };
        }
        // SAFETY: handed on.
        unsafe { self.alloc_tagged(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let tags = self.tags();
        if tags.are_left_out() || !tags.are_written() && !tags::decide() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        let Some(padded) = padded(layout) else { return failed(layout.size()) };
        // SAFETY: `padded` has a size, since a tag has one.
        let memory = unsafe { self.inner.alloc_zeroed(padded) };
        // SAFETY: fresh from upstream for that layout; only the part in front of the block is written.
        unsafe { Self::finish(memory, layout) }
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
            return unsafe { Self::dealloc_outlined(block, layout, self) };
        }
        // SAFETY: handed on.
        unsafe { self.dealloc_tagged(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !self.tags().are_written() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        let offset = offset(layout.align());
        let Some(new_padded) = Layout::from_size_align(new_size, layout.align()).ok().and_then(padded) else {
            return failed(new_size);
        };
        // SAFETY: the block came from `finish`, behind its tag.
        let place = unsafe { tag_of(block) };
        // SAFETY: `finish` wrote it.
        let tag = unsafe { place.read() };
        // SAFETY: `finish` added the same offset.
        let memory = unsafe { block.sub(offset) };
        // SAFETY: the same sum was a valid layout when the block was allocated.
        let old_padded = unsafe { Layout::from_size_align_unchecked(layout.size() + offset, offset) };
        // SAFETY: what upstream gave, with the layout that it was asked for; the new size was checked.
        let moved = unsafe { self.inner.realloc(memory, old_padded, new_padded.size()) };
        if moved.is_null() {
            return failed(new_size);
        }
        // SAFETY: upstream gave at least `offset` more than the block's size.
        let block = unsafe { moved.add(offset) };
        let tag = host::reallocated(block as u64, layout.size() as u64, new_size as u64, tag);
        // SAFETY: the block lies `offset` inside and is aligned to 8.
        let place = unsafe { tag_of(block) };
        // SAFETY: that place belongs to the allocation and to nobody else.
        unsafe { place.write(tag) };
        block
    }
}
