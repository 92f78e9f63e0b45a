//! Ambient scopes: what threads that no scope reaches do falls into them.

mod nested;
mod leaving;

use std::future::poll_fn;
use std::sync::Barrier;
use std::task::{Context as Wakers, Poll, Waker};

use crate::common::{Worker, alloc, alone, arena, columns, find_rows, free, path, row, six};
use memprof::{Context, Scope, Site, Space};

#[test]
fn a_thread_without_a_scope_falls_into_it_whenever_it_was_started() {
    let _alone = alone();
    let before = Worker::start();
    before.run(|_| alloc(1, 5));
    let ambient = memprof::ambient("reaches all");
    let after = Worker::start();
    before.run(|_| alloc(2, 100));
    after.run(|_| alloc(3, 20));
    let open = row(&memprof::snapshot(), arena(), "reaches all");
    assert_eq!((columns(&open), open.live, open.self_total), ((1, 120, 120), 120, 120), "open");
    after.run(|_| free(3));
    drop(ambient);
    before.run(|_| alloc(4, 1000));
    let ended = row(&memprof::snapshot(), arena(), "reaches all");
    assert_eq!((columns(&ended), ended.live, ended.live_blocks), ((1, 120, 120), 100, 1), "ended");
    let totals = memprof::snapshot().totals(arena());
    assert_eq!((totals.no_scope_total, totals.total), (1005, 1125), "what came before and after is outside");
    before.run(|_| [1, 2, 4].map(free));
}

#[test]
fn scopes_of_a_thread_that_entered_it_stand_under_it() {
    let _alone = alone();
    let worker = Worker::start();
    let ambient = memprof::ambient("above");
    worker.run(|scopes| {
        alloc(1, 10);
        scopes.push(Scope::enter(Site::named("below")));
        alloc(2, 30);
        scopes.pop();
    });
    drop(ambient);
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, arena(), "below")), (1, 30, 30));
    assert_eq!(columns(&row(&snapshot, arena(), "above")), (1, 40, 40));
    let below = path(&snapshot, arena(), &["above", "below"]).expect("one path");
    assert_eq!((below.ncalls, below.self_total), (1, 30));
    worker.run(|_| [1, 2].map(free));
}

#[test]
fn a_thread_with_a_scope_open_joins_when_it_has_left_it() {
    let _alone = alone();
    let worker = Worker::start();
    worker.run(|scopes| scopes.push(Scope::enter(Site::named("was open"))));
    let ambient = memprof::ambient("waits");
    worker.run(|scopes| {
        alloc(1, 10);
        scopes.pop();
        alloc(2, 200);
    });
    drop(ambient);
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, arena(), "was open")), (1, 10, 10));
    assert_eq!(columns(&row(&snapshot, arena(), "waits")), (1, 200, 200));
    worker.run(|_| [1, 2].map(free));
}

#[test]
fn the_innermost_of_nested_ones_is_entered_and_gives_its_sums_to_the_scope_it_was_opened_in() {
    let _alone = alone();
    let worker = Worker::start();
    let around = Scope::enter(Site::named("opener"));
    let outer = memprof::ambient("outer");
    worker.run(|_| alloc(1, 100));
    let inner = memprof::ambient("inner");
    worker.run(|_| alloc(2, 20));
    drop(inner);
    worker.run(|_| alloc(3, 3));
    drop(outer);
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, arena(), "outer")), (1, 103, 103));
    assert_eq!(columns(&row(&snapshot, arena(), "inner")), (1, 20, 20));
    assert!(path(&snapshot, arena(), &["opener", "inner"]).is_some(), "under the scope it was opened in");
    assert_eq!(six(around.finish().counters(arena())), [123, 3, 123, 3, 123, 3]);
    worker.run(|_| [1, 2, 3].map(free));
}

#[test]
fn its_peak_is_that_of_the_sum_over_its_threads() {
    let _alone = alone();
    let (one, other) = (Worker::start(), Worker::start());
    let ambient = memprof::ambient("sum");
    one.run(|_| alloc(1, 100));
    other.run(|_| alloc(2, 50));
    one.run(|_| free(1));
    other.run(|_| alloc(3, 30));
    drop(ambient);
    assert_eq!(columns(&row(&memprof::snapshot(), arena(), "sum")), (1, 150, 180));
    other.run(|_| [2, 3].map(free));
}

