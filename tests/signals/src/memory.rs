//! The allocator that is measured: its upstream may be called from a signal handler at any instruction.

#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Measured, whatever the environment says. It is not the program's global allocator, so what the test itself allocates is in no
/// number.
pub(crate) static MEASURED: memprof::Alloc<Pages> = memprof::Alloc::new(Pages).always();

/// Hands out addresses one behind the other, and takes nothing back until [`start_anew`].
#[derive(Clone, Copy)]
pub(crate) struct Pages;

/// As much as no run takes; untouched, it costs nothing.
const ROOM: usize = 64 << 30;

static BEGIN: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Has the system set the addresses aside: before the first allocation.
pub(crate) fn prepare() {
    if BEGIN.load(Ordering::Relaxed).is_null() {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping.
        let begin = unsafe { libc::mmap(std::ptr::null_mut(), ROOM, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        assert!(begin != libc::MAP_FAILED, "no addresses");
        BEGIN.store(begin.cast(), Ordering::Relaxed);
    }
}

/// Gives addresses anew: nobody has a block.
pub(crate) fn start_anew() {
    NEXT.store(0, Ordering::Relaxed);
}

// SAFETY: each block lies alone within the mapping, aligned as asked.
unsafe impl GlobalAlloc for Pages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let room = layout.size() + layout.align();
        let at = NEXT.fetch_add(room.next_multiple_of(16), Ordering::Relaxed);
        if at + room > ROOM {
            return std::ptr::null_mut();
        }
        let at = at.next_multiple_of(layout.align());
        BEGIN.load(Ordering::Relaxed).wrapping_add(at)
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

/// A measured block.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    start: *mut u8,
    bytes: usize,
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).expect("a small block")
}

impl Block {
    #[inline(never)]
    pub(crate) fn new(bytes: usize) -> Self {
        // SAFETY: callers ask for at least one byte.
        let start = unsafe { MEASURED.alloc(layout(bytes)) };
        assert!(!start.is_null());
        Self { start, bytes }
    }

    #[inline(never)]
    pub(crate) fn free(self) {
        // SAFETY: a block of this layout, which nobody uses any longer.
        unsafe { MEASURED.dealloc(self.start, layout(self.bytes)) };
    }

    #[inline(never)]
    pub(crate) fn resize(self, bytes: usize) -> Self {
        // SAFETY: a block of this layout; the new size is not zero.
        let start = unsafe { MEASURED.realloc(self.start, layout(self.bytes), bytes) };
        assert!(!start.is_null());
        Self { start, bytes }
    }
}
