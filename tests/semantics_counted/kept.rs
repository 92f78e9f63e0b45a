//! What activations leave behind: `kept` and `kept_calls`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as Wakers, Poll, Waker};

use crate::common::{Worker, alloc, alone, arena, free, path, row, site};
use memprof::{Context, Scope, Space, TrackExt as _};

/// `ncalls`, `kept` and `kept_calls` of a site in the arena.
fn kept(name: &str) -> (u64, i64, u64) {
    let row = row(&memprof::snapshot(), arena(), name);
    (row.ncalls, row.kept, row.kept_calls)
}

/// The same of a path.
fn kept_at(names: &[&str]) -> (u64, i64, u64) {
    let row = path(&memprof::snapshot(), arena(), names).expect("the path was entered");
    (row.ncalls, row.kept, row.kept_calls)
}

fn poll(future: Pin<&mut impl Future<Output = ()>>) -> bool {
    future.poll(&mut Wakers::from_waker(Waker::noop())).is_ready()
}

/// A future that does `first` in its first poll and `then` in its second.
fn twice(first: impl FnOnce(), then: impl FnOnce()) -> impl Future<Output = ()> {
    let (mut first, mut then) = (Some(first), Some(then));
    poll_fn(move |_| match (first.take(), &mut then) {
        (Some(first), _) => {
            first();
            Poll::Pending
        }
        (None, then) => {
            then.take().expect("polled twice")();
            Poll::Ready(())
        }
    })
}

#[test]
fn a_leak_in_a_loop_is_kept_by_every_call_and_by_what_calls_them() {
    let _alone = alone();
    let outer = Scope::enter(site("kept loop"));
    for address in 0..10 {
        let _call = Scope::enter(site("kept leak"));
        alloc(address, 100);
        alloc(20, 7);
        free(20);
    }
    drop(outer);
    assert_eq!(kept("kept leak"), (10, 1000, 10));
    assert_eq!(kept("kept loop"), (1, 1000, 1));
    (0..10).for_each(free);
    assert_eq!(kept("kept leak"), (10, 1000, 10), "what is freed later is another's");
}

#[test]
fn who_frees_what_is_older_keeps_less_than_nothing_and_is_no_call_that_keeps() {
    let _alone = alone();
    alloc(1, 300);
    {
        let _scope = Scope::enter(site("kept frees"));
        free(1);
        alloc(2, 50);
    }
    {
        let _scope = Scope::enter(site("kept frees"));
        free(2);
    }
    {
        let _scope = Scope::enter(site("kept frees"));
        alloc(3, 20);
    }
    assert_eq!(kept("kept frees"), (3, -300 + 50 - 50 + 20, 1));
    free(3);
}

#[test]
fn a_cache_that_fills_is_kept_by_fewer_and_fewer_calls() {
    let _alone = alone();
    for call in 0..12_u64 {
        let _call = Scope::enter(site("kept cache"));
        if call < 3 {
            alloc(call, 1000);
        }
    }
    assert_eq!(kept("kept cache"), (12, 3000, 3));
    (0..3).for_each(free);
}

#[test]
fn the_host_is_counted_as_any_other_space() {
    let _alone = alone();
    let mut boxes = Vec::with_capacity(8);
    for _ in 0..4 {
        let _call = Scope::enter(site("kept boxes"));
        boxes.push(Box::new([0_u8; 64]));
        drop(Box::new([0_u8; 32]));
    }
    let row = row(&memprof::snapshot(), Space::HOST, "kept boxes");
    assert_eq!((row.ncalls, row.kept, row.kept_calls), (4, 256, 4));
}

#[test]
fn recursion_is_not_counted_twice_in_the_flat_row_nor_at_a_node_that_is_open() {
    let _alone = alone();
    let a = Scope::enter(site("kept a"));
    let b = Scope::enter(site("kept b"));
    let again = Scope::enter(site("kept a"));
    alloc(1, 10);
    drop(again);
    drop(b);
    drop(a);
    assert_eq!(kept("kept a"), (2, 10, 1));
    assert_eq!(kept_at(&["kept a"]), (2, 10, 1), "the second leads back to the node of the first");
    assert_eq!(kept("kept b"), (1, 10, 1));
    free(1);
}

