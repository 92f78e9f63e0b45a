//! What scopes, sites and their rows count, one sentence of the contract a test, on a named space.

mod common;

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use common::{alone, columns, find_rows, path, row, six};
use memprof::{Scope, Site, Space};

fn arena() -> Space {
    Space::named("arena")
}

fn site(name: &str) -> &'static Site {
    Site::named(name)
}

fn rows_of(name: &str) -> memprof::Record {
    let space = arena();
    row(&memprof::snapshot(), space, name)
}

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

#[test]
fn totals_sum_over_calls_and_peak_is_the_greatest_of_them() {
    let _alone = alone();
    for bytes in [10, 300, 20] {
        let _scope = Scope::enter(site("calls"));
        memprof::record_alloc(arena(), 1, bytes);
        memprof::record_free(arena(), 1);
    }
    let row = rows_of("calls");
    assert_eq!(columns(&row), (3, 300, 330));
    assert_eq!((row.blocks_total, row.largest), (3, 300));
}

#[test]
fn ten_blocks_one_after_another_peak_at_one_and_ten_held_at_once_at_ten() {
    const MB: u64 = 1_000_000;
    let _alone = alone();
    {
        let _scope = Scope::enter(site("one after another"));
        for address in 0..10 {
            memprof::record_alloc(arena(), address, MB);
            memprof::record_free(arena(), address);
        }
    }
    {
        let _scope = Scope::enter(site("held at once"));
        (0..10).for_each(|address| memprof::record_alloc(arena(), address, MB));
        (0..10).for_each(|address| memprof::record_free(arena(), address));
    }
    assert_eq!(columns(&rows_of("one after another")), (1, MB, 10 * MB));
    assert_eq!(columns(&rows_of("held at once")), (1, 10 * MB, 10 * MB));
    assert_eq!(rows_of("one after another").temporary, 10);
    // The last of the ten: nothing was allocated between it and its free.
    assert_eq!(rows_of("held at once").temporary, 1);
}

#[test]
fn what_leaks_over_calls_shows_in_live() {
    let _alone = alone();
    for address in 0..3 {
        let _scope = Scope::enter(site("leaky"));
        memprof::record_alloc(arena(), address, 10);
    }
    let row = rows_of("leaky");
    assert_eq!(columns(&row), (3, 10, 30));
    assert_eq!((row.live, row.live_blocks), (30, 3));
    (0..3).for_each(|address| memprof::record_free(arena(), address));
    assert_eq!((rows_of("leaky").live, rows_of("leaky").live_blocks), (0, 0));
}

#[test]
fn live_falls_for_the_owner_wherever_the_block_is_freed() {
    let _alone = alone();
    {
        let _scope = Scope::enter(site("owner"));
        memprof::record_alloc(arena(), 1, 10);
    }
    {
        let _scope = Scope::enter(site("not the owner"));
        memprof::record_free(arena(), 1);
    }
    assert_eq!(rows_of("owner").live, 0);
    assert_eq!(rows_of("not the owner").live, 0);
    assert_eq!(columns(&rows_of("not the owner")), (1, 0, 0));
}

#[test]
fn a_block_is_temporary_only_when_freed_before_the_next_allocation() {
    let _alone = alone();
    {
        let _scope = Scope::enter(site("temporary"));
        memprof::record_alloc(arena(), 1, 10);
        memprof::record_free(arena(), 1);
        memprof::record_alloc(arena(), 2, 10);
        memprof::record_alloc(arena(), 3, 10);
        memprof::record_free(arena(), 2);
        memprof::record_free(arena(), 3);
        memprof::record_alloc(arena(), 4, 10);
    }
    {
        let _scope = Scope::enter(site("frees another's"));
        memprof::record_free(arena(), 4);
    }
    // 1, then 3 (nothing was allocated after it), then 4; 2 was not.
    assert_eq!(rows_of("temporary").temporary, 3);
    assert_eq!(rows_of("frees another's").temporary, 0);
}

#[test]
fn another_threads_free_does_not_make_a_block_temporary() {
    let _alone = alone();
    {
        let _scope = Scope::enter(site("freed elsewhere"));
        memprof::record_alloc(arena(), 1, 10);
        std::thread::spawn(|| memprof::record_free(arena(), 1)).join().expect("no panic");
    }
    assert_eq!(rows_of("freed elsewhere").temporary, 0);
}

