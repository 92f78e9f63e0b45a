//! rayon: a parallel iterator whose memory reaches the scope that started it.

use crate::common::{alone, arena, columns, path, row, six};
use memprof::{Context, Scope, Site, Space};
use rayon::prelude::*;

const ITEMS: u64 = 1000;

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool")
}

#[memprof::track]
fn item(address: u64) -> u64 {
    memprof::record_alloc(arena(), address, 100);
    memprof::record_alloc(arena(), address + ITEMS, 10);
    memprof::record_free(arena(), address);
    address
}

#[test]
fn a_par_iter_under_a_context_adds_up_in_its_parent() {
    let _alone = alone();
    let pool = pool();
    let scope = Scope::enter(Site::named("par_iter parent"));
    let context = Context::current();
    let sum: u64 = pool.install(|| (0..ITEMS).into_par_iter().map(|address| context.run(|| item(address))).sum());
    assert_eq!(sum, ITEMS * (ITEMS - 1) / 2);
    let parent = six(scope.finish().counters(arena()));
    let items = i64::try_from(ITEMS).expect("small");
    assert_eq!([parent[0], parent[1], parent[4], parent[5]], [10 * items, items, 110 * items, 2 * items]);
    // Never below what it ended with, nor above every item's peak at once; the bound is 64 KiB per thread.
    assert!(parent[2] >= 10 * items - 4 * 65_536 && parent[2] <= 110 * items + 4 * 65_536, "{parent:?}");
    let snapshot = memprof::snapshot();
    assert_eq!(columns(&row(&snapshot, arena(), "item")), (ITEMS, 110, ITEMS * 110));
    assert_eq!(row(&snapshot, arena(), "item").live, 10 * items);
    assert!(path(&snapshot, arena(), &["par_iter parent", "item"]).is_some());
    assert!(path(&snapshot, arena(), &["item"]).is_none());
    (ITEMS..2 * ITEMS).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn without_a_context_the_workers_memory_stays_on_the_workers() {
    let _alone = alone();
    let pool = pool();
    let scope = Scope::enter(Site::named("par_iter alone"));
    pool.install(|| (0..ITEMS).into_par_iter().for_each(|address| assert_eq!(item(address), address)));
    assert_eq!(six(scope.finish().counters(arena())), [0; 6]);
    let snapshot = memprof::snapshot();
    assert!(path(&snapshot, arena(), &["item"]).is_some());
    assert_eq!(row(&snapshot, arena(), "item").ncalls, ITEMS);
    (ITEMS..2 * ITEMS).for_each(|address| memprof::record_free(arena(), address));
}

#[test]
fn the_host_memory_of_a_par_iter_reaches_its_parent() {
    let _alone = alone();
    let pool = pool();
    let scope = Scope::enter(Site::named("par_iter host"));
    let context = Context::current();
    let held: Vec<Vec<u8>> = pool.install(|| {
        let blocks = (0..64usize).into_par_iter().map(|_| {
            context.run(|| {
                memprof::scope!("host item");
                vec![1u8; 100_000]
            })
        });
        blocks.collect()
    });
    let snapshot = memprof::snapshot();
    let item = row(&snapshot, Space::HOST, "host item");
    assert_eq!((columns(&item), item.live, item.live_blocks), ((64, 100_000, 6_400_000), 6_400_000, 64));
    let parent = scope.counters(Space::HOST);
    // At least these; rayon's own blocks come and go beside them.
    assert!(parent.total_bytes >= 6_400_000, "{parent:?}");
    drop(held);
    assert!(scope.counters(Space::HOST).current_bytes <= parent.current_bytes - 6_400_000);
    assert_eq!(row(&memprof::snapshot(), Space::HOST, "host item").live, 0);
}

#[test]
fn joined_closures_under_a_context_keep_their_paths() {
    let _alone = alone();
    let pool = pool();
    let scope = Scope::enter(Site::named("join parent"));
    let context = Context::current();
    pool.join(|| context.run(|| item(1)), || context.run(|| item(2)));
    assert_eq!(scope.counters(arena()).total_bytes, 220);
    drop(scope);
    assert!(path(&memprof::snapshot(), arena(), &["join parent", "item"]).is_some());
    memprof::record_free(arena(), 1 + ITEMS);
    memprof::record_free(arena(), 2 + ITEMS);
}