#[test]
fn another_node_of_an_open_site_keeps_for_itself_but_not_for_the_flat_row() {
    let _alone = alone();
    let outer = Scope::enter(site("kept outer"));
    let context = Context::current();
    drop(outer);
    // Under a context that gives the path alone, the site is not open; and so its scope is one more node's.
    let guard = context.enter();
    let inner = Scope::enter(site("kept inner"));
    alloc(1, 10);
    drop(inner);
    drop(guard);
    assert_eq!(kept_at(&["kept outer", "kept inner"]), (1, 10, 1));
    assert_eq!(kept("kept outer"), (1, 0, 0), "its scope had ended");
    free(1);
}

#[test]
fn a_future_is_one_call_whatever_its_polls_keep() {
    let _alone = alone();
    let around = Scope::enter(site("kept around"));
    let mut future = Box::pin(twice(|| alloc(1, 100), || alloc(2, 11)).track(site("kept future")));
    assert!(!poll(future.as_mut()));
    assert_eq!(kept("kept future"), (1, 100, 1), "as if it ended");
    assert!(poll(future.as_mut()));
    drop(future);
    drop(around);
    assert_eq!(kept("kept future"), (1, 111, 1));
    assert_eq!(kept("kept around"), (1, 111, 1));
    free(1);
    free(2);
}

#[test]
fn what_others_free_of_a_suspended_future_it_does_not_keep() {
    let _alone = alone();
    let mut future = Box::pin(twice(|| alloc(1, 100), || ()).track(site("kept suspended")));
    assert!(!poll(future.as_mut()));
    let other = Worker::start();
    other.run(|_| free(1));
    assert_eq!(kept("kept suspended"), (1, 0, 0), "it is on its way");
    assert!(poll(future.as_mut()));
    drop(future);
    assert_eq!(kept("kept suspended"), (1, 0, 0));
    other.end();
}

#[test]
fn a_future_that_is_dropped_unfinished_keeps_what_its_drop_leaves() {
    struct Frees;
    impl Drop for Frees {
        fn drop(&mut self) {
            free(1);
        }
    }
    let _alone = alone();
    let mut holds = None;
    let body = poll_fn(move |_| {
        if holds.replace(Frees).is_none() {
            alloc(1, 100);
            alloc(2, 30);
        }
        Poll::<()>::Pending
    });
    let mut future = Box::pin(body.track(site("kept cancelled")));
    assert!(!poll(future.as_mut()));
    assert_eq!(kept("kept cancelled"), (1, 130, 1));
    drop(future);
    assert_eq!(kept("kept cancelled"), (1, 30, 1));
    free(2);
}

#[test]
fn a_captured_scope_keeps_what_those_who_work_for_it_leave() {
    let _alone = alone();
    let scope = Scope::enter(site("kept captured"));
    let helper = Worker::under(&Context::current());
    helper.run(|scopes| {
        scopes.push(Scope::enter(site("kept helper")));
        alloc(1, 500);
    });
    assert_eq!(kept("kept helper"), (1, 500, 1), "open, as if it ended");
    helper.end();
    assert_eq!(kept("kept captured"), (1, 500, 1), "open, as if it ended");
    drop(scope);
    assert_eq!(kept("kept captured"), (1, 500, 1));
    free(1);
}

#[test]
fn an_ambient_scope_keeps_what_its_threads_leave() {
    let _alone = alone();
    let ambient = memprof::ambient("kept ambient");
    let thread = Worker::start();
    thread.run(|_| alloc(1, 100));
    thread.run(|_| alloc(2, 10));
    assert_eq!(kept("kept ambient"), (1, 110, 1), "open, as if it ended");
    free(1);
    thread.end();
    drop(ambient);
    assert_eq!(kept("kept ambient"), (1, 10, 1));
    free(2);
}

#[test]
fn a_reset_forgets_what_ended_and_counts_whole_what_is_open() {
    let _alone = alone();
    {
        let _scope = Scope::enter(site("kept reset"));
        alloc(1, 100);
    }
    let mut future = Box::pin(twice(|| alloc(2, 40), || ()).track(site("kept over a reset")));
    assert!(!poll(future.as_mut()));
    let open = Scope::enter(site("kept reset"));
    alloc(3, 7);
    memprof::reset();
    assert_eq!(kept("kept reset"), (1, 7, 1));
    assert_eq!(kept("kept over a reset"), (1, 40, 1));
    drop(open);
    assert!(poll(future.as_mut()));
    drop(future);
    assert_eq!(kept("kept reset"), (1, 7, 1));
    assert_eq!(kept("kept over a reset"), (1, 40, 1));
    (1..4).for_each(free);
}