#[test]
fn recursion_is_counted_once_in_total_and_each_time_in_ncalls() {
    fn descend(depth: u64) {
        let _scope = Scope::enter(site("recursive"));
        memprof::record_alloc(arena(), depth, 10);
        if depth > 0 {
            descend(depth - 1);
        }
    }
    let _alone = alone();
    descend(4);
    let row = rows_of("recursive");
    assert_eq!(columns(&row), (5, 50, 50));
    assert_eq!((row.blocks_total, row.self_total, row.self_blocks, row.live), (5, 50, 5, 50));
    let snapshot = memprof::snapshot();
    let tree = snapshot.tree(arena());
    assert_eq!(tree.iter().filter(|row| row.name == "recursive").count(), 1, "recursion does not grow the tree");
    (0..=4).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn mutual_recursion_leads_back_to_the_first_nodes() {
    let _alone = alone();
    let f1 = Scope::enter(site("mutual f"));
    memprof::record_alloc(arena(), 1, 1);
    let g1 = Scope::enter(site("mutual g"));
    memprof::record_alloc(arena(), 2, 10);
    let f2 = Scope::enter(site("mutual f"));
    memprof::record_alloc(arena(), 3, 100);
    let g2 = Scope::enter(site("mutual g"));
    memprof::record_alloc(arena(), 4, 1000);
    drop((g2, f2));
    drop(g1);
    drop(f1);
    assert_eq!(columns(&rows_of("mutual f")), (2, 1111, 1111));
    assert_eq!(columns(&rows_of("mutual g")), (2, 1110, 1110));
    assert_eq!((rows_of("mutual f").self_total, rows_of("mutual g").self_total), (101, 1010));
    let snapshot = memprof::snapshot();
    let f = path(&snapshot, arena(), &["mutual f"]).expect("a path");
    let g = path(&snapshot, arena(), &["mutual f", "mutual g"]).expect("a path");
    assert_eq!((f.ncalls, f.self_total, f.memory_total), (2, 101, 1111));
    assert_eq!((g.ncalls, g.self_total, g.memory_total), (2, 1010, 1110));
    assert!(path(&snapshot, arena(), &["mutual f", "mutual g", "mutual f"]).is_none());
    (1..=4).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn recursion_through_a_cut_path_still_counts_once() {
    // a s b a c s: the second `a` leads back to the node of the first, so the second `s` stands on the path
    // a c s, where no `s` is above it; yet the first `s` is still open.
    let _alone = alone();
    let a1 = Scope::enter(site("cut a"));
    let s1 = Scope::enter(site("cut s"));
    memprof::record_alloc(arena(), 1, 10);
    let b = Scope::enter(site("cut b"));
    let a2 = Scope::enter(site("cut a"));
    let c = Scope::enter(site("cut c"));
    let s2 = Scope::enter(site("cut s"));
    memprof::record_alloc(arena(), 2, 100);
    drop(s2);
    drop(c);
    drop(a2);
    drop(b);
    drop(s1);
    drop(a1);
    assert_eq!(columns(&rows_of("cut a")), (2, 110, 110));
    assert_eq!(columns(&rows_of("cut s")), (2, 110, 110));
    assert_eq!(columns(&rows_of("cut b")), (1, 100, 100));
    assert_eq!(columns(&rows_of("cut c")), (1, 100, 100));
    let snapshot = memprof::snapshot();
    let outer = path(&snapshot, arena(), &["cut a", "cut s"]).expect("a path");
    let inner = path(&snapshot, arena(), &["cut a", "cut c", "cut s"]).expect("a path");
    assert_eq!((outer.ncalls, outer.memory_total, outer.self_total), (1, 110, 10));
    assert_eq!((inner.ncalls, inner.memory_total, inner.self_total), (1, 100, 100));
    memprof::record_free(arena(), 1);
    memprof::record_free(arena(), 2);
}

#[test]
fn a_site_reached_over_two_paths_is_two_rows_in_the_tree_and_one_in_the_flat_list() {
    let _alone = alone();
    for (address, (above, bytes)) in [("fork left", 10), ("fork right", 7)].into_iter().enumerate() {
        let _above = Scope::enter(site(above));
        let _scope = Scope::enter(site("fork leaf"));
        memprof::record_alloc(arena(), address as u64, bytes);
    }
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, arena(), "fork leaf")), (2, 10, 17));
    assert_eq!(path(&snapshot, arena(), &["fork left", "fork leaf"]).expect("a path").memory_total, 10);
    assert_eq!(path(&snapshot, arena(), &["fork right", "fork leaf"]).expect("a path").memory_total, 7);
    let tree = snapshot.tree(arena());
    assert!(tree.iter().enumerate().all(|(at, row)| row.parent.is_none_or(|parent| parent < at)), "parents first");
    memprof::record_free(arena(), 0);
    memprof::record_free(arena(), 1);
}

