//! [`Calibration`]: functions that runs showed to be called often for few bytes. The next build leaves them out.
//!
//! Left out is, of functions with [`MANY_CALLS`] and more,
//! * one that with all it calls allocates less than a byte in [`CALLS_A_BYTE`] calls;
//! * while all calls together cost more than [`ALLOWED`] of the run: first those that own nothing, the most calls first; then those that own
//!   less than a [`SHARE`]th, and then all that hold less than a [`HELD`]th, the fewest bytes a call first. What holds more, at the peak or to the
//!   end, stays, however often it is called: it is what the report is read for. Of what owns nothing, also with fewer calls, if they
//!   are more than [`SOME_CALLS`] and a [`NOTICED`]th of those allowed: in a program of some milliseconds.
//!
//! What a function that is left out owned is its caller's in the next report, so no byte is lost.
//!
//! It is kept in `target/memprof/calibration.json`, by package, file and name; without that file everything is tracked again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use memprof_report::{Record, Snapshot, Totals};
use serde::{Deserialize, Serialize};

use super::{mirror::normal, place::Place, plan::Package, state::State};

/// From here on a function can be called too often for what it shows.
const MANY_CALLS: u64 = 1_000;
/// Of [`MANY_CALLS`] and more, the calls on a byte that it and what it calls allocate.
const CALLS_A_BYTE: u64 = 100;
/// What a call costs, in seconds of a processor: some 300 instructions, which one that takes turns with others needs, at 3,000 million a second.
const CALL: f64 = 100e-9;
/// What all calls may cost, as a part of what the run needs of processors without them.
const ALLOWED: f64 = 0.1;
/// More calls than this, as a part of those allowed, are worth leaving out, if they are more than [`SOME_CALLS`] too.
const NOTICED: u64 = 100;
/// A function that was called so seldom may do something else in another run.
const SOME_CALLS: u64 = 100;
/// A function that owns so much, as a part of all that was allocated or of all at the peak, goes only after all that own less.
const SHARE: u64 = 100;
/// A function that holds so much, at the peak or at the end, as a part of all at the peak, stays.
const HELD: u64 = 10;

const FILE: &str = "calibration.json";

/// What is left out, by the folder of its package: file within it, and the function's key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calibration(BTreeMap<PathBuf, BTreeSet<(PathBuf, String)>>);

