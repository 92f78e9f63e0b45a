//! The host allocator: bytes as requested, every way to allocate, an upstream that fails, and the edges of a
//! thread's and a process's life.
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

#[path = "../common/mod.rs"]
mod common;
mod reallocations;
mod recursion;
mod edges;

use std::alloc::{GlobalAlloc, Layout, System, alloc, alloc_zeroed, dealloc, realloc};
use std::cell::Cell;
use std::future::{Future as _, pending};
use std::hint::black_box;
use std::pin::pin;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::task::Waker;

use common::{alone, columns, row, site, six};
use memprof::{Context, Scope, Site, Space, TrackExt as _};

/// An upstream that refuses blocks of one size, and counts two of the calls that reach it.
struct Picky;

const REFUSED: usize = 12_345;
static ZEROED: AtomicUsize = AtomicUsize::new(0);
static REALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System`, or fails.
unsafe impl GlobalAlloc for Picky {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return null_mut();
        }
        ZEROED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if is_refused(bytes) {
            return null_mut();
        }
        REALLOCATED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(block, layout, bytes) }
    }
}

/// An upstream of one block, so that two blocks of two threads are sure to have one address.
struct OneBlock;

static ONE_BLOCK: memprof::Alloc<OneBlock> = memprof::Alloc::new(OneBlock).always();

// SAFETY: the one user frees a block before it asks for the next, and the memory is large and aligned enough for its blocks.
unsafe impl GlobalAlloc for OneBlock {
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        static MEMORY: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];
        MEMORY.as_ptr().cast_mut().cast()
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

/// The size asked for, or that with the tag in front of it (8 bytes, for plain alignments).
fn is_refused(bytes: usize) -> bool {
    bytes == REFUSED || bytes == REFUSED + 8
}

#[global_allocator]
static ALLOC: memprof::Alloc<Picky> = memprof::Alloc::new(Picky).always();

const HOST: Space = Space::HOST;

fn rows_of(name: &str) -> memprof::Record {
    row(&memprof::snapshot(), HOST, name)
}

fn bytes(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

/// A block of exactly this many bytes.
fn block(size: usize) -> *mut u8 {
    // SAFETY: no caller asks for zero bytes.
    let block = unsafe { alloc(bytes(size)) };
    assert!(!block.is_null());
    block
}

fn free(block: *mut u8, size: usize) {
    // SAFETY: callers pass what `block` or `resize` gave them, once, with its size.
    unsafe { dealloc(block, bytes(size)) }
}

fn resize(block: *mut u8, from: usize, to: usize) -> *mut u8 {
    // SAFETY: as `free`.
    unsafe { realloc(block, bytes(from), to) }
}

struct Sent(*mut u8);
// SAFETY: plain bytes.
unsafe impl Send for Sent {}

#[test]
fn host_bytes_are_those_requested_and_not_rounded() {
    let _alone = alone();
    let scope = Scope::enter(site("requested"));
    let one = block(1);
    assert_eq!(six(scope.counters(HOST)), [1, 1, 1, 1, 1, 1]);
    let more = block(1001);
    assert_eq!(six(scope.counters(HOST)), [1002, 2, 1002, 2, 1002, 2]);
    free(one, 1);
    free(more, 1001);
    assert_eq!(six(scope.finish().counters(HOST)), [0, 0, 1002, 2, 1002, 2]);
}

#[test]
fn collections_are_measured_to_the_byte() {
    let _alone = alone();
    let scope = Scope::enter(site("collections"));
    let vector: Vec<u64> = Vec::with_capacity(125);
    assert_eq!(six(scope.counters(HOST)), [1000, 1, 1000, 1, 1000, 1]);
    let boxed = black_box(Box::new([0u8; 24]));
    let text = String::from("twelve bytes");
    assert_eq!(six(scope.counters(HOST)), [1036, 3, 1036, 3, 1036, 3]);
    drop(vector);
    let nothing = black_box((Box::new(()), Vec::<u8>::new(), String::new()));
    drop(nothing);
    drop(boxed);
    drop(text);
    assert_eq!(six(scope.finish().counters(HOST)), [0, 0, 1036, 3, 1036, 3]);
}

#[test]
fn ten_megabyte_vectors_one_after_another_peak_at_one_and_held_at_once_at_ten() {
    const MB: u64 = 1_000_000;
    fn megabyte() -> Vec<u8> {
        black_box(vec![1; 1_000_000])
    }
    let _alone = alone();
    {
        let _scope = Scope::enter(site("host one after another"));
        (0..10).for_each(|_| drop(megabyte()));
    }
    {
        let _scope = Scope::enter(site("host held at once"));
        let held: [Vec<u8>; 10] = std::array::from_fn(|_| megabyte());
        drop(held);
    }
    assert_eq!(columns(&rows_of("host one after another")), (1, MB, 10 * MB));
    assert_eq!(columns(&rows_of("host held at once")), (1, 10 * MB, 10 * MB));
    assert_eq!(rows_of("host one after another").temporary, 10);
    assert_eq!(rows_of("host held at once").largest, MB);
}

#[test]
fn a_block_of_another_thread_at_the_address_of_the_latest_is_not_temporary() {
    let _alone = alone();
    let layout = bytes(64);
    // SAFETY: the layout has a size.
    let take = || unsafe { ONE_BLOCK.alloc(layout) };
    // SAFETY: callers give a block that `take` gave.
    let give = |block| unsafe { ONE_BLOCK.dealloc(block, layout) };
    // Nothing else is allocated here between the blocks.
    let (handed, turn) = (AtomicPtr::default(), Barrier::new(2));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            turn.wait();
            give(handed.load(Ordering::Relaxed));
            let _scope = Scope::enter(site("later, elsewhere"));
            handed.store(take(), Ordering::Relaxed);
            turn.wait();
        });
        let _scope = Scope::enter(site("latest"));
        let first = take();
        handed.store(first, Ordering::Relaxed);
        turn.wait();
        turn.wait();
        let second = handed.load(Ordering::Relaxed);
        assert_eq!(first, second);
        give(second);
    });

    assert_eq!(rows_of("latest").temporary, 0);
    assert_eq!(rows_of("later, elsewhere").temporary, 0);
}

/// The later block's task has the very lane that the earlier one's had.
#[test]
fn a_block_of_another_task_at_the_address_of_the_latest_is_not_temporary() {
    let _alone = alone();
    let layout = bytes(64);
    let (handed, turn) = (AtomicPtr::default(), Barrier::new(2));
    // SAFETY: callers give a block that a task took.
    let give = || unsafe { ONE_BLOCK.dealloc(handed.load(Ordering::Relaxed), layout) };
    let task = |name| {
        let takes = async {
            // SAFETY: the layout has a size.
            handed.store(unsafe { ONE_BLOCK.alloc(layout) }, Ordering::Relaxed);
            pending::<()>().await;
        };
        Box::pin(takes.track(site(name)))
    };
    let [mut first, mut second] = ["takes it first", "takes it later"].map(task);
    let mut context = std::task::Context::from_waker(Waker::noop());
    let ends_elsewhere = Mutex::new(None);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            turn.wait();
            give();
            drop(ends_elsewhere.lock().expect("nobody panicked").take());
            let mut context = std::task::Context::from_waker(Waker::noop());
            assert!(second.as_mut().poll(&mut context).is_pending());
            turn.wait();
        });
        // Nothing is allocated here from now on.
        assert!(first.as_mut().poll(&mut context).is_pending());
        *ends_elsewhere.lock().expect("nobody panicked") = Some(first);
        turn.wait();
        turn.wait();
        give();
    });

    assert_eq!(rows_of("takes it first").temporary, 0);
    assert_eq!(rows_of("takes it later").temporary, 0);
}

/// What a thread goes on with in between does not matter, only what it allocates.
#[test]
fn a_block_of_a_poll_that_is_freed_after_it_is_temporary_until_the_next_allocation() {
    let _alone = alone();
    let layout = bytes(64);
    let handed = Cell::new(null_mut());
    // SAFETY: the layout has a size.
    let take = || handed.set(unsafe { ALLOC.alloc(layout) });
    // SAFETY: callers took a block that was not given.
    let give = || unsafe { ALLOC.dealloc(handed.get(), layout) };
    let waits = |before: fn(&dyn Fn())| {
        let take = &take;
        async move {
            before(take);
            pending::<()>().await;
        }
    };
    let mut owners = ["at once", "after another poll", "after an allocation"]
        .map(|name| Box::pin(waits(|take| take()).track(site(name))));
    let mut idle = pin!(waits(|_| ()).track(site("allocates nothing")));
    let mut context = std::task::Context::from_waker(Waker::noop());
    let [at_once, after_another, after_allocation] = &mut owners;

    assert!(at_once.as_mut().poll(&mut context).is_pending());
    give();
    assert!(after_another.as_mut().poll(&mut context).is_pending());
    assert!(idle.as_mut().poll(&mut context).is_pending());
    give();
    assert!(after_allocation.as_mut().poll(&mut context).is_pending());
    drop(black_box(Box::new(1)));
    give();

    let temporary = ["at once", "after another poll", "after an allocation"].map(|name| rows_of(name).temporary);
    assert_eq!(temporary, [1, 1, 0]);
}
