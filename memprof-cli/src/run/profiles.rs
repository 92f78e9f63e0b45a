//! [`Profiles`]: what the processes of a run left in the folder that was made for them.
//!
//! Which of them is shown is decided here: the program's own, else the first in an order that the profiles alone
//! decide. A file that cannot be read is a line and ends nothing; other files than `PID.json` are passed over. Showing
//! them is left to `run` and `cargo/verbs`.

use std::{fs, path::Path};

use memprof_report::{Plan, Snapshot, thousands};

use super::begun::{self, Begun};
use crate::{ended::Ended, profile::read};

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
    /// The process that was started.
    own: u32,
    begun: Vec<Begun>,
}

impl Profiles {
    /// Reads the folder, of a run whose process had this id.
    pub(crate) fn read(folder: &Path, own: u32) -> Self {
        let mut profiles = Self { own, begun: Begun::read(folder), ..Self::default() };
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
        Self { all: kept.into_iter().enumerate().map(profile).collect(), ..Self::default() }
    }

    /// Whether memprof measured in the process that was started, and did not meet its end.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.iter().any(|process| process.pid == self.own)
    }

    /// A line about other processes that left nothing, if there are any.
    pub(crate) fn silent(&self) -> Option<String> {
        let is_silent =
            |process: &&Begun| process.pid != self.own && !self.all.iter().any(|profile| profile.pid == process.pid);
        begun::of_others(&self.begun.iter().filter(is_silent).collect::<Vec<_>>())
    }

    /// What a reader of the report must know of how processes ended: `program`, which was started, and others.
    pub(crate) fn ends(&self, program: &str, ended: Ended) -> Vec<String> {
        let is_shown = self.all.iter().any(|profile| profile.is_own);
        let own = self.has_begun().then(|| {
            if is_shown {
                format!("this report is of before the end of {program}: {}", begun::end(ended))
            } else {
                format!("{program} left no report: {}", begun::why_none(ended))
            }
        });
        own.into_iter().chain(self.silent()).collect()
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
