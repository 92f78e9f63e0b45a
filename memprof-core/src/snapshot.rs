//! [`Snapshot`]: everything measured up to one moment, as a plain value.
//!
//! A snapshot is apart from the recorder: it can be kept, compared, written to a file and read in another
//! process. This module promises that its order is fixed and that reading one back gives an equal one. How
//! it is taken is the recorder's business, how it looks on paper is that of [`crate::report`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

pub(crate) use self::parts::{HostState, SnapshotParts, SpaceData, State};
use crate::{
    base::blind,
    observe::devices::Device,
    record::{PathRecord, Record, Totals},
    report,
};

mod parts;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

/// The form in which this version writes snapshots, and the only one that it reads.
const SCHEMA_VERSION: u32 = 1;

/// Everything measured up to one moment, by space.
///
/// [`Display`](fmt::Display) is the default report. In it, a control character of a name is written as its
/// escape (`\n`, `\u{1b}`), so that a row stays one line; the methods here and `serde` give names raw.
///
/// `serde` writes and reads it, with the version of its form: a file of another version is refused with one
/// error that names both. Reading adds nothing to this process's own sites.
///
/// What the methods here, `Clone` and `Display` allocate is memprof's own memory, and no scope sees it. What
/// `serde` allocates to write or read one is the program's.
///
/// ```
/// # use memprof_core as memprof;
/// let snapshot = memprof::snapshot();
/// for space in snapshot.spaces() {
///     for record in snapshot.records(space) {
///         println!("{space}: {} needs {} bytes", record.name, record.memory_peak);
///     }
/// }
/// let json = serde_json::to_string(&snapshot)?;
/// assert_eq!(serde_json::from_str::<memprof::Snapshot>(&json)?, snapshot);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    // Reading is not hidden from the recorder: it runs the program's deserializer, which may free blocks that
    // the recorder knows.
    //
    // The keys stand so that the version is read before what depends on it, also from a file whose keys were
    // sorted.
    schema_version: SchemaVersion,
    state: State,
    notes: Vec<String>,
    /// Host first, then by name. Each one's records: greatest `memory_peak` first.
    spaces: Vec<SpaceData>,
    /// By space.
    #[serde(default)]
    devices: Vec<Device>,
}

impl Snapshot {
    /// Orders the records of each space: greatest `memory_peak` first, ties as they came.
    pub(crate) fn new(parts: SnapshotParts) -> Snapshot {
        let mut spaces = parts.spaces;
        for space in &mut spaces {
            space.records.sort_by_key(|record| std::cmp::Reverse(record.memory_peak));
        }
        Snapshot {
            schema_version: SchemaVersion(SCHEMA_VERSION),
            state: State { enabled: parts.enabled, host: parts.host, scopes_entered: parts.scopes_entered },
            notes: parts.notes,
            spaces,
            devices: parts.devices,
        }
    }

    /// The names of the spaces in which anything happened: `host` first, then by name.
    pub fn spaces(&self) -> impl Iterator<Item = &str> {
        self.spaces.iter().filter(|space| space.has_events).map(|space| space.name.as_str())
    }

    /// What was measured of each site in `space`: greatest `memory_peak` first, ties in the order in which the
    /// sites were first left. Empty for a space that is not in the snapshot.
    ///
    /// A site is listed if it was called, or has live or at-peak bytes in `space`.
    pub fn records(&self, space: impl AsRef<str>) -> Vec<Record> {
        let _blind = blind::enter();
        self.space(space.as_ref()).map(|space| space.records.clone()).unwrap_or_default()
    }

    /// What was measured of the whole `space`; all zero for one that is not in the snapshot.
    pub fn totals(&self, space: impl AsRef<str>) -> Totals {
        self.space(space.as_ref()).map(|space| space.totals.clone()).unwrap_or_default()
    }

    /// The call tree of `space`: what was measured of each path, parents first. Empty for a space that is not
    /// in the snapshot.
    pub fn tree(&self, space: impl AsRef<str>) -> Vec<PathRecord> {
        let _blind = blind::enter();
        self.space(space.as_ref()).map(|space| space.tree.clone()).unwrap_or_default()
    }

    /// How the memory of each device adds up, as far as an allocator of devices is in the program; by space.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// What limits this snapshot, a line each: a limit that was reached, a thread that could not be read whole.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    /// What memprof was doing when this was taken.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Every space of the snapshot, those without events too.
    pub(crate) fn data(&self) -> &[SpaceData] {
        &self.spaces
    }

    fn space(&self, name: &str) -> Option<&SpaceData> {
        self.spaces.iter().find(|space| space.name == name)
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        let _blind = blind::enter();
        Snapshot {
            schema_version: self.schema_version,
            state: self.state.clone(),
            notes: self.notes.clone(),
            spaces: self.spaces.clone(),
            devices: self.devices.clone(),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The report's own memory is memprof's; what `f` allocates is the caller's.
        let text = {
            let _blind = blind::enter();
            report::text(self, &report::Options::default())
        };
        f.write_str(&text)
    }
}

/// The version of a snapshot's form. It is [`SCHEMA_VERSION`]: another one cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct SchemaVersion(u32);

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            found if found == u64::from(SCHEMA_VERSION) => Ok(SchemaVersion(SCHEMA_VERSION)),
            found => Err(D::Error::custom(format_args!(
                "cannot read a memprof snapshot of schema version {found}: this memprof reads version {SCHEMA_VERSION}"
            ))),
        }
    }
}
