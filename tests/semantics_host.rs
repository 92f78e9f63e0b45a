//! The host allocator: bytes as requested, every way to allocate, an upstream that fails, and the edges of a
//! thread's and a process's life.
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System, alloc, alloc_zeroed, dealloc, realloc};
use std::cell::Cell;
use std::future::{Future as _, pending};
use std::hint::black_box;
use std::pin::pin;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::task::Waker;

use common::{alone, columns, row, six};
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

fn site(name: &str) -> &'static Site {
    Site::named(name)
}

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

#[test]
fn a_reallocation_counts_its_growth_and_no_block() {
    let _alone = alone();
    let scope = Scope::enter(site("reallocation"));
    let mut held = block(100);
    held = resize(held, 100, 260);
    assert_eq!(six(scope.counters(HOST)), [260, 1, 260, 1, 260, 1]);
    held = resize(held, 260, 60);
    assert_eq!(six(scope.counters(HOST)), [60, 1, 260, 1, 260, 1]);
    held = resize(held, 60, 60);
    assert_eq!(six(scope.counters(HOST)), [60, 1, 260, 1, 260, 1]);
    held = resize(held, 60, 100_000);
    assert_eq!(six(scope.counters(HOST)), [100_000, 1, 100_000, 1, 100_200, 1]);
    free(held, 100_000);
    assert_eq!(six(scope.counters(HOST)), [0, 0, 100_000, 1, 100_200, 1]);
    drop(scope);
    let row = rows_of("reallocation");
    assert_eq!((row.reallocs, row.blocks_total, row.self_total, row.largest), (4, 1, 100_200, 100_000));
}

#[test]
fn a_growing_vector_totals_what_it_holds_and_not_what_it_held() {
    let _alone = alone();
    let scope = Scope::enter(site("growing"));
    let mut vector: Vec<u8> = Vec::with_capacity(64);
    for _ in 0..4 {
        vector.reserve_exact(vector.capacity() * 2);
        vector.resize(vector.capacity(), 7);
    }
    let held = i64::try_from(vector.capacity()).expect("small");
    assert!(vector.iter().all(|byte| *byte == 7));
    assert_eq!(six(scope.counters(HOST)), [held, 1, held, 1, held, 1]);
    drop(vector);
}

#[test]
fn a_reallocation_makes_the_current_path_the_owner() {
    let _alone = alone();
    let outer = Scope::enter(site("first owner"));
    let held = block(100);
    let inner = Scope::enter(site("second owner"));
    let held = resize(held, 100, 250);
    assert_eq!(six(inner.counters(HOST)), [150, 0, 150, 0, 150, 0]);
    drop(inner);
    drop(outer);
    let (first, second) = (rows_of("first owner"), rows_of("second owner"));
    assert_eq!((first.live, first.live_blocks, first.self_total, first.memory_total), (0, 0, 100, 250));
    assert_eq!((second.live, second.live_blocks, second.self_total, second.memory_total), (250, 1, 150, 150));
    assert_eq!((first.reallocs, second.reallocs), (1, 1));
    free(held, 250);
    assert_eq!(rows_of("second owner").live, 0);
}

#[test]
fn a_reallocation_elsewhere_is_freed_there_and_allocated_here() {
    let _alone = alone();
    // What the standard library keeps from the first thread on is there before the scope.
    std::thread::spawn(|| ()).join().expect("no panic");
    let scope = Scope::enter(site("home of the block"));
    let held = Sent(block(1000));
    let elsewhere = std::thread::spawn(move || {
        let held = held;
        let scope = Scope::enter(site("reallocates elsewhere"));
        let moved = Sent(resize(held.0, 1000, 300));
        (six(scope.finish().counters(HOST)), moved)
    });
    let (seen, moved) = elsewhere.join().expect("no panic");
    assert_eq!(seen, [300, 1, 300, 1, 300, 1]);
    // Not seen here but for the standard library's own blocks of the thread, which are gone by now.
    assert_eq!(scope.counters(HOST).current_bytes, 0);
    drop(scope);
    let row = rows_of("reallocates elsewhere");
    assert_eq!((row.reallocs, row.blocks_total, row.self_total, row.live), (1, 1, 300, 300));
    free(moved.0, 300);
    assert_eq!(rows_of("reallocates elsewhere").live, 0);
}

