//! The operations that are timed by `limits` and counted by `counted`: a call, and an allocation with its free.
//!
//! Both take them from here, so a time and a count are of the same code. None is inlined, and what comes out is hidden
//! from the compiler, so neither a call nor a pair can go.

#![expect(unsafe_code, reason = "blocks are taken from an allocator directly, to compare it with its upstream")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

use memprof::Alloc;

/// What a program has that starts without `MEMPROF=1`: no tags.
static UNTAGGED: Alloc = Alloc::system();
pub(crate) static TAGGED: Alloc = Alloc::system().always();

#[memprof::track]
#[inline(never)]
pub(crate) fn tracked(number: u64) -> u64 {
    black_box(number) + 1
}

#[inline(never)]
pub(crate) fn plain(number: u64) -> u64 {
    black_box(number) + 1
}

/// An allocation and its free, by way of functions such as the compiler makes of a program's allocator: of their own,
/// for one allocator, and given size and alignment, in this order, whether they use them or not.
macro_rules! pair {
    ($pair:ident, $allocator:expr) => {
        #[inline(never)]
        pub(crate) fn $pair() {
            #[inline(never)]
            unsafe fn alloc(size: usize, align: usize) -> *mut u8 {
                // SAFETY: of a layout.
                let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
                // SAFETY: handed on.
                unsafe { $allocator.alloc(layout) }
            }
            unsafe fn dealloc(block: *mut u8, size: usize, align: usize) {
                // SAFETY: of a layout.
                let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
                // SAFETY: handed on.
                unsafe { $allocator.dealloc(block, layout) };
            }
            // Else what is not used would not be passed.
            let dealloc: unsafe fn(*mut u8, usize, usize) = black_box(dealloc);
            let layout = black_box(Layout::new::<[u64; 8]>());
            // SAFETY: the layout is not empty.
            let block = black_box(unsafe { alloc(layout.size(), layout.align()) });
            assert!(!block.is_null(), "64 bytes could not be allocated");
            // SAFETY: the block comes from this allocator, with this layout.
            unsafe { dealloc(block, layout.size(), layout.align()) };
        }
    };
}

pair!(upstream_pair, System);
pair!(untagged_pair, UNTAGGED);
pair!(tagged_pair, TAGGED);

/// What most functions are: one that allocates.
#[memprof::track]
#[inline(never)]
pub(crate) fn tracked_with_pair() {
    tagged_pair();
}
