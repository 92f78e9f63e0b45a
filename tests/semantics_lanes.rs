//! Threads: whose scope an event is charged to, hand-over, `Context`, ambient scopes, and threads that end.

mod common;

use std::future::Future as _;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier};

use common::{Worker, alone, columns, find_rows, path, row, six};
use memprof::{Context, Scope, Site, Space, TrackExt as _};

fn arena() -> Space {
    Space::named("arena")
}

fn site(name: &str) -> &'static Site {
    Site::named(name)
}

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

fn rows_of(name: &str) -> memprof::Record {
    row(&memprof::snapshot(), arena(), name)
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

// ---- Context

#[test]
fn a_child_threads_memory_reaches_its_parents_scope_through_a_context() {
    let _alone = alone();
    let parent = Scope::enter(site("context parent"));
    memprof::record_alloc(arena(), 1, 5);
    let context = Context::current();
    let on_child = std::thread::spawn(move || {
        let own = Scope::enter(site("context not entered"));
        context.run(|| {
            memprof::record_alloc(arena(), 2, 100);
            let _scope = Scope::enter(site("context child"));
            memprof::record_alloc(arena(), 3, 10);
            memprof::record_free(arena(), 3);
        });
        six(own.finish().counters(arena()))
    });
    assert_eq!(on_child.join().expect("no panic"), [0; 6], "nothing reaches what the thread had open before");
    let parent = six(parent.finish().counters(arena()));
    assert_eq!((parent[0], parent[1], parent[4], parent[5]), (105, 2, 115, 3));
    let snapshot = memprof::snapshot();
    let row = row(&snapshot, arena(), "context parent");
    assert_eq!((row.memory_total, row.self_total, row.live, row.blocks_total), (115, 105, 105, 3));
    assert!(path(&snapshot, arena(), &["context parent", "context child"]).is_some());
    assert!(path(&snapshot, arena(), &["context not entered", "context child"]).is_none());
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 2);
}

#[test]
fn scoped_threads_under_a_context_add_up_in_their_parent() {
    const THREADS: u64 = 8;
    const BYTES: u64 = 1 << 20;
    let _alone = alone();
    let parent = Scope::enter(site("scoped parent"));
    let context = Context::current();
    let barrier = Barrier::new(usize::try_from(THREADS).expect("small"));
    std::thread::scope(|threads| {
        for address in 0..THREADS {
            let (context, barrier) = (&context, &barrier);
            threads.spawn(move || {
                let _entered = context.enter();
                memprof::scope!("scoped child");
                memprof::record_alloc(arena(), address, BYTES);
                // All hold their block at this moment.
                barrier.wait();
                memprof::record_free(arena(), address);
            });
        }
    });
    let sum = i64::try_from(THREADS * BYTES).expect("small");
    let parent = six(parent.finish().counters(arena()));
    assert_eq!([parent[0], parent[1], parent[4], parent[5]], [0, 0, sum, 8]);
    // The contract's bound: 64 KiB per thread.
    assert!((parent[2] - sum).abs() <= 8 * 65_536, "peak {} of {sum}", parent[2]);
    assert_eq!(columns(&rows_of("scoped child")), (8, BYTES, 8 * BYTES));
}

#[test]
fn under_a_context_a_free_is_the_capturing_lanes_own() {
    let _alone = alone();
    let parent = Scope::enter(site("home parent"));
    memprof::record_alloc(arena(), 1, 100);
    let context = Context::current();
    let seen = std::thread::spawn(move || {
        context.run(|| {
            let scope = Scope::enter(site("home child"));
            // Allocated on the capturing lane, freed on it: the innermost open scope here sees it.
            memprof::record_free(arena(), 1);
            memprof::record_alloc(arena(), 2, 30);
            six(scope.counters(arena()))
        })
    });
    assert_eq!(seen.join().expect("no panic"), [-70, 0, 0, 0, 30, 1]);
    // And the other way round: its block freed here is no hand-over.
    let inner = Scope::enter(site("home inner"));
    memprof::record_free(arena(), 2);
    assert_eq!(six(inner.counters(arena())), [-30, -1, 0, 0, 0, 0]);
    drop(inner);
    let parent = six(parent.finish().counters(arena()));
    assert_eq!([parent[0], parent[1], parent[4], parent[5]], [0, 0, 130, 2]);
}