#[test]
fn a_thread_that_ends_under_it_leaves_what_it_did() {
    let _alone = alone();
    let ambient = memprof::ambient("outlives");
    let worker = Worker::start();
    worker.run(|_| alloc(1, 70));
    worker.end();
    drop(ambient);
    let record = row(&memprof::snapshot(), arena(), "outlives");
    assert_eq!((columns(&record), record.live), ((1, 70, 70), 70));
    free(1);
    assert_eq!(row(&memprof::snapshot(), arena(), "outlives").live, 0);
}

#[test]
fn a_scope_that_is_still_open_under_it_when_it_ends_has_given_it_what_it_did() {
    let _alone = alone();
    let ambient = memprof::ambient("ends first");
    let worker = Worker::start();
    worker.run(|scopes| {
        scopes.push(Scope::enter(Site::named("ends last")));
        alloc(1, 70);
    });
    drop(ambient);
    let record = row(&memprof::snapshot(), arena(), "ends first");
    assert_eq!(columns(&record), (1, 70, 70));
    worker.run(|_| free(1));
}

#[test]
fn opened_under_a_context_whose_scope_has_ended_it_stands_at_its_path_and_not_inside_it() {
    let _alone = alone();
    let worker = Worker::start();
    let context = {
        let _ended = Scope::enter(Site::named("ended above"));
        Context::current()
    };
    let ambient = context.run(|| memprof::ambient("at the path"));
    worker.run(|_| {
        let _again = Scope::enter(Site::named("ended above"));
        alloc(1, 10);
    });
    drop(ambient);
    let snapshot = memprof::snapshot();
    assert!(path(&snapshot, arena(), &["ended above", "at the path"]).is_some());
    // Not inside another activation of its site.
    assert_eq!(columns(&row(&snapshot, arena(), "ended above")), (2, 10, 10));
    free(1);
}

#[test]
fn a_scope_of_a_site_that_has_ended_further_up_its_path_is_no_recursion() {
    let _alone = alone();
    let again = Site::named("gives the path, and comes again");
    let context = {
        let _scope = Scope::enter(again);
        Context::current()
    };
    let guard = context.enter();
    let around = Scope::enter(Site::named("around the ambient one"));
    let ambient = memprof::ambient("under a path that has ended");
    Worker::start().run(|_| {
        let _scope = Scope::enter(again);
        alloc(1, 76);
        free(1);
    });
    drop(ambient);
    drop(around);
    drop(guard);
    assert_eq!(columns(&row(&memprof::snapshot(), arena(), "gives the path, and comes again")), (2, 76, 76));
}

#[test]
fn counters_of_a_thread_without_an_event_since_it_ended_are_those_of_its_base_record() {
    let _alone = alone();
    let worker = Worker::start();
    worker.run(|_| alloc(1, 10));
    let ambient = memprof::ambient("ended meanwhile");
    worker.run(|_| alloc(2, 300));
    drop(ambient);
    assert_eq!(worker.run(|_| six(memprof::counters(arena()))), [10, 1, 10, 1, 10, 1]);
    worker.run(|_| [1, 2].map(free));
}

#[test]
fn one_that_is_opened_while_memprof_is_off_is_none() {
    let _alone = alone();
    memprof::disable();
    let ambient = memprof::ambient("never was");
    memprof::enable();
    let worker = Worker::start();
    worker.run(|_| alloc(1, 10));
    drop(ambient);
    assert_eq!(find_rows(&memprof::snapshot(), arena(), "never was"), []);
    assert_eq!(memprof::snapshot().totals(arena()).no_scope_total, 10);
    free(1);
}

/// The default report's columns of these rows, of one snapshot.
fn columns_of<const ROWS: usize>(names: [&str; ROWS]) -> [(u64, u64, u64); ROWS] {
    let snapshot = memprof::snapshot();
    names.map(|name| columns(&row(&snapshot, arena(), name)))
}