#[test]
fn a_zeroed_block_is_zero_and_stays_upstreams_own() {
    let _alone = alone();
    let before = ZEROED.load(Ordering::Relaxed);
    let scope = Scope::enter(site("zeroed"));
    // SAFETY: not zero bytes.
    let held = unsafe { alloc_zeroed(bytes(4096)) };
    // SAFETY: 4096 bytes that were just allocated.
    assert!(unsafe { std::slice::from_raw_parts(held, 4096) }.iter().all(|byte| *byte == 0));
    assert_eq!(six(scope.counters(HOST)), [4096, 1, 4096, 1, 4096, 1]);
    free(held, 4096);
    drop(scope);
    assert!(ZEROED.load(Ordering::Relaxed) > before, "alloc_zeroed is forwarded");
}

#[test]
fn a_reallocation_stays_upstreams_own() {
    let _alone = alone();
    let before = REALLOCATED.load(Ordering::Relaxed);
    let held = resize(block(100), 100, 200);
    assert!(REALLOCATED.load(Ordering::Relaxed) > before, "realloc is forwarded");
    free(held, 200);
}

#[test]
fn blocks_of_every_alignment_are_aligned_keep_their_bytes_and_count_what_was_asked() {
    let _alone = alone();
    for power in 0..=21 {
        let scope = Scope::enter(site("aligned"));
        let layout = Layout::from_size_align(100, 1 << power).expect("a layout");
        // SAFETY: not zero bytes.
        let held = unsafe { alloc(layout) };
        assert_eq!(held.addr() % layout.align(), 0);
        // SAFETY: 100 bytes that were just allocated.
        unsafe { held.write_bytes(0xa5, 100) };
        assert_eq!(six(scope.counters(HOST)), [100, 1, 100, 1, 100, 1]);
        // SAFETY: this block and layout.
        let held = unsafe { realloc(held, layout, 5000) };
        assert_eq!(held.addr() % layout.align(), 0);
        // SAFETY: the first 100 of 5000 bytes were written.
        assert!(unsafe { std::slice::from_raw_parts(held, 100) }.iter().all(|byte| *byte == 0xa5));
        assert_eq!(six(scope.counters(HOST)), [5000, 1, 5000, 1, 5000, 1]);
        let grown = Layout::from_size_align(5000, 1 << power).expect("a layout");
        // SAFETY: this block with the layout that it has now.
        unsafe { dealloc(held, grown) };
        // SAFETY: not zero bytes.
        let zeroed = unsafe { alloc_zeroed(layout) };
        assert_eq!(zeroed.addr() % layout.align(), 0);
        // SAFETY: 100 bytes that were just allocated.
        assert!(unsafe { std::slice::from_raw_parts(zeroed, 100) }.iter().all(|byte| *byte == 0));
        // SAFETY: this block and layout.
        unsafe { dealloc(zeroed, layout) };
        assert_eq!(six(scope.finish().counters(HOST)), [0, 0, 5000, 1, 5100, 2]);
    }
}

#[test]
fn what_upstream_refuses_is_a_failure_and_nothing_else() {
    let _alone = alone();
    let scope = Scope::enter(site("refused"));
    // SAFETY: not zero bytes; null is looked at.
    assert!(unsafe { alloc(bytes(REFUSED)) }.is_null());
    // SAFETY: as above.
    assert!(unsafe { alloc_zeroed(bytes(REFUSED)) }.is_null());
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    let held = block(100);
    // SAFETY: 100 bytes.
    unsafe { held.write_bytes(3, 100) };
    assert!(resize(held, 100, REFUSED).is_null());
    assert_eq!(six(scope.counters(HOST)), [100, 1, 100, 1, 100, 1]);
    // The block is still there, and still this block.
    // SAFETY: a refused reallocation leaves the block as it was.
    assert!(unsafe { std::slice::from_raw_parts(held, 100) }.iter().all(|byte| *byte == 3));
    let held = resize(held, 100, 150);
    free(held, 150);
    drop(scope);
    let row = rows_of("refused");
    assert_eq!((row.failed, row.reallocs, row.blocks_total, row.memory_total), (3, 1, 1, 150));
    let mut vector: Vec<u8> = Vec::new();
    assert!(vector.try_reserve_exact(REFUSED).is_err());
}

#[test]
fn a_request_that_no_tag_fits_in_front_of_fails_and_does_not_overflow() {
    let _alone = alone();
    let largest = Layout::from_size_align(isize::MAX as usize - 7, 8).expect("the largest layout");
    let scope = Scope::enter(site("too large"));
    // SAFETY: not zero bytes; null is looked at.
    assert!(unsafe { alloc(largest) }.is_null());
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    drop(scope);
    assert_eq!(rows_of("too large").failed, 1);
}

