//! Ambient scopes: what threads that no scope reaches do falls into them.

mod common;

use std::future::{Future as _, poll_fn};
use std::sync::Barrier;
use std::task::{Context as Wakers, Poll, Waker};

use common::{Worker, alone, columns, find_rows, path, row, six};
use memprof::{Context, Scope, Site, Space, TrackExt as _};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

fn arena() -> Space {
    Space::named("ambient arena")
}

fn alloc(address: u64, bytes: u64) {
    memprof::record_alloc(arena(), address, bytes);
}

fn free(address: u64) {
    memprof::record_free(arena(), address);
}

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

#[test]
fn while_they_are_open_each_has_what_those_inside_it_have() {
    let _alone = alone();
    let worker = Worker::start();
    let opener = Scope::enter(Site::named("opens all"));
    let outer = memprof::ambient("outermost open");
    worker.run(|_| alloc(1, 700));
    // Opened on a thread that is under the outer one.
    let (middle, inner) = worker.run(|_| {
        let middle = memprof::ambient("middle open");
        (middle, memprof::ambient("innermost open"))
    });
    worker.run(|_| alloc(2, 11));
    let names = ["opens all", "outermost open", "middle open", "innermost open"];
    let open = [(1, 711, 711), (1, 711, 711), (1, 11, 11), (1, 11, 11)];
    assert_eq!(columns_of(names), open);
    assert_eq!(six(opener.counters(arena())), [711, 2, 711, 2, 711, 2]);
    let names_of = |path: &[&str]| self::path(&memprof::snapshot(), arena(), path).expect("one path").self_total;
    assert_eq!((names_of(&names[..2]), names_of(&names)), (700, 11));
    drop(inner);
    assert_eq!(columns_of(names), open);
    drop(middle);
    assert_eq!(columns_of(names), open);
    drop(outer);
    assert_eq!(columns_of(names), open);
    drop(opener);
    assert_eq!(columns_of(names), open);
    worker.run(|_| [1, 2].map(free));
}

#[test]
fn one_that_ends_first_ends_those_that_were_opened_in_it() {
    let _alone = alone();
    let worker = Worker::start();
    let first = memprof::ambient("first of three");
    worker.run(|_| alloc(1, 1));
    let second = memprof::ambient("second of three");
    worker.run(|_| alloc(2, 10));
    let third = memprof::ambient("third of three");
    worker.run(|_| alloc(3, 100));
    drop(second);
    worker.run(|_| alloc(4, 1000));
    drop(third);
    worker.run(|_| alloc(5, 10_000));
    drop(first);
    worker.run(|_| alloc(6, 100_000));
    let names = ["first of three", "second of three", "third of three"];
    assert_eq!(columns_of(names), [(1, 11_111, 11_111), (1, 110, 110), (1, 100, 100)]);
    assert_eq!(memprof::snapshot().totals(arena()).no_scope_total, 100_000);
    worker.run(|_| [1, 2, 3, 4, 5, 6].map(free));
}

#[test]
fn one_that_was_not_opened_in_it_goes_on_when_an_older_one_ends() {
    let _alone = alone();
    let (opener, stray) = (Worker::start(), Worker::start());
    opener.run(|scopes| scopes.push(Scope::enter(Site::named("opens the newer one"))));
    let older = memprof::ambient("older");
    let newer = opener.run(|_| memprof::ambient("newer"));
    drop(older);
    stray.run(|_| alloc(1, 5));
    drop(newer);
    stray.run(|_| alloc(2, 60));
    opener.run(|scopes| drop(scopes.pop()));
    assert_eq!(columns_of(["opens the newer one", "older", "newer"]), [(1, 5, 5), (1, 0, 0), (1, 5, 5)]);
    assert_eq!(memprof::snapshot().totals(arena()).no_scope_total, 60);
    stray.run(|_| [1, 2].map(free));
}

#[test]
fn one_of_a_site_that_is_open_around_it_is_recursion() {
    let _alone = alone();
    let worker = Worker::start();
    let scope = Scope::enter(Site::named("around itself"));
    let ambient = memprof::ambient("around itself");
    worker.run(|_| alloc(1, 10));
    assert_eq!(columns_of(["around itself"]), [(2, 10, 10)], "open");
    drop(ambient);
    drop(scope);
    assert_eq!(columns_of(["around itself"]), [(2, 10, 10)], "ended");
    worker.run(|_| free(1));
}

