//! Memory from the system itself, for what the recorder keeps.
//!
//! It comes in chunks that the system maps, and never from the program's allocator or the C library's: so it can be
//! had inside of an allocator that the program wraps, in a signal handler that interrupted `malloc`, and on a
//! thread with a small stack. What is handed out is zeroed. Nothing is given back but tables that are larger than
//! [`LARGE`]: the rest is there until the process ends, at most as much again as is in use, as tables double when
//! they grow.
//!
//! Where the system has nothing left there is `None`, and the caller records less.

#![expect(unsafe_code, reason = "maps memory, and hands it out")]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What is mapped at once. The system gives a page when it is first written, so a chunk costs address space alone.
const CHUNK: usize = 1 << 20;
/// What is mapped where there is no room for a chunk.
const SMALL_CHUNK: usize = 1 << 16;
/// What gets a mapping of its own, which ends when it is given back.
pub(crate) const LARGE: usize = 1 << 16;

/// The beginning of a chunk.
struct Chunk {
    /// Bytes handed out, this included. May go past the end: then the chunk is full.
    used: AtomicUsize,
    bytes: usize,
}

static CURRENT: AtomicPtr<Chunk> = AtomicPtr::new(core::ptr::null_mut());

/// Zeroed memory that nobody else has; `None` where the system has none.
pub(crate) fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    debug_assert!(layout.align() <= 4096, "a mapping begins at a page");
    if layout.size() > LARGE {
        return map(layout.size());
    }
    loop {
        let current = NonNull::new(CURRENT.load(Ordering::Acquire));
        if let Some(memory) = current.and_then(|chunk| take(chunk, layout)) {
            return Some(memory);
        }
        let (bytes, memory) = [CHUNK, SMALL_CHUNK].into_iter().find_map(|bytes| Some((bytes, map(bytes)?)))?;
        let begun: NonNull<Chunk> = memory.cast();
        let chunk = Chunk { used: AtomicUsize::new(size_of::<Chunk>()), bytes };
        // SAFETY: a fresh mapping, larger than a `Chunk` and aligned to a page.
        unsafe { begun.write(chunk) };
        let before = current.map_or(core::ptr::null_mut(), NonNull::as_ptr);
        if CURRENT.compare_exchange(before, begun.as_ptr(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // Another thread, or a signal handler, came first.
            // SAFETY: the mapping that was just made, of so many bytes, which nobody has seen.
            unsafe { unmap(memory, bytes) };
        } else if bytes < layout.size() + layout.align() + size_of::<Chunk>() {
            // Too little for this, and enough for others.
            return map(layout.size());
        }
    }
}

/// A part of a chunk, if it has the room.
fn take(chunk: NonNull<Chunk>, layout: Layout) -> Option<NonNull<u8>> {
    // SAFETY: `CURRENT` leads to chunks that were written before they were put there, and that are never unmapped.
    let of_chunk = unsafe { chunk.as_ref() };
    if of_chunk.used.load(Ordering::Relaxed) > of_chunk.bytes {
        return None;
    }
    // Room to align it in.
    let wanted = layout.size() + layout.align();
    let first = of_chunk.used.fetch_add(wanted, Ordering::Relaxed);
    if first + wanted > of_chunk.bytes {
        return None;
    }
    let beginning = chunk.cast::<u8>();
    let aligned = (beginning.addr().get() + first).next_multiple_of(layout.align());
    // SAFETY: rounded up by less than `align`, and `first + size + align` lies inside of the chunk.
    Some(unsafe { beginning.add(aligned - beginning.addr().get()) })
}

