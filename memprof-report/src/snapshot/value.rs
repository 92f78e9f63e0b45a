//! The value, and what is asked of it. Its parts are [`parts`](super::parts)'s, its saved form is
//! [`schema`](super::schema)'s.
//!
//! A space or row that is not there is empty and no error. Names are given as they are; whoever shows them puts them on
//! one line.

use std::sync::OnceLock;

use super::parts::{SnapshotParts, SpaceData};
use crate::{
    device::Device,
    merged::Merged,
    plan::Plan,
    process::{Process, Resident},
    record::{PathRecord, Record, Totals},
};

/// Everything measured up to one moment, by space.
///
/// [`Display`](std::fmt::Display) is the default report. In it, a control character of a name is written as its
/// escape (`\n`, `\u{1b}`), so that a row stays one line; the methods here and `serde` give names raw.
///
/// `serde` writes and reads it, with the version of its form, 2. Version 1 is read too; a newer one is refused with one
/// error that names both. Keys that this version does not know are passed over. A space in which nothing happened is
/// written without its rows, unless nothing happened anywhere; else what is read back equals what was written.
///
/// It is plain data: what a program does with it, a clone or a report, is that program's memory.
///
/// ```
/// # let json = r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
/// #     "notes": [], "spaces": []}"#;
/// let snapshot: memprof_report::Snapshot = serde_json::from_str(json)?;
/// for space in snapshot.spaces() {
///     println!("{space}: peak {} bytes", snapshot.totals(space).peak);
/// }
/// let written = serde_json::to_string(&snapshot)?;
/// assert_eq!(serde_json::from_str::<memprof_report::Snapshot>(&written)?, snapshot);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    parts: SnapshotParts,
    called: Called,
    /// Of a profile of several processes.
    merged: Option<Box<Merged>>,
    /// Of a program of which `cargo memprof` chose what is tracked.
    plan: Option<Box<Plan>>,
}

/// The call tree of the spaces in which nothing happened, once it was asked for. It follows from the parts, so it makes no
/// difference between two snapshots.
#[derive(Clone, Debug, Default)]
struct Called(OnceLock<Vec<PathRecord>>);

impl PartialEq for Called {
    fn eq(&self, _: &Called) -> bool {
        true
    }
}

/// The paths of `tree` that were called, and those that lead to them, with nothing but their calls.
fn called(tree: &[PathRecord]) -> Vec<PathRecord> {
    let mut is_called: Vec<bool> = tree.iter().map(|path| path.ncalls > 0).collect();
    // Parents come first.
    for (index, path) in tree.iter().enumerate().rev() {
        if let Some(parent) = path.parent {
            is_called[parent] |= is_called[index];
        }
    }
    let mut places = vec![None; tree.len()];
    let mut paths = Vec::new();
    for (index, path) in tree.iter().enumerate().filter(|(index, _)| is_called[*index]) {
        places[index] = Some(paths.len());
        let PathRecord { name, file, line, function, ncalls, parent, .. } = path;
        paths.push(PathRecord {
            name: name.clone(),
            file: file.clone(),
            line: *line,
            function: function.clone(),
            ncalls: *ncalls,
            parent: parent.and_then(|parent| places[parent]),
            ..PathRecord::default()
        });
    }
    paths
}

impl Snapshot {
    /// Orders the records of each space: greatest `memory_peak` first, ties as they came.
    #[doc(hidden)]
    pub fn new(mut parts: SnapshotParts) -> Snapshot {
        for space in &mut parts.spaces {
            space.records.sort_by_key(|record| std::cmp::Reverse(record.memory_peak));
        }
        Snapshot { parts, called: Called::default(), merged: None, plan: None }
    }

    /// A profile that was merged of several.
    pub(crate) fn of_many(parts: SnapshotParts, merged: Merged) -> Snapshot {
        Snapshot { merged: Some(Box::new(merged)), ..Snapshot::new(parts) }
    }

    /// This profile with other numbers: all that is known of them beside stays.
    pub(crate) fn with_parts(&self, parts: SnapshotParts) -> Snapshot {
        Snapshot { parts, called: Called::default(), merged: self.merged.clone(), plan: self.plan.clone() }
    }

    /// This profile with what of the program was tracked.
    #[must_use]
    pub fn with_plan(self, plan: Option<Plan>) -> Snapshot {
        Snapshot { plan: plan.map(Box::new), ..self }
    }

