//! [`Calibration`]: functions that runs showed to be called often and to allocate next to nothing. The next build leaves them out.
//!
//! Left out is, of functions with [`MANY_CALLS`] and more,
//! * one that with all it calls allocates less than a byte in [`CALLS_A_BYTE`] calls;
//! * while all calls together cost more than [`ALLOWED`] of the run: first those that own nothing, the most calls first, and then those that own
//!   less than a [`SHARE`]th, the fewest bytes a call first. What owns more stays, however often it is called.
//!
//! What a function that is left out owned is its caller's in the next report, so no byte is lost, and at most a hundredth of all by
//! each such function is in another row.
//!
//! It is kept in `target/memprof/calibration.json`, by package, file and name; without that file everything is tracked again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use memprof_report::{Record, Snapshot, Totals};
use serde::{Deserialize, Serialize};

use super::{place::Place, plan::Package, state::State};

/// From here on a function can be called too often for what it shows.
const MANY_CALLS: u64 = 1_000;
/// Of [`MANY_CALLS`] and more, the calls on a byte that it and what it calls allocate.
const CALLS_A_BYTE: u64 = 100;
/// What a call costs, in seconds of a processor: some 300 instructions, which one that takes turns with others needs, at 3,000 million a second.
const CALL: f64 = 100e-9;
/// What all calls may cost, as a part of what the run needs of processors without them.
const ALLOWED: f64 = 0.1;
/// A function that owns so much, as a part of all that was allocated or of all at the peak, stays.
const SHARE: u64 = 100;

const FILE: &str = "calibration.json";

/// What is left out, by the folder of its package: file within it, and name.
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
        let records: HashMap<(&str, u32), &Record> =
            snapshot.records("host").iter().map(|record| ((record.file.as_str(), record.line), record)).collect();
        let mut functions = Vec::new();
        for (package, state) in packages {
            let tracked =
                state.functions().filter(|(_, function)| function.reason.is_none() && function.name != "main");
            for (path, function) in tracked {
                let mut names = names(path, package, workspace);
                if let Some(record) = names.find_map(|name| records.get(&(name.as_str(), function.line)).copied()) {
                    functions.push(((*package, path, function.name.as_str()), record));
                }
            }
        }
        let is_left_out = costly(
            &functions.iter().map(|(_, record)| *record).collect::<Vec<_>>(),
            &snapshot.totals("host"),
            snapshot.process().processor_seconds.unwrap_or(snapshot.process().seconds),
        );
        let mut learned = 0;
        for (((package, path, name), _), _) in functions.iter().zip(is_left_out).filter(|(_, out)| *out) {
            let inside = path.strip_prefix(&package.root).unwrap_or(path);
            let known = self.0.entry(package.root.clone()).or_default();
            learned += usize::from(known.insert((inside.to_owned(), (*name).to_owned())));
        }
        learned
    }
}

/// How a report can name a file: relative to the workspace, by its package and version, or by its path.
fn names(path: &Path, package: &Package, workspace: &Path) -> impl Iterator<Item = String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let relative = path.strip_prefix(workspace).ok().map(text);
    let of_registry = path
        .strip_prefix(&package.root)
        .ok()
        .map(|inside| format!("{}-{}/{}", package.name, package.version, text(inside)));
    relative.into_iter().chain(of_registry).chain([text(path)])
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
    let is_small = |record: &Record| {
        record.self_total < totals.total.div_ceil(SHARE) && record.at_peak < totals.at_peak_level.div_ceil(SHARE)
    };
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.retain(|index| {
        !out[*index] && is_many(records[*index]) && (owns_nothing(records[*index]) || is_small(records[*index]))
    });
    order.sort_by(|a, b| {
        let [a, b] = [records[*a], records[*b]];
        let by_calls = || b.ncalls.cmp(&a.ncalls);
        // Bytes a call, compared as `a.bytes / a.calls` and `b.bytes / b.calls`.
        let [left, right] =
            [u128::from(a.self_total) * u128::from(b.ncalls), u128::from(b.self_total) * u128::from(a.ncalls)];
        owns_nothing(b).cmp(&owns_nothing(a)).then(left.cmp(&right)).then_with(by_calls)
    });
    for index in order {
        if calls <= allowed {
            break;
        }
        out[index] = true;
        calls -= records[index].ncalls;
    }
    out
}

fn owns_nothing(record: &Record) -> bool {
    record.self_total == 0 && record.at_peak == 0 && record.live == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of functions with so many calls, bytes that they own, and bytes with what they call.
    fn out(functions: &[[u64; 3]], seconds: f64) -> Vec<bool> {
        let record = |[ncalls, self_total, memory_total]: &[u64; 3]| {
            let mut record = Record::default();
            (record.ncalls, record.self_total, record.memory_total) = (*ncalls, *self_total, *memory_total);
            record
        };
        let records: Vec<Record> = functions.iter().map(record).collect();
        let mut totals = Totals::default();
        totals.total = functions.iter().map(|[_, own, _]| own).sum();
        (totals.at_peak_level, totals.live) = (1, 0);
        costly(&records.iter().collect::<Vec<_>>(), &totals, seconds)
    }

    #[test]
    fn many_calls_and_next_to_no_bytes_are_too_many_however_long_the_run() {
        assert_eq!(out(&[[1_000, 9, 9], [1_000, 10, 10], [999, 0, 0]], 100.0), [true, false, false]);
    }

    /// 2 million calls are 0.2 s, of which a run of 2.2 s allows all.
    #[test]
    fn what_owns_least_goes_until_the_calls_are_a_tenth_of_the_run() {
        let functions = [
            [1_000_000, 0, 1_000_000],
            [500_000, 0, 1_000_000],
            [400_000, 4_000, 1_000_000],
            [100_000, 1_000_000_000, 1_000_000_000],
        ];
        assert_eq!(out(&functions, 2.2), [false; 4]);
        assert_eq!(out(&functions, 2.0), [true, false, false, false]);
        assert_eq!(out(&functions, 1.0), [true, true, false, false]);
        // What owns a hundredth or more stays.
        assert_eq!(out(&functions, 0.02), [true, true, true, false]);
    }
}