#[cfg(all(unix, feature = "runtime"))]
fn map(bytes: usize) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping of nothing, wherever there is room.
    let memory =
        unsafe { libc::mmap(core::ptr::null_mut(), bytes, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    if memory == libc::MAP_FAILED { None } else { NonNull::new(memory.cast()) }
}

/// # Safety
///
/// * `memory` is what [`map`] gave for so many bytes, and nobody uses it any longer.
#[cfg(all(unix, feature = "runtime"))]
unsafe fn unmap(memory: NonNull<u8>, bytes: usize) {
    // SAFETY: as the caller promises.
    unsafe { libc::munmap(memory.as_ptr().cast(), bytes) };
}

/// A page: what a mapping is aligned to.
#[cfg(not(all(unix, feature = "runtime")))]
const PAGE: usize = 4096;

#[cfg(not(all(unix, feature = "runtime")))]
fn map(bytes: usize) -> Option<NonNull<u8>> {
    use std::alloc::{GlobalAlloc as _, System};
    let layout = Layout::from_size_align(bytes, PAGE).ok()?;
    // SAFETY: nobody asks for no bytes.
    NonNull::new(unsafe { System.alloc_zeroed(layout) })
}

/// # Safety
///
/// * `memory` is what [`map`] gave for so many bytes, and nobody uses it any longer.
#[cfg(not(all(unix, feature = "runtime")))]
unsafe fn unmap(memory: NonNull<u8>, bytes: usize) {
    use std::alloc::{GlobalAlloc as _, System};
    let Ok(layout) = Layout::from_size_align(bytes, PAGE) else { return };
    // SAFETY: as the caller promises: it came from there with this layout.
    unsafe { System.dealloc(memory.as_ptr(), layout) };
}

/// Whether the program's allocator has so many bytes to give. Asked before the recorder makes what it has to ask
/// that one for, and cannot make with less: such as what is handed to the program.
pub(crate) fn program_has(bytes: usize) -> bool {
    let mut room: Vec<u8> = Vec::new();
    let is_there = room.try_reserve_exact(bytes).is_ok();
    core::hint::black_box(&room);
    is_there
}

/// Room in the address space that is kept free for later, or as much of it as there was.
pub(crate) struct Aside {
    memory: AtomicPtr<u8>,
    bytes: AtomicUsize,
}

impl Aside {
    pub(crate) const fn new() -> Self {
        Self { memory: AtomicPtr::new(core::ptr::null_mut()), bytes: AtomicUsize::new(0) }
    }

    /// Keeps so many bytes, or half of that, and so on. One thread calls this.
    pub(crate) fn take(&self, bytes: usize) {
        if !self.memory.load(Ordering::Relaxed).is_null() {
            return;
        }
        let halves = core::iter::successors(Some(bytes), |bytes| Some(bytes / 2).filter(|half| *half >= SMALL_CHUNK));
        if let Some((bytes, memory)) = halves.into_iter().find_map(|bytes| Some((bytes, map(bytes)?))) {
            self.bytes.store(bytes, Ordering::Relaxed);
            self.memory.store(memory.as_ptr(), Ordering::Release);
        }
    }

    /// Gives it back to the system, so that the program's allocator can have it.
    pub(crate) fn give_back(&self) {
        if let Some(memory) = NonNull::new(self.memory.swap(core::ptr::null_mut(), Ordering::Acquire)) {
            // SAFETY: what `take` mapped, with its bytes; nobody uses it, and the swap gives it to one caller.
            unsafe { unmap(memory, self.bytes.load(Ordering::Relaxed)) };
        }
    }
}

/// Takes back what [`allocate`] gave: what is large goes to the system.
///
/// # Safety
///
/// * `memory` came from [`allocate`] with this layout, and nobody uses it any longer.
#[cfg(feature = "runtime")]
pub(crate) unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    if layout.size() > LARGE {
        // SAFETY: as the caller promises; a mapping of its own.
        unsafe { unmap(memory, layout.size()) };
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;

    use super::{CHUNK, LARGE, allocate};

    #[test]
    fn memory_is_zeroed_aligned_and_nobody_elses() {
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for (bytes, align) in [(1, 1), (24, 8), (100, 64), (LARGE, 128), (LARGE + 1, 4096), (CHUNK, 8)].repeat(20) {
            let memory = allocate(Layout::from_size_align(bytes, align).expect("a layout")).expect("memory");
            assert!(memory.addr().get().is_multiple_of(align));
            // SAFETY: so many bytes, zeroed.
            let seen = unsafe { core::slice::from_raw_parts_mut(memory.as_ptr(), bytes) };
            assert!(seen.iter().all(|byte| *byte == 0));
            seen.fill(1);
            let first = memory.addr().get();
            assert!(taken.iter().all(|(begin, end)| first >= *end || first + bytes <= *begin));
            taken.push((first, first + bytes));
        }
    }
}
