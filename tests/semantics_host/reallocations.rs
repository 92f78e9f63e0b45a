//! Reallocations, and what stays upstream's own.

use super::{
    HOST, Ordering, REALLOCATED, Scope, Sent, ZEROED, alloc_zeroed, alone, block, bytes, free, resize, rows_of, site,
    six,
};

#[test]
fn a_reallocation_counts_its_growth_and_no_block() {
    let _alone = alone();
    let scope = Scope::enter(site("reallocation"));
    let mut held = block(100);
    held = resize(held, 100, 260);
    assert_eq!(six(scope.counters(HOST)), [260, 1, 260, 1, 260, 1]);
    held = resize(held, 260, 60);
    assert_eq!(six(scope.counters(HOST)), [60, 1, 260, 1, 260, 1]);
    held = resize(held, 60, 60);
    assert_eq!(six(scope.counters(HOST)), [60, 1, 260, 1, 260, 1]);
    held = resize(held, 60, 100_000);
    assert_eq!(six(scope.counters(HOST)), [100_000, 1, 100_000, 1, 100_200, 1]);
    free(held, 100_000);
    assert_eq!(six(scope.counters(HOST)), [0, 0, 100_000, 1, 100_200, 1]);
    drop(scope);
    let row = rows_of("reallocation");
    assert_eq!((row.reallocs, row.blocks_total, row.self_total, row.largest), (4, 1, 100_200, 100_000));
}

#[test]
fn a_growing_vector_totals_what_it_holds_and_not_what_it_held() {
    let _alone = alone();
    let scope = Scope::enter(site("growing"));
    let mut vector: Vec<u8> = Vec::with_capacity(64);
    for _ in 0..4 {
        vector.reserve_exact(vector.capacity() * 2);
        vector.resize(vector.capacity(), 7);
    }
    let held = i64::try_from(vector.capacity()).expect("small");
    assert!(vector.iter().all(|byte| *byte == 7));
    assert_eq!(six(scope.counters(HOST)), [held, 1, held, 1, held, 1]);
    drop(vector);
}

#[test]
fn a_reallocation_makes_the_current_path_the_owner() {
    let _alone = alone();
    let outer = Scope::enter(site("first owner"));
    let held = block(100);
    let inner = Scope::enter(site("second owner"));
    let held = resize(held, 100, 250);
    assert_eq!(six(inner.counters(HOST)), [150, 0, 150, 0, 150, 0]);
    drop(inner);
    drop(outer);
    let (first, second) = (rows_of("first owner"), rows_of("second owner"));
    assert_eq!((first.live, first.live_blocks, first.self_total, first.memory_total), (0, 0, 100, 250));
    assert_eq!((second.live, second.live_blocks, second.self_total, second.memory_total), (250, 1, 150, 150));
    assert_eq!((first.reallocs, second.reallocs), (1, 1));
    free(held, 250);
    assert_eq!(rows_of("second owner").live, 0);
}

#[test]
fn a_reallocation_elsewhere_is_freed_there_and_allocated_here() {
    let _alone = alone();
    // What the standard library keeps from the first thread on is there before the scope.
    std::thread::spawn(|| ()).join().expect("no panic");
    let scope = Scope::enter(site("home of the block"));
    let held = Sent(block(1000));
    let elsewhere = std::thread::spawn(move || {
        let held = held;
        let scope = Scope::enter(site("reallocates elsewhere"));
        let moved = Sent(resize(held.0, 1000, 300));
        (six(scope.finish().counters(HOST)), moved)
    });
    let (seen, moved) = elsewhere.join().expect("no panic");
    assert_eq!(seen, [300, 1, 300, 1, 300, 1]);
    // Not seen here but for the standard library's own blocks of the thread, which are gone by now.
    assert_eq!(scope.counters(HOST).current_bytes, 0);
    drop(scope);
    let row = rows_of("reallocates elsewhere");
    assert_eq!((row.reallocs, row.blocks_total, row.self_total, row.live), (1, 1, 300, 300));
    free(moved.0, 300);
    assert_eq!(rows_of("reallocates elsewhere").live, 0);
}

#[test]
fn a_zeroed_block_is_zero_and_stays_upstreams_own() {
    let _alone = alone();
    let before = ZEROED.load(Ordering::Relaxed);
    let scope = Scope::enter(site("zeroed"));
    // SAFETY: not zero bytes.
    let held = unsafe { alloc_zeroed(bytes(4096)) };
    // SAFETY: 4096 bytes that were just allocated.
    assert!(unsafe { std::slice::from_raw_parts(held, 4096) }.iter().all(|byte| *byte == 0));
    assert_eq!(six(scope.counters(HOST)), [4096, 1, 4096, 1, 4096, 1]);
    free(held, 4096);
    drop(scope);
    assert!(ZEROED.load(Ordering::Relaxed) > before, "alloc_zeroed is forwarded");
}

#[test]
fn a_reallocation_stays_upstreams_own() {
    let _alone = alone();
    let before = REALLOCATED.load(Ordering::Relaxed);
    let held = resize(block(100), 100, 200);
    assert!(REALLOCATED.load(Ordering::Relaxed) > before, "realloc is forwarded");
    free(held, 200);
}
