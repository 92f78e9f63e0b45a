//! The global allocator that reports to the recorder.

#![expect(unsafe_code, reason = "GlobalAlloc, and the tag in front of each block")]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::cold_path;
use std::alloc::System;

use crate::api::host;
use crate::base::tags::{self, Tags};
use crate::events::host::Event;
use crate::lanes::tag::Tag;

/// A global allocator that reports every block to memprof and leaves the allocating to `A`.
///
/// ```
/// # use memprof_core as memprof;
/// #[global_allocator]
/// static ALLOC: memprof::Alloc = memprof::Alloc::system();
/// # fn main() {}
/// ```
///
/// When the process starts with `MEMPROF=1`, or with [`always`](Self::always), each block carries a *tag*, 8 bytes in
/// front of it (its alignment, for a block aligned to more than 8): who owns it, and on which lane it was allocated.
/// Otherwise the process allocates exactly as `A` does, at the cost of one load and one branch, and the space `host`
/// is not measured. An event costs 1 to 2 ns, takes no lock and writes nothing that another thread writes.
///
/// Bytes are those requested. A failure of `A` is counted and handed on.
///
/// # With tags on
///
/// Addresses handed out are not those that `A` gave, as they are behind the tag. So `malloc_usable_size`, C's `free`,
/// or a `from_raw` of another allocator's block is wrong on them (as it is for any global allocator), and cdylibs with
/// allocators of their own must not exchange owned memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alloc<A = System> {
    inner: A,
    always: bool,
}

impl Alloc {
    /// Over the system's allocator.
    #[must_use]
    pub const fn system() -> Self {
        Self::new(System)
    }
}

impl<A> Alloc<A> {
    /// Over any other allocator.
    #[must_use]
    pub const fn new(inner: A) -> Self {
        Self { inner, always: false }
    }

    /// Tags blocks whatever the environment says, so that [`enable`](crate::enable) measures `host` at any moment.
    /// For tests that assert on host memory, and for programs that measure in production by a switch of their own.
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    #[inline(always)]
    fn tags(&self) -> Tags {
        match self.always {
            _ if !cfg!(feature = "runtime") => Tags::WITHOUT,
            true => Tags::WITH,
            false => tags::tags(),
        }
    }
}

/// Bytes of a tag.
const TAG: usize = size_of::<Tag>();

/// Where a block of this alignment begins in what upstream gives: behind the tag, still aligned.
#[inline(always)]
fn offset(align: usize) -> usize {
    align.max(TAG)
}

/// Whether a block is aligned to no more than its tag. Asked first, so that offset and alignment are constants for the
/// blocks that most are.
#[inline(always)]
fn is_common(layout: Layout) -> bool {
    layout.align() <= TAG
}

/// The layout to ask upstream for; `None` if that would be larger than any block may be.
#[inline(always)]
fn padded(layout: Layout) -> Option<Layout> {
    // A quarter of the address space. It is a multiple of any alignment below it, so a sum up to here stays below
    // `isize::MAX` when it is rounded up to the alignment. The sum of a valid layout does not overflow.
    const MOST: usize = 1 << (usize::BITS - 2);
    let align = offset(layout.align());
    // SAFETY: a layout of at least one byte is aligned to at most 2^62, and its size is at most `isize::MAX`.
    let padded = unsafe { layout.size().unchecked_add(align) };
    if padded > MOST {
        return None;
    }
    // SAFETY: `align` is a power of two, and the size rounded up to it is at most `isize::MAX`.
    Some(unsafe { Layout::from_size_align_unchecked(padded, align) })
}

/// The tag's place in front of a block.
///
/// # Safety
///
/// * `block` lies at least [`TAG`] bytes inside an allocation and is aligned to 8.
#[inline(always)]
unsafe fn tag_of(block: *mut u8) -> *mut Tag {
    // SAFETY: `block` lies at least as many bytes inside its allocation.
    #[expect(clippy::cast_ptr_alignment, reason = "a block is aligned to 8, and so is what lies 8 bytes before it")]
    unsafe { block.sub(TAG) }.cast::<Tag>()
}