#[test]
fn the_owners_picture_at_the_mark_is_the_one_of_the_later_of_two_equal_marks() {
    let _alone = alone();
    let space = Space::named("marks");
    {
        let _scope = Scope::enter(site("first mark"));
        memprof::record_alloc(space, 1, 100);
    }
    memprof::record_alloc(space, 2, 20);
    let totals = memprof::snapshot().totals(space);
    assert_eq!((totals.peak, totals.no_scope_at_peak, totals.at_peak_level), (120, 20, 120));
    memprof::record_free(space, 1);
    assert_eq!(row(&memprof::snapshot(), space, "first mark").at_peak, 100);
    {
        let _scope = Scope::enter(site("second mark"));
        memprof::record_alloc(space, 3, 60);
        memprof::record_alloc(space, 4, 40);
    }
    let snapshot = memprof::snapshot();
    assert_eq!(snapshot.totals(space).peak, 120);
    assert_eq!(row(&snapshot, space, "first mark").at_peak, 0);
    let second = row(&snapshot, space, "second mark");
    assert_eq!((second.at_peak, second.at_peak_blocks), (100, 2));
    // Below the mark nothing changes any more.
    memprof::record_free(space, 4);
    memprof::record_alloc(space, 5, 39);
    assert_eq!(row(&memprof::snapshot(), space, "second mark").at_peak, 100);
    for address in [2, 3, 5] {
        memprof::record_free(space, address);
    }
}

#[test]
fn a_site_that_never_touched_a_space_still_has_its_calls_there() {
    let _alone = alone();
    drop(Scope::enter(site("touched nothing")));
    let row = rows_of("touched nothing");
    assert_eq!(columns(&row), (1, 0, 0));
    assert_eq!(row.largest, 0);
}

#[test]
fn rows_stand_by_peak_then_by_first_leave_then_by_entry() {
    let _alone = alone();
    let space = Space::named("order");
    let open_first = Scope::enter(site("order open first"));
    let open_second = Scope::enter(site("order open second"));
    {
        let _outer = Scope::enter(site("order outer"));
        let _inner = Scope::enter(site("order inner"));
    }
    {
        let _large = Scope::enter(site("order large"));
        memprof::record_alloc(space, 1, 9);
        memprof::record_free(space, 1);
    }
    let order: Vec<String> = memprof::snapshot().records(space).iter().map(|row| row.name.clone()).collect();
    // The two open scopes hold "large" and so peak at 9 as well; it was left, they were not.
    let by_peak = ["order large", "order open first", "order open second", "order inner", "order outer"];
    assert_eq!(order, by_peak);
    drop(open_second);
    drop(open_first);
}

#[test]
fn the_same_name_is_the_same_site_and_two_functions_called_new_are_two() {
    struct One;
    struct Two;
    #[memprof::track]
    impl One {
        fn new(space: Space) -> One {
            memprof::record_alloc(space, 1, 10);
            One
        }
    }
    #[memprof::track]
    impl Two {
        fn new(space: Space) -> Two {
            memprof::record_alloc(space, 2, 20);
            Two
        }
    }
    let _alone = alone();
    assert!(std::ptr::eq(Site::named("same"), Site::named("same")));
    let space = Space::named("two types");
    let (One, Two) = (One::new(space), Two::new(space));
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, space, "One::new")), (1, 10, 10));
    assert_eq!(columns(&row(&snapshot, space, "Two::new")), (1, 20, 20));
    memprof::record_free(space, 1);
    memprof::record_free(space, 2);
}