/// It looks whether the scope ended at the very moment in which it does.
#[test]
fn a_thread_that_leaves_one_as_it_ends_is_counted_once() {
    const ROUNDS: u32 = 300;
    const BLOCKS: u64 = 10;
    let _alone = alone();
    let space = Space::named("left as it ends");
    let turn = Barrier::new(2);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..ROUNDS {
                turn.wait();
                for block in 0..BLOCKS {
                    memprof::record_alloc(space, block, 10);
                    memprof::record_free(space, block);
                }
                turn.wait();
                for _ in 0..200 {
                    memprof::counters(space);
                }
            }
        });
        for _ in 0..ROUNDS {
            let ambient = memprof::ambient("ends and is left");
            turn.wait();
            turn.wait();
            drop(ambient);
        }
    });
    let row = row(&memprof::snapshot(), space, "ends and is left");
    assert_eq!((row.ncalls, row.blocks_total), (u64::from(ROUNDS), u64::from(ROUNDS) * BLOCKS));
}

/// The thread whose scope is helped never had an event in the space.
#[test]
fn what_only_a_helper_did_in_a_space_is_in_what_its_opener_reads() {
    let _alone = alone();
    let space = Space::named("of a helper only");
    let opener = Scope::enter(Site::named("opens for a helper"));
    let ambient = memprof::ambient("has a helper");
    let worker = Worker::start();
    let context = worker.run(|scopes| {
        scopes.push(Scope::enter(Site::named("is helped")));
        Context::current()
    });
    let helper = Worker::under(&context);
    helper.run(move |_| memprof::record_alloc(space, 1, 10));
    helper.end();
    assert_eq!(six(opener.counters(space)), [10, 1, 10, 1, 10, 1]);
    let snapshot = memprof::snapshot();
    let records = snapshot.records(space);
    let totals: Vec<_> = records.iter().map(|row| (row.memory_peak, row.memory_total)).collect();
    assert_eq!(totals, [(10, 10); 3]);
    drop(ambient);
    worker.end();
    assert_eq!(six(opener.finish().counters(space)), [10, 1, 10, 1, 10, 1]);
    memprof::record_free(space, 1);
}

#[test]
fn what_was_added_to_a_scope_under_it_is_in_what_its_opener_reads() {
    let _alone = alone();
    let opener = Scope::enter(Site::named("reads an ambient one"));
    let ambient = memprof::ambient("has helpers");
    let worker = Worker::start();
    let context = worker.run(|scopes| {
        scopes.push(Scope::enter(Site::named("is helped")));
        Context::current()
    });
    let helper = Worker::under(&context);
    helper.run(|_| alloc(1, 10));
    helper.end();
    assert_eq!(six(opener.counters(arena())), [10, 1, 10, 1, 10, 1]);
    assert_eq!(columns_of(["reads an ambient one", "has helpers", "is helped"]), [(1, 10, 10); 3]);
    drop(ambient);
    worker.end();
    assert_eq!(six(opener.finish().counters(arena())), [10, 1, 10, 1, 10, 1]);
    free(1);
}

#[test]
fn what_was_handed_over_to_a_task_under_it_is_off_what_its_opener_reads() {
    let _alone = alone();
    let (opener, stranger) = (Worker::start(), Worker::start());
    let ambient = opener.run(|scopes| {
        scopes.push(Scope::enter(Site::named("opener of a tasks ambient")));
        memprof::ambient("has a task")
    });
    let mut task = Box::pin(
        poll_fn(|_| {
            alloc(1, 10);
            stranger.run(|_| free(1));
            let read = opener.run(|scopes| six(scopes[0].counters(arena())));
            assert_eq!(read, [0, 0, 10, 1, 10, 1]);
            Poll::Ready(())
        })
        .track(Site::named("task under an ambient scope")),
    );
    assert!(task.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_ready());
    drop((task, ambient));
    opener.run(|scopes| drop(scopes.pop()));
    assert_eq!(columns_of(["opener of a tasks ambient", "has a task"]), [(1, 10, 10); 2]);
}

#[test]
fn one_whose_guard_outlives_the_scope_that_it_was_opened_in_ends_with_that() {
    let _alone = alone();
    let worker = Worker::start();
    let around = Scope::enter(Site::named("around the opener"));
    let opener = Scope::enter(Site::named("ends with its ambient one"));
    let ambient = memprof::ambient("ends with its opener");
    worker.run(|_| alloc(1, 10));
    assert_eq!(six(opener.finish().counters(arena())), [10, 1, 10, 1, 10, 1]);
    worker.run(|_| alloc(2, 200));
    drop(ambient);
    assert_eq!(columns_of(["ends with its ambient one", "ends with its opener"]), [(1, 10, 10); 2]);
    assert_eq!(six(around.finish().counters(arena())), [10, 1, 10, 1, 10, 1]);
    assert_eq!(memprof::snapshot().totals(arena()).no_scope_total, 200);
    worker.run(|_| [1, 2].map(free));
}