impl Calibration {
    /// What is kept in `folder`; nothing where none is.
    pub(crate) fn read(folder: &Path) -> Self {
        fs::read(folder.join(FILE)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps it.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        Place::at(folder)?.write(Path::new(FILE), &serde_json::to_vec_pretty(self)?).map(|_| ())
    }

    /// What of a package is left out.
    pub(crate) fn of(&self, package: &Package) -> BTreeSet<(PathBuf, String)> {
        self.0.get(&package.root).cloned().unwrap_or_default()
    }

    /// Learns from a run: how many functions more are left out. `workspace` is what the report's names are relative to.
    pub(crate) fn learn(&mut self, snapshot: &Snapshot, packages: &[(&Package, State)], workspace: &Path) -> usize {
        // A file can have several names: `#[path = "../x.rs"]` makes it `src/../x.rs`.
        let mut records = HashMap::<(PathBuf, u32), Vec<&Record>>::new();
        for record in snapshot.records("host") {
            records.entry((normal(&workspace.join(&record.file)), record.line)).or_default().push(record);
        }
        let of_package = |package: &Package, record: &Record| {
            let plan = snapshot.plan().and_then(|plan| plan.package_of(&record.file));
            plan.is_some_and(|of| of.name == package.name && of.version == package.version)
        };
        let mut functions = Vec::new();
        for (package, state) in packages {
            let tracked =
                state.functions().filter(|(_, function)| function.reason.is_none() && function.name != "main");
            for (path, function) in tracked {
                let names = package.shown(path, workspace).map(|name| workspace.join(name));
                // Each once: what stands in the workspace is the same by two of its names.
                let names: BTreeSet<PathBuf> = names.collect();
                let found = names.into_iter().filter_map(|name| records.get(&(name, function.line))).flatten();
                let own = found.filter(|record| of_package(package, record));
                functions.extend(own.map(|record| ((*package, path, function.key.as_str()), *record)));
            }
        }
        let is_left_out = costly(
            &functions.iter().map(|(_, record)| *record).collect::<Vec<_>>(),
            &snapshot.totals("host"),
            snapshot.process().processor_seconds.unwrap_or(snapshot.process().seconds),
        );
        let mut learned = 0;
        for (((package, path, key), _), _) in functions.iter().zip(is_left_out).filter(|(_, out)| *out) {
            let inside = path.strip_prefix(&package.root).unwrap_or(path);
            let known = self.0.entry(package.root.clone()).or_default();
            learned += usize::from(known.insert((inside.to_owned(), (*key).to_owned())));
        }
        learned
    }
}

/// Which of a run's functions cost more than they show.
#[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "an estimate, of what is not below 0")]
fn costly(records: &[&Record], totals: &Totals, seconds: f64) -> Vec<bool> {
    let is_many = |record: &Record| record.ncalls >= MANY_CALLS;
    let shows_nothing = |record: &Record| is_many(record) && record.memory_total < record.ncalls / CALLS_A_BYTE;
    let mut out: Vec<bool> = records.iter().map(|record| shows_nothing(record)).collect();
    let all: u64 = records.iter().map(|record| record.ncalls).sum();
    let without = (seconds - all as f64 * CALL).max(seconds / 10.0);
    let allowed = (without * ALLOWED / CALL) as u64;
    let mut calls: u64 = records.iter().zip(&out).filter(|(_, out)| !**out).map(|(record, _)| record.ncalls).sum();
    let mut order: Vec<(Rank, usize)> = (0..records.len())
        .filter(|index| !out[*index])
        .filter_map(|index| Some((Rank::of(records[index], totals)?, index)))
        .filter(|(rank, index)| {
            let record = records[*index];
            is_many(record) || *rank == Rank::OwnsNothing && record.ncalls > SOME_CALLS.max(allowed / NOTICED)
        })
        .collect();
    order.sort_by(|(a_rank, a), (b_rank, b)| {
        let [a, b] = [records[*a], records[*b]];
        // Bytes a call, compared as `a.bytes / a.calls` and `b.bytes / b.calls`.
        let [left, right] =
            [u128::from(a.self_total) * u128::from(b.ncalls), u128::from(b.self_total) * u128::from(a.ncalls)];
        a_rank.cmp(b_rank).then(left.cmp(&right)).then(b.ncalls.cmp(&a.ncalls))
    });
    for (_, index) in order {
        if calls <= allowed {
            break;
        }
        out[index] = true;
        calls -= records[index].ncalls;
    }
    out
}

/// How little a function's row says, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    OwnsNothing,
    /// Less than a [`SHARE`]th, whichever way it is looked at.
    OwnsLittle,
    /// Less than a [`HELD`]th at the peak and at the end, however much it allocated and freed again.
    HoldsLittle,
}

