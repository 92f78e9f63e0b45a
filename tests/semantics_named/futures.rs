//! Tracked futures, polled by hand: what one activation counts over its polls, threads and its end.

mod inside;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context as Wakers, Poll, Waker};

use crate::common::{Worker, alloc, alone, arena, columns, find_rows, free, path, row, rows_of, site, six};
use memprof::{Context, Scope, Space, TrackExt as _};

/// Pending once, ready the next time.
fn pause() -> impl Future<Output = ()> + Send {
    let mut was_polled = false;
    poll_fn(move |_| if std::mem::replace(&mut was_polled, true) { Poll::Ready(()) } else { Poll::Pending })
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Wakers::from_waker(Waker::noop()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())) {
            return output;
        }
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Frees what it names when it is dropped.
struct FreeOnDrop(u64);

impl Drop for FreeOnDrop {
    fn drop(&mut self) {
        free(self.0);
    }
}

#[test]
fn a_future_is_one_call_however_often_it_is_polled_and_goes_on_where_it_stopped() {
    let _alone = alone();
    let body = async {
        alloc(1, 100);
        pause().await;
        alloc(2, 50);
        free(1);
        pause().await;
        alloc(3, 70);
        free(2);
        free(3);
    };
    let mut future = Box::pin(body.track(site("three polls")));
    assert!(find_rows(&memprof::snapshot(), arena(), "three polls").is_empty());
    assert!(poll(&mut future).is_pending());
    assert_eq!(columns(&rows_of("three polls")), (1, 100, 100));
    assert!(poll(&mut future).is_pending());
    assert_eq!(columns(&rows_of("three polls")), (1, 150, 150));
    assert!(poll(&mut future).is_ready());
    drop(future);
    // 50 held, 70 more: 120 is below the 150 of the second poll.
    let row = rows_of("three polls");
    assert_eq!(columns(&row), (1, 150, 220));
    assert_eq!((row.blocks_total, row.live, row.self_total), (3, 0, 220));
}

#[test]
fn each_poll_folds_into_what_is_open_where_it_runs() {
    let _alone = alone();
    let body = async {
        alloc(1, 100);
        pause().await;
        alloc(2, 50);
        free(1);
        pause().await;
        free(2);
    };
    let mut future = Box::pin(body.track(site("folds")));
    let first = Scope::enter(site("folds first"));
    alloc(9, 1);
    assert!(poll(&mut future).is_pending());
    assert_eq!(six(first.counters(arena())), [101, 2, 101, 2, 101, 2]);
    drop(first);
    let second = Scope::enter(site("folds second"));
    assert!(poll(&mut future).is_pending());
    assert_eq!(six(second.counters(arena())), [-50, 0, 50, 1, 50, 1]);
    assert!(poll(&mut future).is_ready());
    assert_eq!(six(second.finish().counters(arena())), [-100, -1, 50, 1, 50, 1]);
    drop(future);
    assert_eq!(columns(&rows_of("folds")), (1, 150, 150));
    free(9);
}

#[test]
fn a_future_that_migrates_is_one_call_and_its_path_is_that_of_its_first_poll() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    let body = async {
        alloc(1, 100);
        pause().await;
        alloc(2, 10);
        pause().await;
        free(1);
        free(2);
    };
    let mut task: Task = Box::pin(body.track(site("migrating")));
    task = one.run(move |scopes| {
        scopes.push(Scope::enter(site("migrating first")));
        assert!(poll(&mut task).is_pending());
        task
    });
    task = two.run(move |scopes| {
        scopes.push(Scope::enter(site("migrating second")));
        assert!(poll(&mut task).is_pending());
        task
    });
    let left = one.run(move |scopes| {
        assert!(poll(&mut task).is_ready());
        drop(task);
        six(scopes.pop().expect("open").finish().counters(arena()))
    });
    assert_eq!(left, [-10, -1, 100, 1, 100, 1]);
    let kept = two.run(|scopes| six(scopes.pop().expect("open").finish().counters(arena())));
    assert_eq!(kept, [10, 1, 10, 1, 10, 1]);
    assert_eq!(columns(&rows_of("migrating")), (1, 110, 110));
    let snapshot = memprof::snapshot();
    assert!(path(&snapshot, arena(), &["migrating first", "migrating"]).is_some());
    assert!(path(&snapshot, arena(), &["migrating second", "migrating"]).is_none());
}

