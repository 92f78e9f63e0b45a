//! The scenarios of RMM and rapidsmpf, number by number.
//!
//! `conformance/conformance-rmm.txt` and `conformance/conformance-rapidsmpf.txt` restate the tests of both
//! projects, with some cases derived from their formulas. What memprof does otherwise is a test below
//! with memprof's own numbers:
//!
//! | scenario | upstream | memprof |
//! |---|---|---|
//! | C6 | blocks of A freed through B make B negative | B does not know them: ten unknown frees |
//! | D4 | recursion counts every level's total again | counted once |
//! | D7, D8 | one stack of scopes for all threads | each thread has its own |
//! | R2 | a scope does not see the free of a block from outside any scope | it does, as in RMM |
//!
//! Not replayed because memprof has no such number: the largest block of rapidsmpf's process-wide record,
//! and `g_peak`, which rapidsmpf computes as the scope's own peak.

mod common;
#[path = "conformance/rapidsmpf.rs"]
mod rapidsmpf;
#[path = "conformance/rmm.rs"]
mod rmm;
#[path = "conformance/script.rs"]
mod script;

use common::{Worker, alone, columns, row, six};
use memprof::{Scope, Site, Space};

const RMM: &str = include_str!("conformance/conformance-rmm.txt");
const RAPIDSMPF: &str = include_str!("conformance/conformance-rapidsmpf.txt");

#[test]
fn rmm_scenarios_give_rmms_numbers() {
    let _alone = alone();
    let scenarios = script::parse(RMM);
    assert_eq!(scenarios.len(), 21);
    let mut replayed = Vec::new();
    let mut checks = 0;
    for scenario in scenarios.iter().filter(|scenario| !["C6", "D4", "D7", "D8"].contains(&&*scenario.id)) {
        checks += rmm::replay(scenario);
        replayed.push(&*scenario.id);
    }
    let ids = "P1 P2 P3 P4 P6 C1 C1b C2 C3 C4 C5 C7 D1 D2 D3 D5 D6";
    assert_eq!(replayed.join(" "), ids);
    assert_eq!(checks, RMM_CHECKS);
}

/// Numbers in the 17 scenarios, those left open with `_` not counted.
const RMM_CHECKS: usize = 271;

#[test]
fn rapidsmpf_scenarios_give_rapidsmpfs_numbers() {
    let _alone = alone();
    let space = Space::named("rapidsmpf");
    let scenarios = script::parse(RAPIDSMPF);
    assert_eq!(scenarios.len(), 15);
    let mut replayed = Vec::new();
    let mut checks = 0;
    for scenario in scenarios.iter().filter(|scenario| scenario.id != "R2") {
        checks += rapidsmpf::replay(scenario, space);
        replayed.push(&*scenario.id);
    }
    assert_eq!(replayed.join(" "), "M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 R1 R3 R4 R5");
    assert_eq!(checks, RAPIDSMPF_CHECKS);
}

/// Numbers in the 14 scenarios, without `_`, the largest block of the process, and `g_peak`.
const RAPIDSMPF_CHECKS: usize = 121;

const MIB: u64 = 1 << 20;

#[test]
fn c6_blocks_freed_through_a_space_that_does_not_hold_them_are_unknown_frees_there() {
    let _alone = alone();
    let (a, b) = (Space::named("C6 A"), Space::named("C6 B"));
    let scope = Scope::enter(Site::named("C6"));
    for block in 0..10 {
        memprof::record_alloc(a, block, 10 * MIB);
    }
    assert_eq!(scope.counters(a).current_blocks, 10);
    for block in 10..15 {
        memprof::record_alloc(b, block, 10 * MIB);
        memprof::record_alloc(a, block, 10 * MIB);
    }
    assert_eq!(six(scope.counters(a))[..2], [157_286_400, 15]);
    assert_eq!(six(scope.counters(b))[..2], [52_428_800, 5]);
    for block in 0..15 {
        memprof::record_free(b, block);
        memprof::record_free(a, block);
    }
    assert_eq!(six(scope.counters(a)), [0, 0, 157_286_400, 15, 157_286_400, 15]);
    assert_eq!(six(scope.counters(b)), [0, 0, 52_428_800, 5, 52_428_800, 5]);
    assert_eq!(memprof::snapshot().totals(b).unknown_frees, 10);
    assert_eq!(memprof::snapshot().totals(a).unknown_frees, 0);
}

