//! Allocating and freeing with tags, recorded on the way.
//!
//! The short path is inlined into the program's allocation shim: a block aligned to no more than its tag, a thread
//! whose slot is ready, a level within its limits. Everything else leaves it by a call at the very end, so the
//! short path saves no register for it. The instructions are counted by `scripts/instructions`.

#![expect(unsafe_code, reason = "blocks and their tags")]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::{black_box, cold_path};

use crate::api::host;
use crate::base::tags;
use crate::events::host::Event;
use crate::lanes::tag::Tag;
use crate::thread::slot::Slot;

use super::allocator::Alloc;
use super::placing::{Asked, is_common, offset, padded, tag_of};

// `alloc` and `dealloc` are short where it matters, in three steps each: `_tagged` sends what is aligned to more than a
// tag out of the way (`_aligned`), `_behind_tag` does the work, and `_outlined` is all of it for programs in which the
// environment decides; `realloc` and `alloc_zeroed` have the first and the last of these. What is out of the way takes the allocator last: the other
// arguments stay in the registers in which they came.
impl<A: GlobalAlloc> Alloc<A> {
    /// [`alloc`](GlobalAlloc::alloc) with tags.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(always)]
    pub(super) unsafe fn alloc_tagged(&self, layout: Layout) -> *mut u8 {
        if !is_common(layout) {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::alloc_aligned(Asked::of(layout), self) };
        }
        // SAFETY: handed on.
        unsafe { self.alloc_behind_tag(layout) }
    }

    /// [`alloc`](GlobalAlloc::alloc) where the environment decided for tags: out of the way of a program without.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(never)]
    pub(super) unsafe fn alloc_outlined(asked: Asked, this: &Self) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { this.alloc_tagged(asked.layout()) }
    }

    /// The first allocation of the process: the environment decides now.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn alloc_first(asked: Asked, this: &Self) -> *mut u8 {
        tags::decide();
        // SAFETY: handed on.
        unsafe { this.alloc(asked.layout()) }
    }

    /// [`alloc_zeroed`](GlobalAlloc::alloc_zeroed) with tags, which may be still to be decided.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(always)]
    pub(super) unsafe fn alloc_zeroed_tagged(&self, layout: Layout) -> *mut u8 {
        if !self.tags().are_written() && !tags::decide() {
            // SAFETY: handed on unchanged.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        let Some(padded) = padded(layout) else { return failed(layout.size()) };
        // SAFETY: `padded` has a size, since a tag has one.
        let memory = unsafe { self.inner.alloc_zeroed(padded) };
        // SAFETY: fresh from upstream for that layout; only the part in front of the block is written.
        unsafe { Self::finish(memory, layout) }
    }

    /// [`realloc`](GlobalAlloc::realloc) with tags.
    ///
    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back), and `new_size` is not 0.
    #[inline(always)]
    pub(super) unsafe fn realloc_tagged(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
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

    /// [`alloc_zeroed`](GlobalAlloc::alloc_zeroed) where the environment decides: out of the way of a program without tags.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(never)]
    pub(super) unsafe fn alloc_zeroed_outlined(asked: Asked, this: &Self) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { this.alloc_zeroed_tagged(asked.layout()) }
    }

    /// [`realloc`](GlobalAlloc::realloc) where the environment decided for tags: out of the way of a program without.
    ///
    /// # Safety
    ///
    /// * As for [`realloc_tagged`](Self::realloc_tagged).
    #[inline(never)]
    pub(super) unsafe fn realloc_outlined(block: *mut u8, asked: Asked, new_size: usize, this: &Self) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { this.realloc_tagged(block, asked.layout(), new_size) }
    }

    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(never)]
    unsafe fn alloc_aligned(asked: Asked, this: &Self) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { this.alloc_behind_tag(asked.layout()) }
    }

    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(always)]
    unsafe fn alloc_behind_tag(&self, layout: Layout) -> *mut u8 {
        let Some(padded) = padded(layout) else {
            cold_path();
            return failed(layout.size());
        };
        // SAFETY: `padded` has a size, since a tag has one.
        let memory = unsafe { self.inner.alloc(padded) };
        // SAFETY: fresh from upstream for that layout.
        unsafe { Self::finish(memory, layout) }
    }

    /// [`dealloc`](GlobalAlloc::dealloc) with tags.
    ///
    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[inline(always)]
    pub(super) unsafe fn dealloc_tagged(&self, block: *mut u8, layout: Layout) {
        if !is_common(layout) {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::dealloc_aligned(block, Asked::of(layout), self) };
        }
        // SAFETY: handed on.
        unsafe { self.dealloc_behind_tag(block, layout) };
    }

    /// [`dealloc`](GlobalAlloc::dealloc) where the environment decided for tags: out of the way of a program without.
    ///
    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[inline(never)]
    pub(super) unsafe fn dealloc_outlined(block: *mut u8, asked: Asked, this: &Self) {
        // SAFETY: handed on.
        unsafe { this.dealloc_tagged(block, asked.layout()) };
    }

    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[inline(never)]
    unsafe fn dealloc_aligned(block: *mut u8, asked: Asked, this: &Self) {
        // SAFETY: handed on.
        unsafe { this.dealloc_behind_tag(block, asked.layout()) };
    }

    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[inline(always)]
    unsafe fn dealloc_behind_tag(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `finish`, behind its tag.
        let place = unsafe { tag_of(block) };
        // SAFETY: `finish` wrote it.
        let tag = unsafe { place.read() };
        match host::freed(block as u64, layout.size() as u64, tag) {
            // SAFETY: the caller gives up the block, which came from here.
            Event::Done(()) => unsafe { self.give_back(block, layout) },
            // SAFETY: likewise.
            Event::LimitCrossed(()) => unsafe { Self::do_due_and_give_back(block, Asked::of(layout), self) },
            // SAFETY: likewise.
            Event::First(_) | Event::Slow => unsafe { Self::give_back_slowly(block, Asked::of(layout), tag, self) },
        }
    }

    /// Turns what upstream gave for a padded layout into the block that the program gets.
    ///
    /// # Safety
    ///
    /// * `memory` is null, or fresh from upstream for `padded(layout)`.
    #[inline(always)]
    unsafe fn finish(memory: *mut u8, layout: Layout) -> *mut u8 {
        if memory.is_null() {
            cold_path();
            return failed(layout.size());
        }
        // SAFETY: the padded layout is `offset` larger than the block.
        let block = unsafe { memory.add(offset(layout.align())) };
        let (tag, crossed) = match host::allocated(block as u64, layout.size() as u64) {
            Event::Done(tag) => (tag, false),
            Event::LimitCrossed(tag) => (tag, true),
            // SAFETY: the block lies `offset`, at least a tag, inside, and is aligned to 8.
            Event::First(slot) => return unsafe { tag_first(block, layout.size(), slot) },
            // SAFETY: likewise.
            Event::Slow => return unsafe { tag_slowly(block, layout.size()) },
        };
        // SAFETY: the block lies `offset`, at least a tag, inside, and is aligned to 8.
        let place = unsafe { tag_of(block) };
        // SAFETY: that place belongs to the allocation and to nobody else.
        unsafe { place.write(tag) };
        if crossed { limit_crossed(block) } else { block }
    }

    /// Gives upstream what it gave for the padded layout.
    ///
    /// # Safety
    ///
    /// * `block` came from [`finish`](Self::finish) with this layout, or from `realloc`, and nobody uses it any longer.
    #[inline(always)]
    unsafe fn give_back(&self, block: *mut u8, layout: Layout) {
        let offset = offset(layout.align());
        // SAFETY: `finish` added the same offset.
        let memory = unsafe { block.sub(offset) };
        // SAFETY: the same sum was a valid layout when the block was allocated.
        let padded = unsafe { Layout::from_size_align_unchecked(layout.size() + offset, offset) };
        // SAFETY: what upstream gave, with the layout that it was asked for.
        unsafe { self.inner.dealloc(memory, padded) };
    }

    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[cold]
    #[inline(never)]
    unsafe fn give_back_slowly(block: *mut u8, asked: Asked, tag: Tag, this: &Self) {
        host::freed_slowly(block as u64, asked.layout().size() as u64, tag);
        // SAFETY: handed on.
        unsafe { this.give_back(block, asked.layout()) };
    }

    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[cold]
    #[inline(never)]
    unsafe fn do_due_and_give_back(block: *mut u8, asked: Asked, this: &Self) {
        host::limit_crossed_by_free(asked.layout().size() as u64);
        // SAFETY: handed on.
        unsafe { this.give_back(block, asked.layout()) };
    }
}