    /// What of the program was tracked, where `cargo memprof` chose it.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// The names of the spaces in which anything happened: `host` first, then by name.
    pub fn spaces(&self) -> impl Iterator<Item = &str> {
        self.parts.spaces.iter().filter(|space| space.has_events).map(|space| space.name.as_str())
    }

    /// What was measured of each site in `space`: greatest `memory_peak` first, ties in the order in which the
    /// sites were first left. Empty for a space that is not in the snapshot.
    ///
    /// A site is listed if it was called, or has live or at-peak bytes in `space`.
    pub fn records(&self, space: impl AsRef<str>) -> &[Record] {
        self.space(space.as_ref()).map_or(&[], |space| &space.records)
    }

    /// What was measured of the whole `space`; all zero for one that is not in the snapshot.
    pub fn totals(&self, space: impl AsRef<str>) -> Totals {
        self.space(space.as_ref()).map(|space| space.totals.clone()).unwrap_or_default()
    }

    /// The call tree of `space`: what was measured of each path, parents first. Empty for a space that is not
    /// in the snapshot.
    ///
    /// That of a space in which nothing happened has the calls alone, and is made when it is first asked for.
    pub fn tree(&self, space: impl AsRef<str>) -> &[PathRecord] {
        match self.space(space.as_ref()) {
            Some(space) if space.has_events || !space.tree.is_empty() || space.records.is_empty() => &space.tree,
            Some(_) => self.called.0.get_or_init(|| called(self.parts.spaces.first().map_or(&[], |first| &first.tree))),
            None => &[],
        }
    }

    /// How the memory of each device adds up, as far as an allocator of devices is in the program; by space.
    pub fn devices(&self) -> &[Device] {
        &self.parts.devices
    }

    /// Which process was measured, and when.
    pub fn process(&self) -> &Process {
        &self.parts.process
    }

    /// What the system said that the process held, where it says so.
    pub fn resident(&self) -> Option<Resident> {
        self.parts.resident
    }

    /// Of a profile that was merged of several ([`Merge`](crate::Merge)), which processes they were, and how they differ.
    pub fn merged(&self) -> Option<&Merged> {
        self.merged.as_deref()
    }

    /// What limits this snapshot, a line each: a limit that was reached, a thread that could not be read whole.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.parts.notes.iter().map(String::as_str)
    }

    /// What memprof was doing when this was taken, and every space, those without events too.
    #[doc(hidden)]
    pub fn parts(&self) -> &SnapshotParts {
        &self.parts
    }

    fn space(&self, name: &str) -> Option<&SpaceData> {
        self.parts.spaces.iter().find(|space| space.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixtures::measuring;

    fn path(function: &str, ncalls: u64, live: i64, parent: Option<usize>) -> PathRecord {
        PathRecord { function: function.to_owned(), ncalls, live, parent, ..PathRecord::default() }
    }

    /// `old` was called before a reset, and owns memory still; `main` was too, and has a child that was called since.
    #[test]
    fn the_tree_of_a_space_in_which_nothing_happened_has_the_calls_alone() {
        let host = vec![
            path("old", 0, 8, None),
            path("main", 0, 8, None),
            path("old child", 0, 8, Some(1)),
            path("child", 3, 8, Some(1)),
        ];
        let space = |name: &str, has_events, tree| SpaceData {
            name: name.to_owned(),
            has_events,
            totals: Totals::default(),
            records: vec![Record { function: "child".to_owned(), ncalls: 3, ..Record::default() }],
            tree,
        };
        let spaces = vec![space("host", true, host), space("pinned", false, Vec::new())];
        let snapshot = Snapshot::new(measuring(spaces));
        let other = snapshot.clone();
        assert_eq!(snapshot.tree("pinned"), [path("main", 0, 0, None), path("child", 3, 0, Some(0))]);
        assert_eq!(snapshot.tree("host").len(), 4);
        assert_eq!(snapshot, other, "whether it was asked for");
        assert_eq!(other.tree("managed"), []);
        let folded = crate::folded(&snapshot);
        assert!(folded.tree("pinned").is_empty(), "nothing there owns memory");
        let mut merge = crate::Merge::default();
        for name in ["a", "b"] {
            merge.add(&snapshot, name, &mut |_, _, _| ()).expect("of one process");
        }
        let merged = merge.finish(&mut |_| Ok((0, 0))).expect("medians");
        assert_eq!(merged.tree("pinned").iter().map(|path| path.ncalls).collect::<Vec<_>>(), [0, 6]);
    }
}