#[test]
fn a_context_that_outlives_its_scope_gives_the_path_and_adds_to_nobody() {
    let _alone = alone();
    let space = Space::named("outlived");
    let around = Scope::enter(site("outlived around"));
    let scope = Scope::enter(site("outlived scope"));
    let context = Context::current();
    drop(scope);
    std::thread::spawn(move || {
        let _entered = context.enter();
        memprof::record_alloc(space, 1, 100);
        let _scope = Scope::enter(site("outlived child"));
        memprof::record_alloc(space, 2, 10);
    })
    .join()
    .expect("no panic");
    assert_eq!(six(around.counters(space)), [0; 6]);
    drop(around);
    let snapshot = memprof::snapshot();
    let names = ["outlived around", "outlived scope", "outlived child"];
    let scope = path(&snapshot, space, &names[..2]).expect("a path");
    let child = path(&snapshot, space, &names).expect("a path");
    assert_eq!((scope.memory_total, scope.self_total, scope.live, scope.ncalls), (0, 100, 100, 1));
    assert_eq!((child.memory_total, child.self_total, child.live, child.ncalls), (10, 10, 10, 1));
    let totals = snapshot.totals(space);
    assert_eq!((totals.total, totals.live, totals.no_scope_total), (110, 110, 0));
    memprof::record_free(space, 1);
    memprof::record_free(space, 2);
}

#[test]
fn a_block_allocated_under_the_last_of_a_context_keeps_its_lane_from_a_stranger() {
    let _alone = alone();
    let space = Space::named("last of a context");
    let capture = || {
        let _scope = Scope::enter(site("ended with its thread"));
        Context::current()
    };
    let context = std::thread::spawn(capture).join().expect("no panic");
    let entered = context.enter();
    drop(context);
    memprof::record_alloc(space, 1, 10);
    drop(entered);
    // A task takes the lane that came to the pool last.
    let stranger = async {
        memprof::record_free(space, 1);
        memprof::counters(space)
    };
    let mut stranger = std::pin::pin!(stranger.track(site("stranger")));
    let polled = stranger.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert_eq!(polled.map(six), std::task::Poll::Ready([0; 6]));
}

#[test]
fn a_context_captured_outside_any_scope_adds_to_nobody() {
    let _alone = alone();
    let space = Space::named("captured outside");
    let one = Worker::start();
    let (base, context) = one.run(move |_| (six(memprof::counters(space)), Context::current()));
    assert_eq!(base, [0; 6]);
    let two = Worker::start();
    two.run(move |_| {
        let own = Scope::enter(site("captured outside own"));
        context.run(|| {
            memprof::record_alloc(space, 1, 100);
            let _scope = Scope::enter(site("captured outside child"));
            memprof::record_alloc(space, 2, 10);
        });
        assert_eq!(six(own.counters(space)), [0; 6]);
    });
    assert_eq!(one.run(move |_| six(memprof::counters(space))), [0; 6]);
    let snapshot = memprof::snapshot();
    assert!(path(&snapshot, space, &["captured outside child"]).is_some(), "under no other site");
    let totals = snapshot.totals(space);
    assert_eq!((totals.no_scope_total, totals.no_scope_live, totals.total), (100, 100, 110));
    memprof::record_free(space, 1);
    memprof::record_free(space, 2);
}

#[test]
fn a_context_is_entered_many_times_and_within_another() {
    let _alone = alone();
    let (one, two, three) = (Worker::start(), Worker::start(), Worker::start());
    enter(&one, "nested one");
    enter(&two, "nested two");
    let first = one.run(|_| Context::current());
    let second = two.run(|_| Context::current());
    let (clone, other) = (first.clone(), second.clone());
    three.run(move |_| {
        let _one = clone.enter();
        memprof::record_alloc(arena(), 1, 1);
        {
            let _two = other.enter();
            memprof::record_alloc(arena(), 2, 10);
            {
                let _one = clone.enter();
                memprof::record_alloc(arena(), 3, 100);
            }
            memprof::record_alloc(arena(), 4, 1000);
        }
        memprof::record_alloc(arena(), 5, 10_000);
    });
    three.run(move |_| first.run(|| memprof::record_alloc(arena(), 6, 100_000)));
    assert_eq!((top(&one)[0], top(&one)[4]), (110_101, 110_101));
    assert_eq!((top(&two)[0], top(&two)[4]), (1010, 1010));
    leave(&one);
    leave(&two);
    assert_eq!(rows_of("nested one").memory_total, 110_101);
    assert_eq!(rows_of("nested two").memory_total, 1010);
    (1..=6).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn a_site_entered_again_under_a_context_is_counted_once_while_the_captured_one_is_open() {
    let _alone = alone();
    let outer = Scope::enter(site("recursive over threads"));
    let context = Context::current();
    let handle = context.clone();
    std::thread::spawn(move || {
        handle.run(|| {
            let _scope = Scope::enter(site("recursive over threads"));
            memprof::record_alloc(arena(), 1, 10);
        });
    })
    .join()
    .expect("no panic");
    drop(outer);
    let row = rows_of("recursive over threads");
    assert_eq!((row.ncalls, row.memory_total, row.blocks_total), (2, 10, 1));
    // Now the captured scope has ended: nothing is open above it, and it counts.
    context.run(|| {
        let _scope = Scope::enter(site("recursive over threads"));
        memprof::record_alloc(arena(), 2, 100);
    });
    let row = rows_of("recursive over threads");
    assert_eq!((row.ncalls, row.memory_total, row.blocks_total), (3, 110, 2));
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 2);
}

