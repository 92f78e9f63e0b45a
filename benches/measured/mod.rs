//! The operations that are timed by `limits` and counted by `counted`: a call, and an allocation with its free.

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

#[inline(never)]
pub(crate) fn upstream_pair() {
    pair(&System);
}

#[inline(never)]
pub(crate) fn untagged_pair() {
    pair(&UNTAGGED);
}

#[inline(never)]
pub(crate) fn tagged_pair() {
    pair(&TAGGED);
}

/// A pair of one allocator. Each has a function of its own, as a program has one allocator, which the compiler knows.
#[inline(always)]
pub(crate) fn pair(allocator: &impl GlobalAlloc) {
    let layout = black_box(Layout::new::<[u64; 8]>());
    // SAFETY: the layout is not empty.
    let block = black_box(unsafe { allocator.alloc(layout) });
    assert!(!block.is_null(), "64 bytes could not be allocated");
    // SAFETY: the block comes from this allocator, with this layout.
    unsafe { allocator.dealloc(block, layout) };
}