#[test]
fn the_recorders_own_memory_is_in_no_number() {
    let _alone = alone();
    let names: Vec<String> = (0..1000).map(|name| format!("own memory {name}")).collect();
    let space = Space::named("own memory");
    let context = Context::current();
    let scope = Scope::enter(site("own memory"));
    for (address, name) in names.iter().enumerate() {
        let _scope = Scope::enter(Site::named(name));
        memprof::record_alloc(space, address as u64, 1);
        let _entered = context.enter();
    }
    for address in 0..names.len() {
        memprof::record_free(space, address as u64);
    }
    drop(Context::current());
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
    let before = scope.counters(HOST).current_bytes;
    drop(memprof::snapshot());
    assert_eq!(scope.counters(HOST).current_bytes, before);
}

#[test]
fn blocks_allocated_before_main_are_freed_like_any_other() {
    static EARLY: AtomicPtr<u8> = AtomicPtr::new(null_mut());
    extern "C" fn early() {
        let held = block(64);
        // SAFETY: 64 bytes.
        unsafe { held.write_bytes(9, 64) };
        EARLY.store(held, Ordering::Relaxed);
    }
    #[used]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    static RUN_EARLY: extern "C" fn() = early;

    let _alone = alone();
    let held = EARLY.swap(null_mut(), Ordering::Relaxed);
    if held.is_null() {
        return;
    }
    // SAFETY: the 64 bytes that `early` wrote.
    assert!(unsafe { std::slice::from_raw_parts(held, 64) }.iter().all(|byte| *byte == 9));
    let scope = Scope::enter(site("frees what is older than main"));
    free(held, 64);
    // Allocated on the main thread, freed here: this scope does not see it.
    assert_eq!(six(scope.counters(HOST)), [0; 6]);
}

#[test]
fn blocks_freed_in_thread_local_destructors_and_after_them_lower_their_owners_live() {
    thread_local! {
        static LATE: std::cell::RefCell<Vec<Vec<u8>>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let _alone = alone();
    let key = exit_key();
    std::thread::spawn(move || {
        let _scope = Scope::enter(site("freed late"));
        LATE.with_borrow_mut(|late| late.push(vec![1; 500]));
        // SAFETY: the key exists, and its destructor frees the block.
        assert_eq!(unsafe { libc::pthread_setspecific(key, block(77).cast()) }, 0);
    })
    .join()
    .expect("no panic");
    let row = rows_of("freed late");
    assert_eq!((row.live, row.live_blocks), (0, 0));
    assert!(row.memory_total >= 577);
}

/// A key of the C library: its destructor runs after Rust's thread-local destructors.
fn exit_key() -> libc::pthread_key_t {
    unsafe extern "C" fn late(held: *mut libc::c_void) {
        free(held.cast(), 77);
        // Allocating that late must work as well.
        let more = block(33);
        free(more, 33);
    }
    let mut key = 0;
    // SAFETY: `key` is written, `late` is a function of the program.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(late)) }, 0);
    key
}

#[test]
fn the_owners_picture_of_the_host_sums_to_the_level_at_which_it_was_taken() {
    let _alone = alone();
    let _scope = Scope::enter(site("picture"));
    let held: Vec<Vec<u8>> = (0..40).map(|_| vec![1; 100_000]).collect();
    drop(held);
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(HOST);
    let owners: u64 = snapshot.records(HOST).iter().map(|row| row.at_peak).sum();
    assert_eq!(owners + totals.no_scope_at_peak, totals.at_peak_level);
    assert!(totals.at_peak_level <= totals.peak + 65_536 * 64);
    assert!(row(&snapshot, HOST, "picture").at_peak >= 3_900_000);
}

#[test]
fn live_bytes_add_up_over_owners_and_outside_any_scope() {
    let _alone = alone();
    let held: Vec<Vec<u8>> = (1..20)
        .map(|size| {
            let _scope = Scope::enter(if size % 2 == 0 { site("even") } else { site("odd") });
            vec![1; size]
        })
        .collect();
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(HOST);
    let live: i64 = snapshot.records(HOST).iter().map(|row| row.live).sum();
    assert_eq!(live + totals.no_scope_live, totals.live);
    let own: u64 = snapshot.records(HOST).iter().map(|row| row.self_total).sum();
    assert_eq!(own + totals.no_scope_total, totals.total);
    assert_eq!((row(&snapshot, HOST, "even").live, row(&snapshot, HOST, "odd").live), (90, 100));
    drop(held);
}
