//! A free that the allocator refuses is taken back: nothing of it is left in any number.

use std::sync::mpsc;

use memprof_core::{__allocator::release, Counters, Scope, Site, Space};

fn numbers(counters: Counters) -> [i64; 6] {
    [
        counters.current_bytes,
        counters.current_blocks,
        counters.peak_bytes,
        counters.peak_blocks,
        counters.total_bytes,
        counters.total_blocks,
    ]
}

#[test]
fn a_refused_free_changes_nothing() {
    memprof_core::enable();
    let space = Space::named("refused here");
    let scope = Scope::enter(Site::named("refused here"));
    memprof_core::record_alloc(space, 1, 100);
    memprof_core::record_alloc(space, 2, 30);
    let before = memprof_core::snapshot();
    let released = release(space, 2).expect("known");
    assert_eq!(numbers(scope.counters(space)), [100, 1, 130, 2, 130, 2]);
    released.restore();
    assert_eq!(numbers(scope.counters(space)), [130, 2, 130, 2, 130, 2]);
    let after = memprof_core::snapshot();
    // The other tests make rows too, without anything in this space.
    assert_eq!(after.records(space).first(), before.records(space).first());
    assert_eq!(after.totals(space), before.totals(space));

    drop(release(space, 2).expect("still known"));
    assert!(release(space, 2).is_none(), "freed");
    assert_eq!(numbers(scope.counters(space)), [100, 1, 130, 2, 130, 2]);
    assert_eq!(memprof_core::snapshot().totals(space).unknown_frees, 0, "release counts nothing that it does not know");
}

#[test]
fn a_refused_free_on_another_thread_changes_nothing() {
    memprof_core::enable();
    let space = Space::named("refused elsewhere");
    let scope = Scope::enter(Site::named("refused elsewhere"));
    memprof_core::record_alloc(space, 1, 100);
    let (say, hear) = mpsc::channel();
    let (answer, wait) = mpsc::channel();
    let other = std::thread::spawn(move || {
        let released = release(space, 1).expect("known");
        say.send(()).expect("heard");
        wait.recv().expect("an answer");
        released.restore();
    });
    hear.recv().expect("released");
    assert_eq!(numbers(scope.counters(space)), [0, 0, 100, 1, 100, 1]);
    answer.send(()).expect("awaited");
    other.join().expect("no panic");
    assert_eq!(numbers(scope.counters(space)), [100, 1, 100, 1, 100, 1]);
    memprof_core::record_free(space, 1);
    assert_eq!(numbers(scope.counters(space)), [0, 0, 100, 1, 100, 1]);
    let totals = memprof_core::snapshot().totals(space);
    assert_eq!((totals.live, totals.live_blocks, totals.total, totals.unknown_frees), (0, 0, 100, 0));
}

#[test]
fn a_refused_free_of_a_thread_that_has_ended_leaves_the_block_with_its_owner() {
    memprof_core::enable();
    let space = Space::named("refused later");
    std::thread::spawn(move || {
        let _scope = Scope::enter(Site::named("refused later"));
        memprof_core::record_alloc(space, 1, 100);
    })
    .join()
    .expect("no panic");
    release(space, 1).expect("known").restore();
    let snapshot = memprof_core::snapshot();
    let record = &snapshot.records(space)[0];
    assert_eq!((record.live, record.live_blocks), (100, 1));
    drop(release(space, 1).expect("known"));
    assert_eq!(memprof_core::snapshot().records(space)[0].live, 0);
}