#[test]
fn d4_recursion_does_not_count_its_total_once_per_level() {
    fn level(space: Space, block: u64) {
        let _scope = Scope::enter(Site::named("D4 f"));
        memprof::record_alloc(space, block, 10);
        if block < 3 {
            level(space, block + 1);
        } else {
            // At the deepest level the three open ones already say what they will when they are left.
            assert_eq!(columns(&row(&memprof::snapshot(), space, "D4 f")), (3, 30, 30));
        }
        memprof::record_free(space, block);
    }

    let _alone = alone();
    let space = Space::named("D4 A");
    level(space, 1);
    assert_eq!(columns(&row(&memprof::snapshot(), space, "D4 f")), (3, 30, 30));
}

#[test]
fn d7_a_thread_that_only_has_a_scope_open_is_not_charged_for_another_threads_block() {
    let _alone = alone();
    let space = Space::named("D7 A");
    let (t1, t2) = (Worker::start(), Worker::start());
    t1.run(|scopes| scopes.push(Scope::enter(Site::named("D7 one"))));
    t2.run(|scopes| scopes.push(Scope::enter(Site::named("D7 two"))));
    t1.run(move |_| memprof::record_alloc(space, 1, 100));
    let one = t1.run(move |scopes| scopes.pop().expect("open").finish().counters(space));
    let two = t2.run(move |scopes| scopes.pop().expect("open").finish().counters(space));
    assert_eq!(six(one), [100, 1, 100, 1, 100, 1]);
    assert_eq!(six(two), [0, 0, 0, 0, 0, 0]);
    assert_eq!(six(t1.run(move |_| memprof::counters(space))), [100, 1, 100, 1, 100, 1]);
    assert_eq!(six(t2.run(move |_| memprof::counters(space))), [0; 6]);
    memprof::record_free(space, 1);
}

#[test]
fn d8_interleaved_scopes_of_two_threads_do_not_mix() {
    let _alone = alone();
    let space = Space::named("D8 A");
    let (t1, t2) = (Worker::start(), Worker::start());
    t1.run(move |scopes| {
        scopes.push(Scope::enter(Site::named("D8 one")));
        memprof::record_alloc(space, 1, 100);
    });
    t2.run(move |scopes| {
        scopes.push(Scope::enter(Site::named("D8 two")));
        memprof::record_alloc(space, 2, 50);
    });
    let one = t1.run(move |scopes| scopes.pop().expect("open").finish().counters(space));
    t2.run(move |_| memprof::record_alloc(space, 3, 7));
    let two = t2.run(move |scopes| scopes.pop().expect("open").finish().counters(space));
    assert_eq!(six(one), [100, 1, 100, 1, 100, 1]);
    assert_eq!(six(two), [57, 2, 57, 2, 57, 2]);
    for block in 1..=3 {
        memprof::record_free(space, block);
    }
}

#[test]
fn r2_a_scope_sees_the_free_of_its_own_threads_block_from_outside_any_scope() {
    let _alone = alone();
    let space = Space::named("rapidsmpf");
    let t1 = Worker::start();
    let ended = t1.run(move |_| {
        memprof::record_alloc(space, 1, 100);
        let scope = Scope::enter(Site::named("R2"));
        memprof::record_free(space, 1);
        scope.finish().counters(space)
    });
    assert_eq!(six(ended), [-100, -1, 0, 0, 0, 0]);
    let totals = memprof::snapshot().totals(space);
    assert_eq!((totals.blocks_total, totals.live_blocks, totals.live, totals.total, totals.peak), (1, 0, 0, 100, 100));
}
