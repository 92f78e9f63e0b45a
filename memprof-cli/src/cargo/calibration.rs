//! [`Calibration`]: functions that runs showed to be called often and to allocate next to nothing. The next build leaves them out.
//!
//! It is kept in `target/memprof/calibration.json`, by package, file and name; without that file everything is tracked again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use memprof_report::{Record, Snapshot};
use serde::{Deserialize, Serialize};

use super::{place::Place, plan::Package, state::State};

/// From here on a function can be called too often for what it shows.
const MANY_CALLS: u64 = 1_000;
/// Of [`MANY_CALLS`] and more, the calls on a byte that it and what it calls allocate.
const CALLS_A_BYTE: u64 = 100;
/// Calls a second that one function may cost, where it allocates less than a byte a call itself: a call is some 100 instructions, so this
/// is a fiftieth of a processor that does 5,000 million a second.
const CALLS_A_SECOND: f64 = 1_000_000.0;

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
    pub(crate) fn learn(&mut self, snapshot: &Snapshot, package: &Package, state: &State, workspace: &Path) -> usize {
        let costly: BTreeSet<(String, u32)> = snapshot
            .records("host")
            .iter()
            .filter(|record| is_costly(record, snapshot.process().seconds))
            .map(|record| (record.file.clone(), record.line))
            .collect();
        let known = self.0.entry(package.root.clone()).or_default();
        let before = known.len();
        for (path, function) in
            state.functions().filter(|(_, function)| function.reason.is_none() && function.name != "main")
        {
            let is_costly = names(path, package, workspace).any(|name| costly.contains(&(name, function.line)));
            if is_costly {
                let inside = path.strip_prefix(&package.root).unwrap_or(path);
                known.insert((inside.to_owned(), function.name.clone()));
            }
        }
        known.len() - before
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

fn is_costly(record: &Record, seconds: f64) -> bool {
    let (calls, total) = (record.ncalls, record.memory_total);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let is_over_budget = calls as f64 > CALLS_A_SECOND * seconds && record.self_total < calls;
    calls >= MANY_CALLS && (total < calls / CALLS_A_BYTE || is_over_budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_calls_and_next_to_no_bytes_are_too_many() {
        let is = |ncalls, memory_total, self_total, seconds| {
            let mut record = Record::default();
            (record.ncalls, record.memory_total, record.self_total) = (ncalls, memory_total, self_total);
            is_costly(&record, seconds)
        };
        assert!(is(1_000, 9, 9, 1.0) && !is(1_000, 10, 10, 1.0) && !is(999, 0, 0, 1.0));
        assert!(is(2_000_001, 9_000_000, 2_000_000, 2.0) && !is(2_000_000, 9_000_000, 0, 2.0));
        assert!(!is(2_000_001, 9_000_000, 2_000_001, 2.0));
    }
}