#[memprof::track]
fn measured() -> u32 {
    line!() - 1
}

#[test]
fn a_tracked_row_names_file_line_and_function() {
    let _alone = alone();
    let line = measured();
    let row = rows_of("measured");
    assert_eq!((row.file.as_str(), row.line, row.function.as_str()), (file!(), line, "measured"));
    assert_eq!(row.name, format!("{}:{line}(measured)", file!()));
}

#[test]
fn the_scope_macro_is_an_expression_a_statement_and_takes_a_name_made_at_run_time() {
    fn early(space: Space) -> Option<u64> {
        let got: u64 = memprof::scope!("block with ?", {
            memprof::record_alloc(space, 1, 8);
            None?
        });
        Some(got)
    }
    let _alone = alone();
    let space = Space::named("scope macro");
    assert_eq!(early(space), None);
    let sum = memprof::scope!("block", { 1 + 1 });
    assert_eq!(sum, 2);
    for layer in 0..2 {
        memprof::scope!(format!("layer {layer}"));
        memprof::record_alloc(space, 10 + layer, 4);
    }
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, space, "block with ?")), (1, 8, 8));
    assert_eq!(columns(&row(&snapshot, space, "block")), (1, 0, 0));
    assert_eq!(columns(&row(&snapshot, space, "layer 0")), (1, 4, 4));
    assert_eq!(columns(&row(&snapshot, space, "layer 1")), (1, 4, 4));
    assert!(path(&snapshot, space, &["layer 1"]).is_some(), "the statement ends with its block");
    for address in [1, 10, 11] {
        memprof::record_free(space, address);
    }
}

#[test]
fn a_name_made_at_run_time_is_not_made_while_off() {
    fn make() -> String {
        assert!(memprof::is_enabled(), "the name was evaluated");
        String::from("never made")
    }
    let _alone = alone();
    memprof::disable();
    memprof::scope!(make());
    memprof::enable();
    assert!(find_rows(&memprof::snapshot(), arena(), "never made").is_empty());
}

