//! `Context`: threads that work for a scope of another thread.

use memprof::TrackExt as _;
use std::future::Future as _;

use super::{
    Barrier, Context, Scope, Space, Worker, alone, arena, columns, enter, leave, path, row, rows_of, site, six, top,
};

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
