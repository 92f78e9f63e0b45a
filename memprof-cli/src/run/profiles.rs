//! [`Profiles`]: what the processes of a run left in the folder that was made for them.
//!
//! Which of them is shown is decided here: the program's own, else the first in an order that the profiles alone
//! decide. A file that cannot be read is a line and ends nothing; other files than `PID.json` are passed over. Showing
//! them is left to `run` and `cargo/verbs`.

use std::{fs, path::Path};

use memprof_report::{Plan, Snapshot, thousands};

use crate::profile::read;

/// One process's profile.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) pid: u32,
    /// Whether it is of the process that was started, and not of one that it started in turn.
    pub(crate) is_own: bool,
    pub(crate) snapshot: Snapshot,
}

impl Profile {
    /// Whether any scope was entered in it.
    fn has_scopes(&self) -> bool {
        let mut spaces = self.snapshot.spaces();
        spaces.any(|space| self.snapshot.records(space).iter().any(|record| record.ncalls > 0))
    }

    /// `also measured: worker (pid 42), peak of host 1,234 bytes`.
    pub(crate) fn said(&self) -> String {
        let program = &self.snapshot.process().program;
        format!(
            "also measured: {program} (pid {}), peak of host {} bytes",
            self.pid,
            thousands(self.snapshot.totals("host").peak)
        )
    }
}

/// All that were left: those in which a scope was entered before the others, and then the greatest peak of host first.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    all: Vec<Profile>,
    /// A line for each file that is none.
    pub(crate) unreadable: Vec<String>,
}

impl Profiles {
    /// Reads the folder, of a run whose process had this id.
    pub(crate) fn read(folder: &Path, own: u32) -> Self {
        let mut profiles = Self::default();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let pid = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")?.parse().ok());
            let Some(pid) = pid else { continue };
            match read(&path) {
                Ok(snapshot) => profiles.all.push(Profile { pid, is_own: pid == own, snapshot }),
                Err(error) => profiles.unreadable.push(error.to_string()),
            }
        }
        profiles.all.sort_by_key(|profile| {
            (!profile.has_scopes(), std::cmp::Reverse(profile.snapshot.totals("host").peak), profile.pid)
        });
        profiles
    }

    /// Those that were kept of a run, the one that was shown first.
    pub(crate) fn of(kept: Vec<Snapshot>) -> Self {
        let profile = |(index, snapshot): (usize, Snapshot)| Profile {
            pid: snapshot.process().pid,
            is_own: index == 0,
            snapshot,
        };
        Self { all: kept.into_iter().enumerate().map(profile).collect(), unreadable: Vec::new() }
    }

    /// Says in each what of the program was tracked.
    pub(crate) fn add_plan(&mut self, plan: &Plan) {
        for profile in &mut self.all {
            profile.snapshot = profile.snapshot.clone().with_plan(Some(plan.clone()));
        }
    }

    /// The program's own, else the first one; and the others.
    pub(crate) fn shown(&self) -> Option<(&Profile, impl Iterator<Item = &Profile>)> {
        let shown = self.all.iter().find(|profile| profile.is_own).or(self.all.first())?;
        Some((shown, self.all.iter().filter(|profile| profile.pid != shown.pid)))
    }
}
