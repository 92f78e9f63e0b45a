//! Snapshots of a running program: whole events, whole sums, and the same again from a file.
#![expect(unsafe_code, reason = "blocks of exact sizes come from the allocator itself")]

use std::alloc::{Layout, alloc, dealloc};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{alone, arena, row};
use memprof::{Record, Scope, Site, Snapshot, Space};

const THREADS: usize = 4;
const ROUNDS: u64 = if cfg!(debug_assertions) { 3_000 } else { 50_000 };
const BYTES: u64 = 1000;
const NAMES: [&str; 2] = ["equal outer", "equal inner"];

fn layout() -> Layout {
    Layout::from_size_align(usize::try_from(BYTES).expect("small"), 8).expect("a layout")
}

/// A workload of blocks that all have the same size, in both spaces.
fn equal_blocks(thread: u64, sites: [&'static Site; 2], space: Space) {
    let layout = layout();
    for _ in 0..ROUNDS {
        let _outer = Scope::enter(sites[0]);
        // SAFETY: not zero bytes.
        let first = black_box(unsafe { alloc(layout) });
        memprof::record_alloc(space, thread * 2, BYTES);
        {
            let _inner = Scope::enter(sites[1]);
            // SAFETY: not zero bytes.
            let second = black_box(unsafe { alloc(layout) });
            memprof::record_alloc(space, thread * 2 + 1, BYTES);
            // SAFETY: this block and layout.
            unsafe { dealloc(first, layout) };
            memprof::record_free(space, thread * 2);
            // SAFETY: this block and layout.
            unsafe { dealloc(second, layout) };
        }
        memprof::record_free(space, thread * 2 + 1);
    }
}

fn assert_whole(row: &Record) {
    assert_eq!(row.memory_total, row.blocks_total * BYTES, "{row:?}");
    assert_eq!(row.self_total, row.self_blocks * BYTES, "{row:?}");
    assert_eq!(row.live, row.live_blocks * BYTES.cast_signed(), "{row:?}");
    assert_eq!(row.at_peak, row.at_peak_blocks * BYTES, "{row:?}");
    assert_eq!(row.memory_peak % BYTES, 0, "{row:?}");
    assert!(row.memory_peak <= 2 * BYTES, "one activation holds two blocks at most: {row:?}");
    assert!(row.ncalls <= THREADS as u64 * ROUNDS, "{row:?}");
    assert!(row.self_blocks <= THREADS as u64 * ROUNDS, "{row:?}");
}

#[test]
fn every_snapshot_of_a_running_program_holds_whole_events() {
    let _alone = alone();
    let (sites, space) = (NAMES.map(Site::named), arena());
    let running = AtomicUsize::new(THREADS);
    let mut snapshots = 0;
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let running = &running;
            threads.spawn(move || {
                equal_blocks(thread as u64, sites, space);
                running.fetch_sub(1, Ordering::Release);
            });
        }
        while running.load(Ordering::Acquire) > 0 {
            let snapshot = memprof::snapshot();
            for space in [Space::HOST, space] {
                for row in snapshot.records(space).iter().filter(|row| NAMES.contains(&&*row.name)) {
                    assert_whole(row);
                }
            }
            let totals = snapshot.totals(space);
            let records = snapshot.records(space);
            assert_eq!(totals.total, totals.blocks_total * BYTES);
            assert_eq!(totals.live, totals.live_blocks * BYTES.cast_signed());
            assert_eq!(records.iter().map(|row| row.at_peak).sum::<u64>() + totals.no_scope_at_peak, totals.peak);
            let host: u64 = snapshot.records(Space::HOST).iter().map(|row| row.at_peak).sum();
            let totals = snapshot.totals(Space::HOST);
            assert_eq!(host + totals.no_scope_at_peak, totals.at_peak_level);
            snapshots += 1;
        }
    });
    assert!(snapshots > 0);
    let snapshot = memprof::snapshot();
    let rounds = THREADS as u64 * ROUNDS;
    for space in [Space::HOST, space] {
        let (outer, inner) = (row(&snapshot, space, NAMES[0]), row(&snapshot, space, NAMES[1]));
        assert_eq!((outer.ncalls, outer.memory_peak, outer.memory_total), (rounds, 2 * BYTES, 2 * rounds * BYTES));
        assert_eq!((inner.ncalls, inner.memory_peak, inner.memory_total), (rounds, BYTES, rounds * BYTES));
        assert_eq!((outer.self_blocks, inner.self_blocks, outer.live, inner.live), (rounds, rounds, 0, 0));
    }
}

