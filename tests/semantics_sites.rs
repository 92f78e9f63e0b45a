//! Many names and many spaces: correct rows up to the limits, and a word beyond them.
//!
//! The limits are the process's, so this file has a process of its own.

mod common;

use common::{alone, columns, row};
use memprof::{Scope, Site, Space};

/// More than the limit; with optimisation (`.ci/run`), the hundred thousand.
const NAMES: usize = if cfg!(debug_assertions) { 66_000 } else { 100_000 };
/// The limit of the contract, after which names are `other`.
const LIMIT: usize = 65_536;

#[test]
fn a_hundred_thousand_sites_are_recorded_and_those_past_the_limit_as_other() {
    let _alone = alone();
    let space = Space::named("arena");
    for name in 0..NAMES {
        let _scope = Scope::enter(Site::named(&format!("site {name}")));
        memprof::record_alloc(space, 1, 1 + name as u64);
        memprof::record_free(space, 1);
    }
    let snapshot = memprof::snapshot();
    let rows = snapshot.records(space);
    assert_eq!(rows.iter().map(|row| row.ncalls).sum::<u64>(), NAMES as u64);
    let total: u64 = (1..=NAMES as u64).sum();
    assert_eq!(rows.iter().map(|row| row.memory_total).sum::<u64>(), total);
    assert_eq!(snapshot.totals(space).total, total);
    let own = rows.iter().filter(|row| row.name.starts_with("site ")).count();
    assert!((LIMIT - 16..=LIMIT).contains(&own), "{own} names of their own");
    let other = rows.iter().find(|row| row.name == "other").expect("the row of all other names");
    assert_eq!(other.ncalls, (NAMES - own) as u64);
    assert_eq!(columns(&row(&snapshot, space, "site 7")), (1, 8, 8));
    assert!(snapshot.to_string().contains("65,536"), "the report says that the limit was reached");
}

#[test]
fn spaces_past_the_limit_are_recorded_as_other() {
    let _alone = alone();
    let scope = Scope::enter(Site::named("many spaces"));
    // A program's own space of that name is the one for all others too: it is one table in the report.
    let mut spaces = vec![Space::named("other")];
    spaces.extend((0..100).map(|space| Space::named(&format!("space {space}"))));
    for space in &spaces {
        memprof::record_alloc(*space, u64::MAX, 10);
        memprof::record_free(*space, u64::MAX);
    }
    drop(scope);
    let snapshot = memprof::snapshot();
    let total: u64 = snapshot
        .spaces()
        .filter(|name| name.starts_with("space ") || *name == "other")
        .map(|name| snapshot.totals(name).total)
        .sum();
    assert_eq!(total, 1010);
    assert_eq!(snapshot.spaces().filter(|name| *name == "other").count(), 1);
    assert!(snapshot.spaces().count() <= 33, "32 and `other`");
    assert_eq!(Space::named("space 1").name(), "space 1");
    assert!(Space::named("space 1") == Space::named("space 1"));
}
