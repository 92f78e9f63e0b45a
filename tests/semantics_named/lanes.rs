//! Threads: whose scope an event is charged to, hand-over, `Context`, ambient scopes, and threads that end.

mod contexts;
mod ends;

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier};

use crate::common::{Worker, alone, arena, columns, find_rows, path, row, rows_of, site, six};
use memprof::{Context, Scope, Space};

fn enter(worker: &Worker, name: &'static str) {
    worker.run(move |scopes| scopes.push(Scope::enter(site(name))));
}

fn leave(worker: &Worker) {
    worker.run(|scopes| drop(scopes.pop().expect("an open scope")));
}

fn alloc(worker: &Worker, address: u64, bytes: u64) {
    worker.run(move |_| memprof::record_alloc(arena(), address, bytes));
}

fn free(worker: &Worker, address: u64) {
    worker.run(move |_| memprof::record_free(arena(), address));
}

fn top(worker: &Worker) -> [i64; 6] {
    worker.run(|_| six(memprof::counters(arena())))
}

// ---- hand-over

#[test]
fn a_free_elsewhere_is_charged_to_the_allocating_threads_open_scope_and_not_seen_here() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    enter(&one, "sender");
    enter(&two, "receiver");
    alloc(&one, 1, 100);
    free(&two, 1);
    assert_eq!(top(&two), [0; 6]);
    assert_eq!(top(&one), [0, 0, 100, 1, 100, 1]);
    leave(&one);
    leave(&two);
    assert_eq!(columns(&rows_of("sender")), (1, 100, 100));
    assert_eq!(columns(&rows_of("receiver")), (1, 0, 0));
}

#[test]
fn a_hand_over_goes_to_the_scope_that_is_innermost_when_it_comes() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    enter(&one, "then outer");
    alloc(&one, 1, 100);
    enter(&one, "then inner");
    free(&two, 1);
    assert_eq!(top(&one), [-100, -1, 0, 0, 0, 0]);
    alloc(&one, 2, 40);
    assert_eq!(top(&one), [-60, 0, 0, 0, 40, 1]);
    leave(&one);
    assert_eq!(top(&one), [40, 1, 100, 1, 140, 2]);
    free(&one, 2);
    leave(&one);
    assert_eq!(columns(&rows_of("then inner")), (1, 0, 40));
    assert_eq!(columns(&rows_of("then outer")), (1, 100, 140));
}

#[test]
fn a_hand_over_that_came_before_a_child_was_entered_is_not_the_childs() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    enter(&one, "before outer");
    alloc(&one, 1, 100);
    free(&two, 1);
    enter(&one, "before inner");
    assert_eq!(top(&one), [0; 6]);
    alloc(&one, 2, 70);
    assert_eq!(top(&one), [70, 1, 70, 1, 70, 1]);
    free(&one, 2);
    leave(&one);
    assert_eq!(top(&one), [0, 0, 100, 1, 170, 2]);
    leave(&one);
}

#[test]
fn a_hand_over_lowers_what_the_next_peak_stands_on() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    enter(&one, "stands on");
    alloc(&one, 1, 100);
    alloc(&one, 2, 100);
    free(&two, 1);
    alloc(&one, 3, 50);
    assert_eq!(top(&one), [150, 2, 200, 2, 250, 3]);
    alloc(&one, 4, 51);
    assert_eq!(top(&one), [201, 3, 201, 3, 301, 4]);
    for address in 2..=4 {
        free(&two, address);
    }
    assert_eq!(top(&one), [0, 0, 201, 3, 301, 4]);
    leave(&one);
}

#[test]
fn a_hand_over_outside_any_scope_goes_to_the_base_record() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    alloc(&one, 1, 100);
    enter(&two, "frees for a base");
    free(&two, 1);
    assert_eq!(top(&two), [0; 6]);
    assert_eq!(top(&one), [0, 0, 100, 1, 100, 1]);
    leave(&two);
}

#[test]
fn a_snapshot_counts_hand_overs_that_are_on_their_way() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    enter(&one, "on their way");
    alloc(&one, 1, 100);
    alloc(&one, 2, 10);
    free(&two, 1);
    // The owner has done nothing since.
    let row = rows_of("on their way");
    assert_eq!((columns(&row), row.live, row.live_blocks), ((1, 110, 110), 10, 1));
    leave(&one);
    free(&two, 2);
    assert_eq!(rows_of("on their way").live, 0);
}