/// Of a thread that does nothing but allocate and free, whichever part of whichever event a reader meets.
#[test]
fn no_snapshot_holds_a_part_of_an_event() {
    // More where the compiler optimises (`.ci/run`): each waits for a moment without an event, of which there are few.
    const SNAPSHOTS: u32 = if cfg!(debug_assertions) { 30 } else { 200 };
    let _alone = alone();
    let layout = layout();
    // SAFETY: not zero bytes.
    let take = || black_box(unsafe { alloc(layout) });
    // SAFETY: callers give a block that `take` gave.
    let give = |block| unsafe { dealloc(block, layout) };
    let names = ["holds a block", "makes a block"];
    let [outer, inner] = names.map(Site::named);
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|threads| {
        let _done = SetOnDrop(&done);
        threads.spawn(|| {
            let _outer = Scope::enter(outer);
            while !done.load(Ordering::Relaxed) {
                let block = {
                    let _inner = Scope::enter(inner);
                    take()
                };
                // Of the path that is open, and of one that is not.
                (0..50).for_each(|_| give(take()));
                give(block);
                begun.store(true, Ordering::Relaxed);
            }
        });
        while !begun.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        for _ in 0..SNAPSHOTS {
            let snapshot = memprof::snapshot();
            for name in names {
                let row = row(&snapshot, Space::HOST, name);
                assert_eq!(row.memory_total, row.blocks_total * BYTES, "{row:?}");
                assert_eq!(row.self_total, row.self_blocks * BYTES, "{row:?}");
                assert_eq!(row.live, row.live_blocks * BYTES.cast_signed(), "{row:?}");
                assert!((0..=1).contains(&row.live_blocks), "{row:?}");
                assert!(row.memory_peak <= 2 * BYTES && row.memory_peak.is_multiple_of(BYTES), "{row:?}");
            }
        }
    });
}

/// Also where an assertion fails, so that whoever waits for it ends.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_snapshot_counts_open_scopes_as_if_they_ended_and_does_not_count_them_twice() {
    let _alone = alone();
    let space = arena();
    let scope = Scope::enter(Site::named("open at the snapshot"));
    memprof::record_alloc(space, 1, 10);
    for _ in 0..3 {
        let row = row(&memprof::snapshot(), space, "open at the snapshot");
        assert_eq!((row.ncalls, row.memory_peak, row.memory_total, row.live), (1, 10, 10, 10));
    }
    drop(scope);
    let row = row(&memprof::snapshot(), space, "open at the snapshot");
    assert_eq!((row.ncalls, row.memory_peak, row.memory_total, row.live), (1, 10, 10, 10));
    memprof::record_free(space, 1);
}

#[test]
fn a_snapshot_does_not_change_when_the_program_goes_on() {
    let _alone = alone();
    let space = arena();
    drop(Scope::enter(Site::named("before the snapshot")));
    let snapshot = memprof::snapshot();
    let text = serde_json::to_string(&snapshot).expect("plain data");
    for _ in 0..10 {
        let _scope = Scope::enter(Site::named("before the snapshot"));
        memprof::record_alloc(space, 1, 10);
        memprof::record_free(space, 1);
    }
    memprof::reset();
    assert_eq!(serde_json::to_string(&snapshot).expect("plain data"), text);
}

#[test]
fn a_snapshot_reads_back_from_json_with_every_number() {
    let _alone = alone();
    let space = arena();
    let outer = Scope::enter(Site::named("json \"outer\"\n"));
    memprof::record_alloc(space, 1, u64::from(u32::MAX));
    drop(Scope::enter(Site::named("json inner")));
    memprof::record_alloc_failure(space, 5);
    memprof::record_free(space, 99);
    let snapshot = memprof::snapshot();
    drop(outer);
    let text = serde_json::to_string(&snapshot).expect("plain data");
    let again: Snapshot = serde_json::from_str(&text).expect("it reads back");
    assert_eq!(serde_json::to_string(&again).expect("plain data"), text);
    assert_eq!(again.to_string(), snapshot.to_string());
    let spaces: Vec<&str> = snapshot.spaces().collect();
    assert_eq!(again.spaces().collect::<Vec<_>>(), spaces);
    for space in spaces {
        assert_eq!(format!("{:?}", again.records(space)), format!("{:?}", snapshot.records(space)));
        assert_eq!(format!("{:?}", again.tree(space)), format!("{:?}", snapshot.tree(space)));
        assert_eq!(format!("{:?}", again.totals(space)), format!("{:?}", snapshot.totals(space)));
    }
    // A file names what it likes: a space that this process never had stays unknown to it.
    let foreign: Snapshot = serde_json::from_str(&text.replace("arena", "never here")).expect("it reads");
    assert_eq!(foreign.totals("never here").failed, 1);
    assert_eq!(memprof::snapshot().totals("never here").failed, 0);
    memprof::record_free(space, 1);
}

#[test]
fn a_space_that_nothing_is_known_of_is_empty() {
    let _alone = alone();
    let snapshot = memprof::snapshot();
    assert!(snapshot.records("no such space").iter().all(|row| row.memory_total == 0));
    let totals = snapshot.totals("no such space");
    assert_eq!((totals.live, totals.total, totals.peak, totals.failed), (0, 0, 0, 0));
}

#[test]
fn what_comes_and_goes_while_a_snapshot_is_taken_is_not_live_in_it() {
    const BUSY: usize = 3;
    const BLOCK: usize = 10_000_000;
    let _alone = alone();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        // The threads end also where an assertion fails.
        let _ends = OnDrop(|| done.store(true, Ordering::Release));
        for _ in 0..BUSY {
            threads.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let _scope = Scope::enter(Site::named("comes and goes"));
                    drop(Vec::<u8>::with_capacity(black_box(BLOCK)));
                }
            });
        }
        for _ in 0..50 {
            let totals = memprof::snapshot().totals(Space::HOST);
            // One block a thread, and what the threads themselves and the test's own are worth.
            let most = (BUSY * BLOCK + BLOCK / 2) as u64;
            assert!((0..=most.cast_signed()).contains(&totals.live), "{totals:?}");
            assert!(totals.peak <= most, "{totals:?}");
        }
    });
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
