//! What the rows of sites and paths sum up.

use super::{Scope, Space, alone, arena, columns, path, row, rows_of, site};

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

/// More than a thread's cache of paths holds, so each is found among all that the thread knows.
#[test]
fn each_of_many_paths_in_turn_keeps_its_own_row() {
    const SITES: u64 = 600;
    let _alone = alone();
    let sites: Vec<_> = (0..SITES).map(|number| site(&format!("in turn {number}"))).collect();
    for parent in ["turns of the left", "turns of the right"].into_iter().cycle().take(6) {
        let _parent = Scope::enter(site(parent));
        for (site, bytes) in sites.iter().zip(1..) {
            let _scope = Scope::enter(site);
            memprof::record_alloc(arena(), 1, bytes);
            // It leads back to the same path.
            let _again = Scope::enter(site);
            memprof::record_free(arena(), 1);
        }
    }
    let snapshot = memprof::snapshot();
    for (number, bytes) in (0..SITES).zip(1..) {
        let name = format!("in turn {number}");
        assert_eq!(columns(&row(&snapshot, arena(), &name)), (12, bytes, 6 * bytes), "{name}");
        for parent in ["turns of the left", "turns of the right"] {
            let path = path(&snapshot, arena(), &[parent, &name]).expect("it was there");
            assert_eq!((path.ncalls, path.memory_total), (6, 3 * bytes), "{name} in {parent}");
        }
    }
}