// ---- ambient

#[test]
fn an_ambient_scope_catches_lanes_without_a_scope_for_as_long_as_its_guard_lives() {
    let _alone = alone();
    let space = Space::named("ambient");
    let (one, two) = (Worker::start(), Worker::start());
    enter(&two, "not ambient");
    let alloc = |worker: &Worker, address: u64, bytes: u64| {
        worker.run(move |_| memprof::record_alloc(space, address, bytes));
    };
    alloc(&one, 1, 1);
    let guard = memprof::ambient("ambient scope");
    alloc(&one, 2, 10);
    alloc(&two, 3, 100);
    one.run(move |_| {
        let _scope = Scope::enter(site("in ambient"));
        memprof::record_alloc(space, 4, 1000);
    });
    drop(guard);
    alloc(&one, 5, 10_000);
    leave(&two);
    let snapshot = memprof::snapshot();
    let ambient = row(&snapshot, space, "ambient scope");
    assert_eq!((ambient.ncalls, ambient.memory_total, ambient.self_total, ambient.live), (1, 1010, 10, 10));
    assert!(path(&snapshot, space, &["ambient scope", "in ambient"]).is_some());
    assert_eq!(row(&snapshot, space, "not ambient").memory_total, 100);
    assert!(path(&snapshot, space, &["not ambient"]).is_some());
    assert_eq!(snapshot.totals(space).no_scope_total, 10_001);
    (1..=5).for_each(|address| memprof::record_free(space, address));
}

// ---- scopes and events where a thread ends

#[test]
fn scopes_and_events_in_a_thread_local_destructor_count() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            let _scope = Scope::enter(site("destructor"));
            memprof::record_alloc(arena(), 1, 7);
            memprof::record_free(arena(), 2);
        }
    }
    thread_local! { static LAST: Last = const { Last }; }
    let _alone = alone();
    for _ in 0..3 {
        std::thread::spawn(|| {
            // Registered before anything of the recorder's, so that it runs after that.
            LAST.with(|_| ());
            let _scope = Scope::enter(site("before destructor"));
            memprof::record_alloc(arena(), 2, 5);
        })
        .join()
        .expect("no panic");
    }
    let snapshot = memprof::snapshot();
    let totals = snapshot.totals(arena());
    assert_eq!(row(&snapshot, arena(), "before destructor").live, 0);
    assert_eq!(row(&snapshot, arena(), "before destructor").ncalls, 3);
    // Scopes need not be opened that late, but no byte is lost: it is in the row or outside any scope.
    let in_row: u64 = find_rows(&snapshot, arena(), "destructor").iter().map(|row| row.self_total).sum();
    assert_eq!(in_row + totals.no_scope_total, 21);
    memprof::record_free(arena(), 1);
}

#[test]
fn a_report_is_taken_inside_a_scope_on_another_thread_and_in_a_panic_hook() {
    let _alone = alone();
    let (give, take) = channel();
    let give = std::sync::Mutex::new(give);
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |_| {
        let inside = rows_of("report inside");
        let elsewhere = std::thread::spawn(|| rows_of("report inside")).join().expect("no panic");
        let text = memprof::snapshot().to_string();
        give.lock().expect("no panic").send((inside, elsewhere, text)).expect("somebody waits");
    }));
    let outcome = std::panic::catch_unwind(|| {
        let _scope = Scope::enter(site("report inside"));
        memprof::record_alloc(arena(), 1, 12);
        panic!("a panic whose hook takes a report");
    });
    std::panic::set_hook(earlier);
    assert!(outcome.is_err());
    let (inside, elsewhere, text) = take.recv().expect("the hook ran");
    assert_eq!(columns(&inside), (1, 12, 12));
    assert_eq!(inside.live, 12);
    assert_eq!(columns(&elsewhere), (1, 12, 12));
    assert!(text.contains("report inside"), "{text}");
    memprof::record_free(arena(), 1);
}