#[test]
fn a_future_whose_name_was_not_made_while_off_is_no_activation_when_polled_while_on() {
    let _alone = alone();
    memprof::disable();
    let future = memprof::scope!(format!("future {}", 1), async { memprof::record_alloc(arena(), 900, 10) });
    memprof::enable();
    assert!(pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    memprof::record_free(arena(), 900);
    let names: Vec<String> = memprof::snapshot().records(arena()).iter().map(|row| row.name.clone()).collect();
    assert_eq!(names, [""; 0]);
}

#[test]
fn a_name_made_at_run_time_is_borrowed_and_may_leave_the_function() -> Result<(), std::num::ParseIntError> {
    struct Layer {
        name: String,
    }
    let _alone = alone();
    let layer = &Layer { name: String::from("layer of a model") };
    memprof::scope!(layer.name, {});
    memprof::scope!(*layer.name, {});
    memprof::scope!(format!("layer {}", "3".parse::<u8>()?), {});
    assert_eq!(rows_of("layer of a model").ncalls, 2);
    assert_eq!(rows_of("layer 3").ncalls, 1);
    Ok(())
}

#[test]
fn more_bytes_than_can_be_counted_are_no_panic() {
    let _alone = alone();
    let most = i64::MAX.cast_unsigned();
    for space in [Space::named("vast"), Space::HOST] {
        let scope = Scope::enter(site("vast"));
        for address in [0, 1, u64::MAX, 1] {
            memprof::record_alloc(space, address, u64::MAX);
        }
        std::thread::spawn(move || memprof::record_free(space, 0)).join().expect("a free");
        memprof::record_alloc(space, 0, u64::MAX);
        drop(scope);
        let snapshot = memprof::snapshot();
        assert_eq!(snapshot.totals(space).missed_frees, 1);
        let counted = if space == Space::HOST { most / 2 } else { most };
        assert_eq!(row(&snapshot, space, "vast").largest, counted);
        assert!(snapshot.to_string().contains("vast"));
        for address in [0, 1, u64::MAX] {
            memprof::record_free(space, address);
        }
        assert_eq!(memprof::snapshot().totals(space).live_blocks, 0);
    }
}

#[test]
fn names_with_quotes_newlines_and_other_scripts_are_kept() {
    let _alone = alone();
    let names = ["\"quoted\" 'twice'", "two\nlines\r\ttab", "Größe — 大きさ 🦀", "a,b;c|d\\e", "\u{0}nul\u{1b}[31m"];
    for name in names {
        drop(Scope::enter(Site::named(name)));
    }
    drop(Scope::enter(Site::named("")));
    let space = arena();
    // A saved profile has the rows of spaces in which something happened.
    memprof::record_alloc(space, 1, 1);
    memprof::record_free(space, 1);
    let snapshot = memprof::snapshot();
    for name in names {
        assert_eq!(row(&snapshot, space, name).ncalls, 1, "{name:?}");
    }
    // A row without a name is no row to a reader.
    assert_eq!(row(&snapshot, space, "\"\"").ncalls, 1);
    let json = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
    let again: memprof::Snapshot = serde_json::from_str(&json).expect("it reads back");
    for name in names {
        assert_eq!(row_of_space(&again, "arena", name).ncalls, 1, "{name:?}");
    }
    assert_eq!(serde_json::to_string(&again).expect("plain data"), json);
    assert!(!snapshot.to_string().is_empty());
}

fn row_of_space(snapshot: &memprof::Snapshot, space: &str, name: &str) -> memprof::Record {
    snapshot.records(space).iter().find(|row| row.name == name).expect("a row").clone()
}

#[test]
fn ten_thousand_nested_scopes_fold_into_each_other() {
    const DEPTH: u64 = 10_000;
    let _alone = alone();
    let sites = ["nested 0", "nested 1", "nested 2"].map(Site::named);
    let mut scopes = Vec::new();
    for depth in 0..DEPTH {
        scopes.push(Scope::enter(sites[usize::try_from(depth % 3).expect("small")]));
        memprof::record_alloc(arena(), depth, 1);
    }
    assert_eq!(six(scopes[0].counters(arena())), [10_000; 6]);
    assert_eq!(six(memprof::counters(arena())), [1; 6]);
    while scopes.pop().is_some() {}
    assert_eq!(columns(&rows_of("nested 0")), (3334, 10_000, 10_000));
    assert_eq!(columns(&rows_of("nested 1")), (3333, 9_999, 9_999));
    assert_eq!(columns(&rows_of("nested 2")), (3333, 9_998, 9_998));
    assert_eq!(rows_of("nested 2").self_total, 3333);
    (0..DEPTH).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn ten_thousand_different_scopes_nested_make_one_chain() {
    const DEPTH: usize = 10_000;
    let _alone = alone();
    let mut scopes: Vec<Scope> = (0..DEPTH).map(|depth| Scope::enter(Site::named(&format!("chain {depth}")))).collect();
    memprof::record_alloc(arena(), 0, 5);
    while scopes.pop().is_some() {}
    let snapshot = memprof::snapshot();
    let rows: Vec<_> = snapshot.tree(arena()).iter().filter(|row| row.name.starts_with("chain ")).collect();
    assert_eq!(rows.len(), DEPTH);
    assert!(rows.iter().all(|row| (row.ncalls, row.memory_peak, row.memory_total) == (1, 5, 5)));
    assert_eq!(rows.iter().map(|row| row.self_total).sum::<u64>(), 5);
    assert_eq!(rows_of("chain 9999").self_total, 5);
    memprof::record_free(arena(), 0);
}

#[test]
fn a_tracked_function_recurses_ten_thousand_deep() {
    #[memprof::track]
    fn deep(depth: u64) -> u64 {
        memprof::record_alloc(arena(), depth, 1);
        let below = if depth == 0 { 0 } else { deep(depth - 1) };
        memprof::record_free(arena(), depth);
        below + 1
    }
    let _alone = alone();
    let levels = std::thread::Builder::new().stack_size(64 << 20).spawn(|| deep(9_999)).expect("a thread").join();
    assert_eq!(levels.expect("no panic"), 10_000);
    assert_eq!(columns(&rows_of("deep")), (10_000, 10_000, 10_000));
}
