//! Scopes in great number and depth.

use super::{Scope, Site, alone, arena, columns, rows_of, six};

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
fn thousands_of_different_scopes_nested_make_one_chain() {
    // Each new path looks through all above it for its site, so the time goes with the square.
    const DEPTH: usize = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
    let _alone = alone();
    let mut scopes: Vec<Scope> = (0..DEPTH).map(|depth| Scope::enter(Site::named(&format!("chain {depth}")))).collect();
    memprof::record_alloc(arena(), 0, 5);
    while scopes.pop().is_some() {}
    let snapshot = memprof::snapshot();
    let rows: Vec<_> = snapshot.tree(arena()).iter().filter(|row| row.name.starts_with("chain ")).collect();
    assert_eq!(rows.len(), DEPTH);
    assert!(rows.iter().all(|row| (row.ncalls, row.memory_peak, row.memory_total) == (1, 5, 5)));
    assert_eq!(rows.iter().map(|row| row.self_total).sum::<u64>(), 5);
    assert_eq!(rows_of(&format!("chain {}", DEPTH - 1)).self_total, 5);
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
