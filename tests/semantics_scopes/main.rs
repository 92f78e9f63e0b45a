//! What scopes, sites and their rows count, one sentence of the contract a test, on a named space.

#[path = "../common/mod.rs"]
mod common;
mod rows;
mod names;
mod deep;

use std::pin::pin;
use std::task::{Context, Waker};

use common::{alone, arena, columns, find_rows, path, row, rows_of, site, six};
use memprof::{Scope, Site, Space};

#[test]
fn an_allocation_raises_value_total_and_peak_in_bytes_and_blocks() {
    let _alone = alone();
    let scope = Scope::enter(site("allocation"));
    memprof::record_alloc(arena(), 1, 100);
    assert_eq!(six(scope.counters(arena())), [100, 1, 100, 1, 100, 1]);
    memprof::record_alloc(arena(), 2, 11);
    assert_eq!(six(scope.counters(arena())), [111, 2, 111, 2, 111, 2]);
    memprof::record_free(arena(), 1);
    assert_eq!(six(scope.counters(arena())), [11, 1, 111, 2, 111, 2]);
    memprof::record_free(arena(), 2);
    assert_eq!(six(scope.finish().counters(arena())), [0, 0, 111, 2, 111, 2]);
}

#[test]
fn a_scope_that_frees_older_blocks_goes_below_zero_but_its_peak_does_not() {
    let _alone = alone();
    memprof::record_alloc(arena(), 1, 100);
    let scope = Scope::enter(site("below zero"));
    memprof::record_free(arena(), 1);
    assert_eq!(six(scope.counters(arena())), [-100, -1, 0, 0, 0, 0]);
    memprof::record_alloc(arena(), 2, 60);
    assert_eq!(six(scope.counters(arena())), [-40, 0, 0, 0, 60, 1]);
    memprof::record_alloc(arena(), 3, 70);
    assert_eq!(six(scope.finish().counters(arena())), [30, 1, 30, 1, 130, 2]);
    memprof::record_free(arena(), 2);
    memprof::record_free(arena(), 3);
}

#[test]
fn a_block_of_zero_bytes_is_one_block() {
    let _alone = alone();
    let scope = Scope::enter(site("zero bytes"));
    memprof::record_alloc(arena(), 0, 0);
    assert_eq!(six(scope.counters(arena())), [0, 1, 0, 1, 0, 1]);
    assert_eq!(memprof::snapshot().totals(arena()).live_blocks, 1);
    memprof::record_free(arena(), 0);
    assert_eq!(six(scope.counters(arena())), [0, 0, 0, 1, 0, 1]);
    drop(scope);
    let row = rows_of("zero bytes");
    assert_eq!((row.blocks_total, row.self_blocks, row.memory_total, row.live_blocks), (1, 1, 0, 0));
    assert_eq!(memprof::snapshot().totals(arena()).unknown_frees, 0);
}

#[test]
fn addresses_are_any_number_and_spaces_do_not_share_them() {
    let _alone = alone();
    let (one, two) = (Space::named("address one"), Space::named("address two"));
    for address in [0, 1, u64::MAX, u64::MAX / 2] {
        memprof::record_alloc(one, address, 10);
        memprof::record_alloc(two, address, 1);
    }
    memprof::record_free(one, u64::MAX);
    assert_eq!(memprof::snapshot().totals(one).live, 30);
    assert_eq!(memprof::snapshot().totals(two).live, 4);
    for address in [0, 1, u64::MAX / 2] {
        memprof::record_free(one, address);
    }
    for address in [0, 1, u64::MAX, u64::MAX / 2] {
        memprof::record_free(two, address);
    }
    let totals = memprof::snapshot().totals(one);
    assert_eq!((totals.live, totals.live_blocks, totals.unknown_frees, totals.missed_frees), (0, 0, 0, 0));
}

#[test]
fn a_failure_counts_as_one_failure_and_nothing_else() {
    let _alone = alone();
    let space = Space::named("failing");
    let outer = Scope::enter(site("failure outer"));
    let scope = Scope::enter(site("failure"));
    memprof::record_alloc_failure(space, 1 << 40);
    assert_eq!(six(scope.counters(space)), [0; 6]);
    drop(scope);
    memprof::record_alloc_failure(space, 1);
    drop(outer);
    let snapshot = memprof::snapshot();
    assert_eq!(row(&snapshot, space, "failure").failed, 1);
    assert_eq!(row(&snapshot, space, "failure outer").failed, 2);
    let totals = snapshot.totals(space);
    assert_eq!((totals.failed, totals.total, totals.blocks_total, totals.peak), (2, 0, 0, 0));
}