#[test]
fn counters_in_a_later_poll_go_on_where_the_future_stopped() {
    fn here() -> [i64; 6] {
        six(memprof::counters(arena()))
    }
    let _alone = alone();
    let body = async {
        alloc(1, 100);
        alloc(2, 10);
        free(1);
        assert_eq!(here(), [10, 1, 110, 2, 110, 2]);
        pause().await;
        assert_eq!(here(), [10, 1, 110, 2, 110, 2]);
        alloc(3, 70);
        assert_eq!(here(), [80, 2, 110, 2, 180, 3]);
        let inside = Scope::enter(site("inside a later poll"));
        alloc(4, 31);
        assert_eq!(here(), [31, 1, 31, 1, 31, 1], "of the scope");
        drop(inside);
        assert_eq!(here(), [111, 3, 111, 3, 211, 4]);
        let _context = Context::current();
        assert_eq!(here(), [111, 3, 111, 3, 211, 4], "captured");
        pause().await;
        // On a thread that never had an event in this space.
        assert_eq!(here(), [111, 3, 111, 3, 211, 4]);
        free(2);
        assert_eq!(here(), [101, 2, 111, 3, 211, 4]);
    };
    let mut task: Task = Box::pin(body.track(site("goes on")));
    let around = Scope::enter(site("around goes on"));
    assert!(poll(&mut task).is_pending());
    assert!(poll(&mut task).is_pending());
    Worker::start().run(move |_| assert!(poll(&mut task).is_ready()));
    drop(around);
    [3, 4].into_iter().for_each(free);
}

#[test]
fn a_future_that_is_never_polled_is_no_call() {
    let _alone = alone();
    let held = FreeOnDrop(1);
    alloc(1, 10);
    let future = async move {
        let _held = held;
        pause().await;
    }
    .track(site("never polled"));
    let around = Scope::enter(site("around never polled"));
    drop(future);
    // Not inside a scope of its own: there is none.
    assert_eq!(six(around.counters(arena())), [-10, -1, 0, 0, 0, 0]);
    assert!(find_rows(&memprof::snapshot(), arena(), "never polled").is_empty());
}

#[test]
fn a_cancelled_future_is_dropped_inside_its_scope() {
    let _alone = alone();
    let body = async {
        alloc(1, 10);
        let _held = FreeOnDrop(1);
        alloc(2, 5);
        let _inner = memprof::scope!("cancelled inner", async {
            alloc(3, 7);
            let _held = FreeOnDrop(3);
            pause().await;
            pause().await;
        })
        .await;
    };
    let mut future = Box::pin(body.track(site("cancelled")));
    let around = Scope::enter(site("around cancelled"));
    assert!(poll(&mut future).is_pending());
    assert_eq!(columns(&rows_of("cancelled inner")), (1, 7, 7), "suspended, and counted");
    drop(future);
    assert_eq!(six(around.counters(arena())), [5, 1, 22, 3, 22, 3]);
    drop(around);
    let row = rows_of("cancelled");
    assert_eq!((columns(&row), row.live, row.live_blocks), ((1, 22, 22), 5, 1));
    assert_eq!(columns(&rows_of("cancelled inner")), (1, 7, 7));
    assert_eq!(columns(&rows_of("around cancelled")), (1, 22, 22));
    free(2);
}

#[test]
fn a_free_in_a_poll_of_another_lanes_block_is_a_hand_over() {
    let _alone = alone();
    let around = Scope::enter(site("around foreign"));
    alloc(1, 100);
    let body = async {
        free(1);
        alloc(2, 10);
        pause().await;
    };
    let mut future = Box::pin(body.track(site("frees foreign")));
    assert!(poll(&mut future).is_pending());
    // The thread's own scope saw the free, the future did not; the poll stands on what was left.
    assert_eq!(six(around.counters(arena())), [10, 1, 100, 1, 110, 2]);
    assert_eq!(columns(&rows_of("frees foreign")), (1, 10, 10));
    assert!(poll(&mut future).is_ready());
    drop(future);
    drop(around);
    free(2);
}

