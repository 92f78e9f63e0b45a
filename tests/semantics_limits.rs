//! The limit of paths: what comes after it is counted for the path that it was entered from. It belongs to the whole
//! process, so it has a file of its own.

mod common;

use common::alone;
use memprof::{Scope, Site, Space};

/// Two levels of as many sites: 1,049,600 paths, of which 1,048,575 fit beside the root.
const OUTER: u64 = 1048;
const INNER: u64 = 1000;
const MOST_PATHS: u64 = 1 << 20;

#[test]
#[cfg_attr(debug_assertions, ignore = "14 s where the compiler does not optimise: .ci/run does it in a release build")]
fn calls_and_bytes_past_the_limit_of_paths_are_those_of_the_path_they_were_made_from() {
    let _alone = alone();
    let space = Space::named("limits");
    let named = |kind: &str, most: u64| -> Vec<&'static Site> {
        (0..most).map(|number| Site::named(&format!("{kind} {number}"))).collect()
    };
    let (outer, inner) = (named("outer", OUTER), named("inner", INNER));
    for outer in outer {
        let _outer = Scope::enter(outer);
        for inner in &inner {
            let _inner = Scope::enter(inner);
            memprof::record_alloc(space, 1, 10);
            memprof::record_free(space, 1);
        }
    }
    let snapshot = memprof::snapshot();
    let tree = snapshot.tree(space);
    assert_eq!(tree.len() as u64, MOST_PATHS - 1);
    assert_eq!(tree.iter().map(|row| row.ncalls).sum::<u64>(), OUTER * (INNER + 1));
    assert_eq!(tree.iter().map(|row| row.self_total).sum::<u64>(), OUTER * INNER * 10);
    // The last outer path has those of its inner calls that found no place.
    let last = tree.iter().rev().find(|row| row.parent.is_none()).expect("an outer path");
    let without = OUTER * (INNER + 1) - (MOST_PATHS - 1);
    assert_eq!((last.ncalls, last.self_total), (1 + without, 10 * without));
    // Inside another activation of its own path, they add nothing to it a second time.
    assert_eq!((last.memory_peak, last.memory_total), (10, INNER * 10));
    let text = snapshot.to_string();
    assert!(text.contains("1,048,576 paths are recorded"), "the report says so");
}
