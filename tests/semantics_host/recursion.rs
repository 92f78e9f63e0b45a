//! Scopes inside another one of their site, with events on the host: a way of their own through the recorder.

use memprof::{Scope, Site};

use super::common::{alone, columns, row, site, six};
use super::{HOST, block, free, rows_of};

#[test]
fn an_activation_inside_another_can_have_the_greater_peak() {
    let _alone = alone();
    // The first to be left takes longer.
    drop(Scope::enter(site("greater inside")));
    let held = block(1_000);
    let outer = Scope::enter(site("greater inside"));
    free(held, 1_000);
    let inner = Scope::enter(site("greater inside"));
    let held = block(500);
    assert_eq!(six(inner.counters(HOST)), [500, 1, 500, 1, 500, 1]);
    drop(inner);
    assert_eq!(six(outer.counters(HOST)), [-500, 0, 0, 0, 500, 1]);
    drop(outer);
    let row = rows_of("greater inside");
    assert_eq!((columns(&row), row.largest, row.self_total), ((3, 500, 500), 500, 500));
    free(held, 500);
}

#[test]
fn what_the_innermost_of_three_does_is_counted_once() {
    let _alone = alone();
    drop(Scope::enter(site("three deep")));
    let outer = Scope::enter(site("three deep"));
    let middle = Scope::enter(site("three deep"));
    let inner = Scope::enter(site("three deep"));
    let (held, freed) = (block(70), block(30));
    free(freed, 30);
    drop(inner);
    assert_eq!(six(middle.counters(HOST)), [70, 1, 100, 2, 100, 2]);
    // One without any event.
    drop(Scope::enter(site("three deep")));
    drop(middle);
    assert_eq!(six(outer.counters(HOST)), [70, 1, 100, 2, 100, 2]);
    drop(outer);
    let row = rows_of("three deep");
    assert_eq!((columns(&row), row.blocks_total, row.largest, row.kept), ((5, 100, 100), 2, 70, 70));
    free(held, 70);
}

/// More ways back than the cache of paths has places.
#[test]
fn three_hundred_functions_that_lead_back_to_each_other_have_a_node_each() {
    const SITES: u64 = 300;
    const ROUNDS: u64 = 3;
    let _alone = alone();
    let sites: Vec<_> = (0..SITES).map(|number| Site::named(&format!("back {number}"))).collect();
    let mut open: Vec<_> = sites.iter().map(|site| Scope::enter(site)).collect();
    for _ in 0..ROUNDS {
        for (bytes, site) in (1..).zip(&sites) {
            let _scope = Scope::enter(site);
            free(block(bytes), bytes);
        }
    }
    while open.pop().is_some() {}
    let snapshot = memprof::snapshot();
    let tree = snapshot.tree(HOST);
    let each = (1..=SITES).sum::<u64>();
    for number in 0..SITES {
        let name = format!("back {number}");
        let row = row(&snapshot, HOST, &name);
        assert_eq!((columns(&row), row.largest), ((1 + ROUNDS, SITES, ROUNDS * each), SITES), "{name}");
        let own = ROUNDS * (number + 1);
        assert_eq!((row.self_total, row.self_blocks, row.temporary), (own, ROUNDS, ROUNDS), "{name}");
        assert_eq!(tree.iter().filter(|row| row.name == name).count(), 1, "{name}");
    }
}