#[test]
fn an_unknown_free_is_counted_and_ignored() {
    let _alone = alone();
    let space = Space::named("unknown");
    let scope = Scope::enter(site("unknown free"));
    memprof::record_free(space, 99);
    assert_eq!(six(scope.counters(space)), [0; 6]);
    let totals = memprof::snapshot().totals(space);
    assert_eq!((totals.unknown_frees, totals.live, totals.live_blocks), (1, 0, 0));
}

#[test]
fn an_allocation_on_a_live_address_frees_that_block_first_and_counts_a_missed_free() {
    let _alone = alone();
    let space = Space::named("missed");
    let scope = Scope::enter(site("missed free"));
    memprof::record_alloc(space, 5, 100);
    memprof::record_alloc(space, 5, 30);
    assert_eq!(six(scope.counters(space)), [30, 1, 100, 1, 130, 2]);
    let totals = memprof::snapshot().totals(space);
    assert_eq!((totals.missed_frees, totals.live, totals.live_blocks, totals.peak), (1, 30, 1, 100));
    memprof::record_free(space, 5);
    assert_eq!(memprof::snapshot().totals(space).unknown_frees, 0);
}

#[test]
fn a_parent_includes_its_children_and_its_peak_stands_on_what_it_held() {
    let _alone = alone();
    let outer = Scope::enter(site("includes outer"));
    memprof::record_alloc(arena(), 1, 100);
    {
        let inner = Scope::enter(site("includes first"));
        memprof::record_alloc(arena(), 2, 50);
        memprof::record_free(arena(), 2);
        assert_eq!(six(inner.counters(arena())), [0, 0, 50, 1, 50, 1]);
    }
    {
        let _inner = Scope::enter(site("includes second"));
        memprof::record_alloc(arena(), 3, 80);
        memprof::record_free(arena(), 3);
    }
    memprof::record_alloc(arena(), 4, 10);
    assert_eq!(six(outer.counters(arena())), [110, 2, 180, 2, 240, 4]);
    drop(outer);
    assert_eq!(columns(&rows_of("includes outer")), (1, 180, 240));
    assert_eq!(columns(&rows_of("includes first")), (1, 50, 50));
    assert_eq!(columns(&rows_of("includes second")), (1, 80, 80));
    let outer = rows_of("includes outer");
    assert_eq!((outer.self_total, outer.self_blocks, outer.largest), (110, 2, 100));
    assert_eq!((outer.live, outer.live_blocks), (110, 2));
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 4);
    assert_eq!(rows_of("includes outer").live, 0);
}

#[test]
fn an_open_scope_reads_as_if_its_open_children_ended_now() {
    let _alone = alone();
    let outer = Scope::enter(site("reads outer"));
    memprof::record_alloc(arena(), 1, 5);
    let inner = Scope::enter(site("reads inner"));
    memprof::record_alloc(arena(), 2, 7);
    memprof::record_free(arena(), 2);
    assert_eq!(six(outer.counters(arena())), [5, 1, 12, 2, 12, 2]);
    assert_eq!(six(inner.counters(arena())), [0, 0, 7, 1, 7, 1]);
    assert_eq!(memprof::counters(arena()), inner.counters(arena()));
    // Reading changes nothing.
    drop(inner);
    assert_eq!(six(outer.finish().counters(arena())), [5, 1, 12, 2, 12, 2]);
    memprof::record_free(arena(), 1);
}

#[test]
fn outside_any_scope_counters_read_the_base_record_of_the_thread() {
    let _alone = alone();
    std::thread::spawn(|| {
        let base = || six(memprof::counters(arena()));
        assert_eq!(base(), [0; 6], "a new thread starts from zero");
        memprof::record_alloc(arena(), 1, 10);
        assert_eq!(base(), [10, 1, 10, 1, 10, 1]);
        {
            let _scope = Scope::enter(site("on a base"));
            memprof::record_alloc(arena(), 2, 5);
            memprof::record_free(arena(), 2);
        }
        memprof::record_free(arena(), 1);
        assert_eq!(base(), [0, 0, 15, 2, 15, 2]);
    })
    .join()
    .expect("no panic");
    std::thread::spawn(|| assert_eq!(six(memprof::counters(arena())), [0; 6])).join().expect("no panic");
}

