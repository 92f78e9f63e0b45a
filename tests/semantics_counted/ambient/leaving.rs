//! What leaves an ambient scope: blocks that are freed elsewhere, or later.

use memprof::TrackExt as _;

use std::future::Future;

use super::{Scope, Site, Space, Waker, Wakers, Worker, alloc, alone, arena, columns, columns_of, free, row, six};

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