#[test]
fn a_producers_peak_is_what_it_and_its_consumers_hold_at_once() {
    const BLOCKS: u64 = 1000;
    const WINDOW: u64 = 4;
    let _alone = alone();
    let (to_consumer, blocks) = channel::<u64>();
    // One token per block that the producer may have out.
    let (give, take) = sync_channel::<()>(usize::try_from(WINDOW).expect("small"));
    (0..WINDOW).for_each(|_| give.send(()).expect("room"));
    let consumer = std::thread::spawn(move || {
        let scope = Scope::enter(site("consumer"));
        for address in blocks {
            memprof::record_free(arena(), address);
            if give.send(()).is_err() {
                break;
            }
        }
        six(scope.counters(arena()))
    });
    let scope = Scope::enter(site("producer"));
    for address in 0..BLOCKS {
        take.recv().expect("the consumer lives");
        memprof::record_alloc(arena(), address, 1000);
        to_consumer.send(address).expect("the consumer lives");
    }
    (0..WINDOW).for_each(|_| take.recv().expect("the consumer lives"));
    drop(to_consumer);
    let total = i64::try_from(BLOCKS).expect("small");
    let produced = six(scope.finish().counters(arena()));
    assert_eq!(produced[..2], [0, 0]);
    assert_eq!(produced[4..], [total * 1000, total]);
    // All four were out at the start of the first window: the consumer could not be slower than that.
    assert!(produced[2] <= 4000 && produced[3] <= 4, "{produced:?}");
    assert!(produced[2] >= 1000 && produced[3] >= 1, "{produced:?}");
    drop(take);
    assert_eq!(consumer.join().expect("no panic"), [0; 6], "the consumer sees nothing and does not go negative");
    assert_eq!(rows_of("consumer").memory_total, 0);
}

// ---- threads that end

#[test]
fn a_thread_that_has_ended_leaves_its_blocks_to_nobody() {
    let _alone = alone();
    let one = Worker::start();
    enter(&one, "ended thread");
    alloc(&one, 1, 100);
    leave(&one);
    one.end();
    assert_eq!(rows_of("ended thread").live, 100);
    // The next threads may stand where the ended one stood: its blocks are not theirs.
    let next: Vec<Worker> = (0..4).map(|_| Worker::start()).collect();
    let before: Vec<_> = next.iter().map(top).collect();
    assert!(before.iter().all(|counters| *counters == [0; 6]));
    let scope = Scope::enter(site("frees for the dead"));
    memprof::record_free(arena(), 1);
    assert_eq!(six(scope.counters(arena())), [0; 6]);
    drop(scope);
    assert!(next.iter().all(|worker| top(worker) == [0; 6]));
    assert_eq!(rows_of("ended thread").live, 0);
    assert_eq!(columns(&rows_of("ended thread")), (1, 100, 100));
}

#[test]
fn a_thousand_threads_at_once_and_a_thousand_one_after_another_keep_their_totals() {
    const THREADS: u64 = 1000;
    let _alone = alone();
    let space = Space::named("many threads");
    let barrier = Arc::new(Barrier::new(usize::try_from(THREADS).expect("small")));
    let work = move |thread: u64| {
        let _scope = Scope::enter(site("many threads"));
        memprof::record_alloc(space, thread, 10);
        thread
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let barrier = Arc::clone(&barrier);
            let start = std::thread::Builder::new().stack_size(64 << 10);
            start.spawn(move || {
                barrier.wait();
                work(thread)
            })
        })
        .collect();
    for thread in threads {
        thread.expect("a thread").join().expect("no panic");
    }
    for thread in THREADS..2 * THREADS {
        std::thread::spawn(move || work(thread)).join().expect("no panic");
    }
    let snapshot = memprof::snapshot();
    let row = row(&snapshot, space, "many threads");
    assert_eq!(columns(&row), (2 * THREADS, 10, 20 * THREADS));
    assert_eq!((row.live, row.live_blocks, row.blocks_total), (20_000, 2000, 2000));
    assert_eq!((snapshot.totals(space).peak, row.at_peak), (20_000, 20_000));
    (0..2 * THREADS).for_each(|address| memprof::record_free(space, address));
    assert_eq!(memprof::snapshot().totals(space).live, 0);
}