#[test]
fn what_happens_outside_any_scope_makes_no_row_but_is_accounted_for() {
    let _alone = alone();
    let space = Space::named("outside");
    memprof::record_alloc(space, 1, 40);
    memprof::record_alloc(space, 2, 2);
    memprof::record_free(space, 2);
    let snapshot = memprof::snapshot();
    assert!(snapshot.records(space).is_empty());
    assert!(snapshot.tree(space).is_empty());
    let totals = snapshot.totals(space);
    assert_eq!((totals.no_scope_live, totals.no_scope_total, totals.no_scope_at_peak), (40, 42, 42));
    assert_eq!((totals.live, totals.total, totals.peak, totals.peak_blocks), (40, 42, 42, 2));
    memprof::record_free(space, 1);
}

#[test]
fn leaving_a_scope_ends_what_was_entered_inside_it_and_those_guards_do_nothing() {
    let _alone = alone();
    let outer = Scope::enter(site("disorder outer"));
    let middle = Scope::enter(site("disorder middle"));
    let inner = Scope::enter(site("disorder inner"));
    memprof::record_alloc(arena(), 1, 10);
    drop(middle);
    // Both are left; what comes now is the outer scope's own.
    memprof::record_alloc(arena(), 2, 1);
    assert_eq!(six(memprof::counters(arena())), [11, 2, 11, 2, 11, 2]);
    drop(inner);
    assert_eq!(memprof::counters(arena()), outer.counters(arena()));
    let next = Scope::enter(site("disorder next"));
    assert_eq!(six(next.counters(arena())), [0; 6]);
    drop(next);
    drop(outer);
    assert_eq!(columns(&rows_of("disorder outer")), (1, 11, 11));
    assert_eq!(columns(&rows_of("disorder middle")), (1, 10, 10));
    assert_eq!(columns(&rows_of("disorder inner")), (1, 10, 10));
    assert_eq!(rows_of("disorder inner").self_total, 10);
    assert_eq!(rows_of("disorder outer").self_total, 1);
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 2);
}

#[test]
fn a_late_guard_does_not_leave_the_scope_that_took_its_depth() {
    let _alone = alone();
    let outer = Scope::enter(site("late outer"));
    let late = Scope::enter(site("late inner"));
    drop(outer);
    let outer = Scope::enter(site("late outer"));
    let other = Scope::enter(site("late other"));
    drop(late);
    memprof::record_alloc(arena(), 1, 3);
    assert_eq!(six(other.counters(arena())), [3, 1, 3, 1, 3, 1]);
    drop(other);
    drop(outer);
    assert_eq!(columns(&rows_of("late inner")), (1, 0, 0));
    assert_eq!(columns(&rows_of("late other")), (1, 3, 3));
    memprof::record_free(arena(), 1);
}

#[test]
fn a_forgotten_guard_ends_with_the_scope_around_it() {
    let _alone = alone();
    let outer = Scope::enter(site("forgotten outer"));
    let _forgotten = std::mem::ManuallyDrop::new(Scope::enter(site("forgotten inner")));
    memprof::record_alloc(arena(), 1, 3);
    assert_eq!(columns(&rows_of("forgotten inner")), (1, 3, 3));
    drop(outer);
    memprof::record_alloc(arena(), 2, 4);
    assert_eq!(columns(&rows_of("forgotten inner")), (1, 3, 3));
    assert_eq!(columns(&rows_of("forgotten outer")), (1, 3, 3));
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 2);
}

#[test]
fn a_panic_leaves_its_scopes_and_records_them() {
    let _alone = alone();
    let outcome = std::panic::catch_unwind(|| {
        let _outer = Scope::enter(site("panic outer"));
        let _inner = Scope::enter(site("panic inner"));
        memprof::record_alloc(arena(), 1, 10);
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(outcome.is_err());
    assert_eq!(columns(&rows_of("panic inner")), (1, 10, 10));
    assert_eq!(columns(&rows_of("panic outer")), (1, 10, 10));
    let next = Scope::enter(site("panic next"));
    memprof::record_free(arena(), 1);
    assert_eq!(six(next.counters(arena())), [-10, -1, 0, 0, 0, 0]);
}

fn row_of_space(snapshot: &memprof::Snapshot, space: &str, name: &str) -> memprof::Record {
    snapshot.records(space).iter().find(|row| row.name == name).expect("a row").clone()
}
