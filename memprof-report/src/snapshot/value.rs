//! The value, and what is asked of it. Its parts are [`parts`](super::parts)'s, its saved form is
//! [`schema`](super::schema)'s.
//!
//! A space or row that is not there is empty and no error. Names are given as they are; whoever shows them puts them on
//! one line.

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
    /// Of a profile of several processes.
    merged: Option<Box<Merged>>,
    /// Of a program of which `cargo memprof` chose what is tracked.
    plan: Option<Box<Plan>>,
}

impl Snapshot {
    /// Orders the records of each space: greatest `memory_peak` first, ties as they came.
    #[doc(hidden)]
    pub fn new(mut parts: SnapshotParts) -> Snapshot {
        for space in &mut parts.spaces {
            space.records.sort_by_key(|record| std::cmp::Reverse(record.memory_peak));
        }
        Snapshot { parts, merged: None, plan: None }
    }

    /// A profile that was merged of several.
    pub(crate) fn of_many(parts: SnapshotParts, merged: Merged) -> Snapshot {
        Snapshot { merged: Some(Box::new(merged)), ..Snapshot::new(parts) }
    }

    /// This profile with other numbers: all that is known of them beside stays.
    pub(crate) fn with_parts(&self, parts: SnapshotParts) -> Snapshot {
        Snapshot { parts, merged: self.merged.clone(), plan: self.plan.clone() }
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
    pub fn tree(&self, space: impl AsRef<str>) -> &[PathRecord] {
        self.space(space.as_ref()).map_or(&[], |space| &space.tree)
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