#[test]
fn one_that_was_opened_in_a_future_ends_with_it() {
    let _alone = alone();
    let worker = Worker::start();
    let mut ambient = None;
    let mut future = Box::pin(
        poll_fn(|_| {
            ambient = Some(memprof::ambient("opened in a future"));
            worker.run(|_| alloc(1, 10));
            Poll::Ready(())
        })
        .track(Site::named("opens an ambient one")),
    );
    assert!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_ready());
    drop(future);
    worker.run(|_| alloc(2, 200));
    drop(ambient);
    assert_eq!(columns_of(["opens an ambient one", "opened in a future"]), [(1, 10, 10); 2]);
    worker.run(|_| [1, 2].map(free));
}

#[test]
fn the_polls_of_a_future_are_not_under_an_ambient_scope_that_it_opened() {
    let _alone = alone();
    let worker = Worker::start();
    let mut polls = 0;
    let mut ambient = None;
    let mut future = Box::pin(
        poll_fn(|_| {
            polls += 1;
            ambient.get_or_insert_with(|| memprof::ambient("held over polls"));
            alloc(polls, 100);
            worker.run(move |_| alloc(10 * polls, 1));
            if polls < 3 {
                return Poll::Pending;
            }
            ambient = None;
            Poll::Ready(())
        })
        .track(Site::named("holds an ambient one")),
    );
    for poll in 1..=3 {
        assert_eq!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_ready(), poll == 3);
    }
    drop(future);
    assert_eq!(columns_of(["holds an ambient one", "held over polls"]), [(1, 303, 303), (1, 3, 3)]);
    worker.run(|_| [1, 2, 3, 10, 20, 30].map(free));
}

#[test]
fn a_future_may_be_polled_in_a_scope_under_an_ambient_one_that_it_opened() {
    let _alone = alone();
    let mut ambient = None;
    let mut future = Box::pin(
        poll_fn(|_| {
            ambient.get_or_insert_with(|| memprof::ambient("around its own future"));
            alloc(1, 100);
            // Each is a part of the other, which must not go on for ever.
            drop(memprof::snapshot());
            memprof::counters(arena());
            free(1);
            Poll::<()>::Pending
        })
        .track(Site::named("polled under its own")),
    );
    let mut poll = || assert!(future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending());
    poll();
    // This thread is under the ambient scope from here on.
    alloc(2, 7);
    let around = Scope::enter(Site::named("around the second poll"));
    poll();
    drop(around);
    free(2);
}

// ---- what leaves it

/// Polls a future to its end, as an executor without a scope does.
fn block_on(future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    while future.as_mut().poll(&mut Wakers::from_waker(Waker::noop())).is_pending() {}
}

#[test]
fn what_a_tracked_future_frees_leaves_it() {
    let _alone = alone();
    let ambient = memprof::ambient("freed in a future");
    let worker = Worker::start();
    worker.run(|_| {
        for block in 0..100 {
            alloc(block, 1000);
            block_on(async move { free(block) }.track(Site::named("free it")));
        }
    });
    let open = row(&memprof::snapshot(), arena(), "freed in a future");
    drop(ambient);
    assert_eq!(row(&memprof::snapshot(), arena(), "freed in a future"), open);
    assert_eq!((columns(&open), open.live), ((1, 1000, 100_000), 0));
    let freed = row(&memprof::snapshot(), arena(), "free it");
    assert_eq!(columns(&freed), (100, 0, 0), "it does not go negative");
    assert_eq!(memprof::snapshot().totals(arena()).peak, 1000);
}

/// On the thread of its opener, which has a scope open.
#[test]
fn what_its_opener_frees_of_threads_that_ended_leaves_it() {
    let _alone = alone();
    let opener = Scope::enter(Site::named("frees for others"));
    let ambient = memprof::ambient("of threads that end");
    for turn in 0..50 {
        let worker = Worker::start();
        worker.run(move |_| {
            alloc(2 * turn, 1000);
            let _scope = Scope::enter(Site::named("in a thread that ends"));
            alloc(2 * turn + 1, 200);
        });
        if turn % 2 == 0 {
            worker.end();
            [2 * turn, 2 * turn + 1].into_iter().for_each(free);
        } else {
            [2 * turn, 2 * turn + 1].into_iter().for_each(free);
            worker.end();
        }
    }
    assert_eq!(six(opener.counters(arena())), [0, 0, 1200, 2, 60_000, 100]);
    drop(ambient);
    assert_eq!(six(opener.finish().counters(arena())), [0, 0, 1200, 2, 60_000, 100]);
    assert_eq!(columns_of(["frees for others", "of threads that end"]), [(1, 1200, 60_000); 2]);
}