// `alloc` and `dealloc` are short where it matters, in three steps each: `_tagged` sends what is aligned to more than a
// tag out of the way (`_aligned`), `_behind_tag` does the work, and `_outlined` is all of it for programs in which the
// environment decides. What is out of the way takes the allocator last: the other arguments stay in the registers
// in which they came.
impl<A: GlobalAlloc> Alloc<A> {
    /// [`alloc`](GlobalAlloc::alloc) with tags.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(always)]
    unsafe fn alloc_tagged(&self, layout: Layout) -> *mut u8 {
        if !is_common(layout) {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::alloc_aligned(layout, self) };
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
    unsafe fn alloc_outlined(layout: Layout, this: &Self) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { this.alloc_tagged(layout) }
    }

    /// The first allocation of the process: the environment decides now.
    ///
    /// # Safety
    ///
    /// * The layout has a size.
    #[cold]
    #[inline(never)]
    unsafe fn alloc_first(layout: Layout, this: &Self) -> *mut u8 {
        tags::decide();
        // SAFETY: handed on.
        unsafe { this.alloc(layout) }
    }

    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(never)]
    unsafe fn alloc_aligned(layout: Layout, this: &Self) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { this.alloc_behind_tag(layout) }
    }

    /// # Safety
    ///
    /// * The layout has a size.
    #[inline(always)]
    unsafe fn alloc_behind_tag(&self, layout: Layout) -> *mut u8 {
        let Some(padded) = padded(layout) else {
            cold_path();
            return failed();
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
    unsafe fn dealloc_tagged(&self, block: *mut u8, layout: Layout) {
        if !is_common(layout) {
            cold_path();
            // SAFETY: handed on.
            return unsafe { Self::dealloc_aligned(block, layout, self) };
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
    unsafe fn dealloc_outlined(block: *mut u8, layout: Layout, this: &Self) {
        // SAFETY: handed on.
        unsafe { this.dealloc_tagged(block, layout) };
    }

    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[inline(never)]
    unsafe fn dealloc_aligned(block: *mut u8, layout: Layout, this: &Self) {
        // SAFETY: handed on.
        unsafe { this.dealloc_behind_tag(block, layout) };
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
            Event::LimitCrossed(()) => unsafe { Self::do_due_and_give_back(block, layout, self) },
            // SAFETY: likewise.
            Event::Slow => unsafe { Self::give_back_slowly(block, layout, tag, self) },
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
            return failed();
        }
        // SAFETY: the padded layout is `offset` larger than the block.
        let block = unsafe { memory.add(offset(layout.align())) };
        let (tag, crossed) = match host::allocated(block as u64, layout.size() as u64) {
            Event::Done(tag) => (tag, false),
            Event::LimitCrossed(tag) => (tag, true),
            // SAFETY: the block lies `offset`, at least a tag, inside, and is aligned to 8.
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
    unsafe fn give_back_slowly(block: *mut u8, layout: Layout, tag: Tag, this: &Self) {
        host::freed_slowly(block as u64, layout.size() as u64, tag);
        // SAFETY: handed on.
        unsafe { this.give_back(block, layout) };
    }

    /// # Safety
    ///
    /// * As for [`give_back`](Self::give_back).
    #[cold]
    #[inline(never)]
    unsafe fn do_due_and_give_back(block: *mut u8, layout: Layout, this: &Self) {
        host::limit_crossed();
        // SAFETY: handed on.
        unsafe { this.give_back(block, layout) };
    }
}

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
        let Some(padded) = padded(layout) else { return failed() };
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
            return failed();
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
            return failed();
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

/// A request that upstream refused, or that no allocator can serve.
#[cold]
#[inline(never)]
fn failed() -> *mut u8 {
    host::failed();
    core::ptr::null_mut()
}

/// Writes the tag of a block that the short path could not record.
///
/// # Safety
///
/// * `block` is fresh, lies at least [`TAG`] bytes inside its allocation and is aligned to 8.
#[cold]
#[inline(never)]
unsafe fn tag_slowly(block: *mut u8, bytes: usize) -> *mut u8 {
    let tag = host::allocated_slowly(block as u64, bytes as u64);
    // SAFETY: the caller's promise.
    let place = unsafe { tag_of(block) };
    // SAFETY: that place belongs to the allocation and to nobody else.
    unsafe { place.write(tag) };
    block
}

/// Gives the block back after the recorder did what was due.
#[cold]
#[inline(never)]
fn limit_crossed(block: *mut u8) -> *mut u8 {
    host::limit_crossed();
    block
}