/// A request that upstream refused, or that no allocator can serve.
#[cold]
#[inline(never)]
fn failed(bytes: usize) -> *mut u8 {
    host::failed(bytes as u64);
    core::ptr::null_mut()
}

/// Writes the tag of a block that is the first event of a scope.
///
/// # Safety
///
/// * As for [`tag_slowly`].
#[inline(never)]
unsafe fn tag_first(block: *mut u8, bytes: usize, slot: &'static Slot) -> *mut u8 {
    let Some(tag) = host::allocated_first(slot, block as u64, bytes as u64) else {
        cold_path();
        // SAFETY: handed on.
        return unsafe { tag_slowly(block, bytes) };
    };
    // SAFETY: the caller's promise.
    let place = unsafe { tag_of(block) };
    // SAFETY: that place belongs to the allocation and to nobody else.
    unsafe { place.write(tag) };
    block
}

/// Writes the tag of a block that the short path could not record.
///
/// # Safety
///
/// * `block` is fresh, lies at least `TAG` bytes inside its allocation and is aligned to 8.
#[cold]
#[inline(never)]
unsafe fn tag_slowly(block: *mut u8, bytes: usize) -> *mut u8 {
    let tag = host::allocated_slowly(block as u64, bytes as u64);
    // SAFETY: the caller's promise.
    let place = unsafe { tag_of(block) };
    // SAFETY: that place belongs to the allocation and to nobody else.
    unsafe { place.write(tag) };
    // As if it were another: else `tag_first` would keep the block for after the call, and pay for that each time it makes none.
    black_box(block)
}

/// Gives the block back after the recorder did what was due.
#[cold]
#[inline(never)]
fn limit_crossed(block: *mut u8) -> *mut u8 {
    host::limit_crossed();
    block
}