/// A thread that waits takes no note of what is handed over to it.
#[test]
fn what_is_freed_for_a_thread_that_waits_leaves_it_at_once() {
    let _alone = alone();
    let (waiting, freeing, other) = (Worker::start(), Worker::start(), Worker::start());
    freeing.run(|scopes| scopes.push(Scope::enter(Site::named("frees in a scope"))));
    let ambient = memprof::ambient("of one that waits");
    waiting.run(|scopes| {
        alloc(1, 100);
        scopes.push(Scope::enter(Site::named("waits in a scope")));
        alloc(2, 100);
        alloc(3, 100);
    });
    freeing.run(|_| [1, 2].map(free));
    other.run(|_| alloc(4, 200));
    freeing.run(|_| free(3));
    other.run(|_| alloc(5, 100));
    assert_eq!(
        columns_of(["of one that waits", "waits in a scope", "frees in a scope"]),
        [(1, 300, 600), (1, 200, 200), (1, 0, 0)]
    );
    drop(ambient);
    assert_eq!(columns_of(["of one that waits"]), [(1, 300, 600)]);
    other.run(|_| [4, 5].map(free));
}

#[test]
fn what_is_freed_for_a_task_that_is_polled_under_it_leaves_it_at_once() {
    let _alone = alone();
    let (polling, freeing, other) = (Worker::start(), Worker::start(), Worker::start());
    let ambient = memprof::ambient("of a task");
    polling.run(move |_| {
        block_on(
            async move {
                alloc(1, 100);
                freeing.run(|_| free(1));
                other.run(|_| alloc(2, 100));
                freeing.run(|_| free(2));
            }
            .track(Site::named("freed for it")),
        );
    });
    assert_eq!(columns_of(["of a task", "freed for it"]), [(1, 100, 200), (1, 100, 100)]);
    drop(ambient);
}

#[test]
fn a_thread_frees_what_it_allocated_in_a_scope_under_it_or_before_it() {
    let _alone = alone();
    let worker = Worker::start();
    worker.run(|_| alloc(1, 5000));
    let ambient = memprof::ambient("frees what is older");
    worker.run(|_| {
        for block in 2..12 {
            let scope = Scope::enter(Site::named("allocates only"));
            alloc(block, 100);
            drop(scope);
            assert_eq!(six(memprof::counters(arena()))[..2], [100, 1]);
            free(block);
        }
        free(1);
        assert_eq!(six(memprof::counters(arena())), [-5000, -1, 100, 1, 1000, 10]);
    });
    drop(ambient);
    assert_eq!(columns_of(["frees what is older", "allocates only"]), [(1, 100, 1000), (10, 100, 1000)]);
}

#[test]
fn what_is_freed_after_its_end_leaves_the_scope_that_it_was_opened_in() {
    let _alone = alone();
    let worker = Worker::start();
    let opener = Scope::enter(Site::named("gets the sums"));
    for _ in 0..10 {
        let ambient = memprof::ambient("ends before its blocks");
        worker.run(|_| alloc(1, 1000));
        drop(ambient);
        worker.run(|_| free(1));
    }
    assert_eq!(six(opener.finish().counters(arena())), [0, 0, 1000, 1, 10_000, 10]);
    assert_eq!(columns_of(["gets the sums", "ends before its blocks"]), [(1, 1000, 10_000), (10, 1000, 10_000)]);
}

/// A block of so many bytes: one of a size that nothing else here has.
fn boxed(bytes: usize) -> Box<[u8]> {
    vec![0; bytes].into_boxed_slice()
}

/// Threads of a server answer on blocks that others free; each keeps little.
#[test]
fn its_peak_on_the_host_is_what_was_held_and_not_all_that_went_through() {
    const BYTES: usize = 5000;
    const TURNS: usize = 1000;
    let _alone = alone();
    let opener = Scope::enter(Site::named("frees on the host"));
    let ambient = memprof::ambient("of a server");
    for direct in [false, true] {
        for turn in 0..TURNS / 10 {
            let worker = Worker::start();
            for _ in 0..5 {
                drop(worker.run(move |_| {
                    let _scope = (!direct).then(|| Scope::enter(Site::named("answers")));
                    boxed(BYTES)
                }));
            }
            if turn % 2 == 0 {
                worker.end();
            }
        }
    }
    drop(ambient);
    drop(opener);
    let row = row(&memprof::snapshot(), Space::HOST, "of a server");
    assert!(row.memory_total >= (BYTES * TURNS) as u64, "{row:?}");
    // What it held, and 64 KiB for the one thread that runs, and for the ambient lane.
    assert!(row.memory_peak <= 2 * (64 << 10) + 2 * BYTES as u64, "{row:?}");
}
