//! Ambient scopes inside each other, in futures, and what their opener reads.

use memprof::TrackExt as _;
use std::future::Future as _;

use super::{
    Barrier, Context, Poll, Scope, Site, Space, Waker, Wakers, Worker, alloc, alone, arena, columns_of, free, path,
    poll_fn, row, six,
};

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
