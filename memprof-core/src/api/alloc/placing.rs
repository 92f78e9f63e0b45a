//! Where a block and its tag lie in what upstream gives.
//!
//! The tag stands right in front of the block. In front of the tag lies what it takes to have the block aligned:
//! upstream is asked for as many bytes more as the alignment has, at least a tag's, so a block aligned to 4,096
//! costs a page. Reading and writing tags is left to the callers, who know that there is a block.

#![expect(unsafe_code, reason = "the tag in front of each block")]

use core::alloc::Layout;

use crate::lanes::tag::Tag;

/// A layout as what the compiler makes of a program's allocator gets it: the size in the register before that of the alignment. A [`Layout`] has
/// them the other way around; handed on as one, they would change places, which takes three instructions.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Asked {
    size: usize,
    align: usize,
}

impl Asked {
    #[inline(always)]
    pub(super) fn of(layout: Layout) -> Self {
        Self { size: layout.size(), align: layout.align() }
    }

    #[inline(always)]
    pub(super) fn layout(self) -> Layout {
        // SAFETY: they are those of a layout.
        unsafe { Layout::from_size_align_unchecked(self.size, self.align) }
    }
}

/// Bytes of a tag.
pub(super) const TAG: usize = size_of::<Tag>();

/// Where a block of this alignment begins in what upstream gives: behind the tag, still aligned.
#[inline(always)]
pub(super) fn offset(align: usize) -> usize {
    align.max(TAG)
}

/// Whether a block is aligned to no more than its tag. Asked first, so that offset and alignment are constants for the
/// blocks that most are.
#[inline(always)]
pub(super) fn is_common(layout: Layout) -> bool {
    layout.align() <= TAG
}

/// The layout to ask upstream for; `None` if that would be larger than any block may be.
#[inline(always)]
pub(super) fn padded(layout: Layout) -> Option<Layout> {
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
pub(super) unsafe fn tag_of(block: *mut u8) -> *mut Tag {
    // SAFETY: `block` lies at least as many bytes inside its allocation.
    #[expect(clippy::cast_ptr_alignment, reason = "a block is aligned to 8, and so is what lies 8 bytes before it")]
    unsafe { block.sub(TAG) }.cast::<Tag>()
}