impl Rank {
    /// `None` of one that stays.
    fn of(record: &Record, totals: &Totals) -> Option<Self> {
        let held = record.at_peak.max(u64::try_from(record.live).unwrap_or(0));
        let holds_less = |parts: u64| held < totals.at_peak_level.div_ceil(parts);
        if held == 0 && record.self_total == 0 {
            Some(Rank::OwnsNothing)
        } else if record.self_total < totals.total.div_ceil(SHARE) && holds_less(SHARE) {
            Some(Rank::OwnsLittle)
        } else if holds_less(HELD) {
            Some(Rank::HoldsLittle)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cargo::state::{Entry, Known, Stamp};

    /// Of functions with so many calls, bytes that they own, bytes with what they call, and bytes at the peak.
    fn out(functions: &[[u64; 4]], seconds: f64) -> Vec<bool> {
        let record = |[ncalls, self_total, memory_total, at_peak]: &[u64; 4]| {
            let mut record = Record::default();
            (record.ncalls, record.self_total, record.memory_total) = (*ncalls, *self_total, *memory_total);
            record.at_peak = *at_peak;
            record
        };
        let records: Vec<Record> = functions.iter().map(record).collect();
        costly(&records.iter().collect::<Vec<_>>(), &totals(functions), seconds)
    }

    fn totals(functions: &[[u64; 4]]) -> Totals {
        let mut totals = Totals::default();
        totals.total = functions.iter().map(|[_, own, ..]| own).sum();
        totals.at_peak_level = functions.iter().map(|[.., at_peak]| at_peak).sum();
        totals
    }

    #[test]
    fn many_calls_and_next_to_no_bytes_are_too_many_however_long_the_run() {
        assert_eq!(out(&[[1_000, 9, 9, 1], [1_000, 10, 10, 1], [999, 0, 0, 0]], 100.0), [true, false, false]);
    }

    /// 2 million calls are 0.2 s, of which a run of 2.2 s allows all.
    #[test]
    fn what_owns_least_goes_until_the_calls_are_a_tenth_of_the_run() {
        let functions = [
            [1_000_000, 0, 1_000_000, 0],
            [500_000, 0, 1_000_000, 0],
            [400_000, 4_000, 1_000_000, 0],
            [100_000, 1_000_000_000, 1_000_000_000, 1_000],
        ];
        assert_eq!(out(&functions, 2.2), [false; 4]);
        assert_eq!(out(&functions, 2.0), [true, false, false, false]);
        assert_eq!(out(&functions, 1.0), [true, true, false, false]);
        // What holds a tenth or more stays.
        assert_eq!(out(&functions, 0.02), [true, true, true, false]);
    }

    /// 200,000 calls are 20 ms, of which as much again is allowed 20,000: two hundred are a hundredth.
    #[test]
    fn in_a_short_run_what_owns_nothing_goes_with_few_calls_too() {
        let functions = [[201, 0, 1, 0], [200, 0, 1, 0], [201, 1, 1, 0], [999, 1, 1, 0], [198_399, 9_000, 9_000, 1]];
        assert_eq!(out(&functions, 40e-3), [true, false, false, false, false]);
        // All calls are allowed.
        assert_eq!(out(&functions, 2.2), [false; 5]);
        // However short it is.
        let functions = [[101, 0, 1, 0], [100, 0, 1, 0], [199_799, 9_000, 9_000, 1]];
        assert_eq!(out(&functions, 1e-3), [true, false, false]);
    }

    /// Each is called a million times, 0.1 s. An interpreter: what it allocates and frees again goes before what it keeps.
    #[test]
    fn what_holds_little_goes_however_much_it_allocates_and_what_holds_a_tenth_stays() {
        let million = 1_000_000;
        let functions = [
            [million, 3 * million, 3 * million, 89],
            [million, 2 * million, 2 * million, 0],
            [million, million, million, 100],
            [million, million, million, 811],
        ];
        // Calls are 0.4 s, and what the rest takes allows so many of four: 4, 3, 2, 1.
        assert_eq!(out(&functions, 4.4), [false; 4]);
        assert_eq!(out(&functions, 3.5), [false, true, false, false]);
        assert_eq!(out(&functions, 2.5), [true, true, false, false]);
        assert_eq!(out(&functions, 0.4), [true, true, false, false]);
    }

    #[test]
    fn a_row_says_the_more_the_more_it_holds() {
        let rank = |self_total: u64, at_peak: u64, live: i64| {
            let mut record = Record::default();
            (record.self_total, record.at_peak, record.live) = (self_total, at_peak, live);
            Rank::of(&record, &totals(&[[1, 10_000, 0, 1_000]]))
        };
        assert_eq!(rank(0, 0, 0), Some(Rank::OwnsNothing));
        assert_eq!(rank(99, 9, 9), Some(Rank::OwnsLittle));
        for (self_total, at_peak, live) in [(100, 9, 9), (99, 10, 9), (99, 9, 10), (10_000, 99, 99)] {
            assert_eq!(rank(self_total, at_peak, live), Some(Rank::HoldsLittle));
        }
        assert_eq!((rank(100, 100, 0), rank(100, 0, 100)), (None, None));
    }

    /// A file that two packages are compiled of has a name for each, and one of a registry its package's; each row counts once.
    #[test]
    fn each_package_learns_from_rows_of_its_own() {
        let known = Known { name: "f".to_owned(), key: "f".to_owned(), line: 7, first: 7, last: 9, reason: None };
        let state = |path: &str| {
            let entry = Entry::Written { stamp: Stamp::default(), functions: vec![known.clone()] };
            State { entries: [(path.into(), entry)].into(), ..State::default() }
        };
        let packages = [("one", "/w/one"), ("two", "/w/two"), ("dep", "/home/registry/dep-0.1.0"), ("app", "/w")]
            .map(|(name, root)| Package::fixture(name, "0.1.0", root));
        let states =
            ["/w/shared.rs", "/w/shared.rs", "/home/registry/dep-0.1.0/src/lib.rs", "/w/src/main.rs"].map(state);
        let record = |file: &str, bytes: u64| {
            json!({
                "name": format!("{file}:7(f)"), "file": file, "line": 7, "function": "f", "ncalls": 1_000, "memory_peak": 0, "memory_total": bytes,
                "blocks_total": 0, "self_total": bytes, "self_blocks": 0, "reallocs": 0, "failed": 0, "live": 0, "live_blocks": 0, "at_peak": 0,
                "at_peak_blocks": 0, "temporary": 0, "largest": 0,
            })
        };
        let plan = json!({"packages": [
            {"name": "one", "version": "0.1.0", "folders": ["one/"]},
            {"name": "two", "version": "0.1.0", "folders": ["two/"]},
            {"name": "dep", "version": "0.1.0", "folders": ["dep-0.1.0/"]},
            {"name": "app", "version": "0.1.0", "folders": [""]},
        ]});
        let profile = json!({
            "schema_version": 2, "state": {"enabled": true, "host": "measured", "scopes_entered": true}, "notes": [], "plan": plan,
            // 4,000 calls are 0.4 ms, and what the rest takes allows 2,010: the two functions that show something.
            "process": {"program": "app", "pid": 1, "started": "2026-01-01T00:00:00.000Z", "seconds": 0.002_41},
            "spaces": [{
                "name": "host", "has_events": true, "tree": [],
                "totals": {
                    "live": 0, "live_blocks": 0, "peak": 0, "peak_blocks": 0, "at_peak_level": 1_000, "total": 1_000_000, "blocks_total": 0,
                    "failed": 0, "unknown_frees": 0, "missed_frees": 0, "no_scope_live": 0, "no_scope_total": 0, "no_scope_at_peak": 0,
                },
                "records": [
                    record("one/src/../../shared.rs", 0),
                    record("two/src/../../shared.rs", 5_000),
                    record("dep-0.1.0/src/lib.rs", 9),
                    record("src/main.rs", 5_000),
                ],
            }],
        });
        let snapshot: Snapshot = serde_json::from_value(profile).expect("a profile");
        let mut calibration = Calibration::default();
        let packages: Vec<_> = packages.iter().zip(states).collect();
        assert_eq!(calibration.learn(&snapshot, &packages, Path::new("/w")), 2);
        let left_out = |package: &Package| calibration.of(package).into_iter().collect::<Vec<_>>();
        let f = |path: &str| vec![(PathBuf::from(path), "f".to_owned())];
        let found: Vec<_> = packages.iter().map(|(package, _)| left_out(package)).collect();
        assert_eq!(found, [f("/w/shared.rs"), Vec::new(), f("src/lib.rs"), Vec::new()]);
    }
}