#[test]
fn a_hand_over_to_a_scope_with_a_poll_above_it_keeps_the_peak_that_was_reached() {
    let _alone = alone();
    let around = Scope::enter(site("kept peak"));
    alloc(1, 100);
    let body = async {
        alloc(2, 60);
        free(2);
        // A hand-over to the thread's own scope, on which this poll stands.
        free(1);
        alloc(3, 30);
    };
    block_on(body.track(site("kept peak inner")));
    assert_eq!(six(around.finish().counters(arena())), [30, 1, 160, 2, 190, 3]);
    assert_eq!(columns(&rows_of("kept peak inner")), (1, 60, 90));
    free(3);
}

#[test]
fn a_hand_over_that_came_before_a_future_inside_is_polled_is_not_the_insides() {
    let _alone = alone();
    let body = async {
        alloc(1, 100);
        std::thread::scope(|scope| _ = scope.spawn(|| free(1)));
        async { alloc(2, 30) }.track(site("polled after")).await;
    };
    block_on(body.track(site("polled before")));
    assert_eq!(columns(&rows_of("polled after")), (1, 30, 30));
    assert_eq!(columns(&rows_of("polled before")), (1, 100, 130));
    free(2);
}

#[test]
fn what_an_ended_task_left_to_a_captured_scope_is_seen_by_its_context_when_freed() {
    let _alone = alone();
    let scope = Scope::enter(site("captured heir"));
    block_on(async { alloc(1, 100) }.track(site("leaves a block")));
    let _context = Context::current();
    free(1);
    alloc(2, 30);
    assert_eq!(six(scope.counters(arena())), [30, 1, 100, 1, 130, 2]);
    free(2);
}

#[test]
fn a_hand_over_to_a_suspended_task_reaches_whoever_polls_it_next() {
    let _alone = alone();
    let body = async {
        alloc(1, 100);
        pause().await;
        alloc(2, 30);
        pause().await;
    };
    let mut future = Box::pin(body.track(site("suspended")));
    let first = Scope::enter(site("suspended first"));
    assert!(poll(&mut future).is_pending());
    // The thread that polled it is not its lane: a hand-over, though it is the allocating thread.
    free(1);
    assert_eq!(six(first.finish().counters(arena())), [100, 1, 100, 1, 100, 1]);
    assert_eq!(rows_of("suspended").live, 0);
    let second = Scope::enter(site("suspended second"));
    assert!(poll(&mut future).is_pending());
    assert_eq!(six(second.finish().counters(arena())), [-70, 0, 0, 0, 30, 1]);
    let row = rows_of("suspended");
    assert_eq!((columns(&row), row.live), ((1, 100, 130), 30));
    drop(future);
    free(2);
}

#[test]
fn a_task_that_has_ended_leaves_its_blocks_to_the_lane_that_its_last_poll_merged_into() {
    let _alone = alone();
    let (one, two) = (Worker::start(), Worker::start());
    let body = async {
        alloc(1, 100);
        alloc(2, 10);
        pause().await;
    };
    let mut task: Task = Box::pin(body.track(site("leaves blocks")));
    task = one.run(move |_| {
        assert!(poll(&mut task).is_pending());
        task
    });
    two.run(move |scopes| {
        scopes.push(Scope::enter(site("inherits")));
        assert!(poll(&mut task).is_ready());
        drop(task);
        // Now its own.
        free(1);
        assert_eq!(six(memprof::counters(arena())), [-100, -1, 0, 0, 0, 0]);
    });
    one.run(|scopes| {
        scopes.push(Scope::enter(site("does not inherit")));
        free(2);
        assert_eq!(six(memprof::counters(arena())), [0; 6]);
    });
    assert_eq!(two.run(|_| six(memprof::counters(arena()))), [-110, -2, 0, 0, 0, 0]);
    assert_eq!(rows_of("leaves blocks").live, 0);
}
