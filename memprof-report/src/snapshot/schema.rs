//! The form of a saved profile: what serde writes of a [`Snapshot`], and what it reads.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Snapshot;
use super::parts::{HostState, SnapshotParts, SpaceData};
use crate::device::Device;
use crate::record::PathRecord;

/// The form in which this version writes snapshots, and the only one that it reads.
const SCHEMA_VERSION: u32 = 1;

/// A saved profile. The keys stand so that the version is read before what depends on it, also from a file whose keys
/// were sorted.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    schema_version: SchemaVersion,
    state: State,
    notes: Cow<'a, [String]>,
    spaces: Cow<'a, [SpaceData]>,
    #[serde(default)]
    devices: Cow<'a, [Device]>,
}

#[derive(Serialize, Deserialize)]
struct State {
    enabled: bool,
    host: HostState,
    scopes_entered: bool,
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let SnapshotParts { enabled, host, scopes_entered, notes, spaces, devices } = self.parts();
        let state = State { enabled: *enabled, host: *host, scopes_entered: *scopes_entered };
        let saved = Saved {
            schema_version: SchemaVersion(SCHEMA_VERSION),
            state,
            notes: notes.into(),
            spaces: spaces.into(),
            devices: devices.into(),
        };
        saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        let State { enabled, host, scopes_entered } = saved.state;
        Ok(Snapshot::new(SnapshotParts {
            enabled,
            host,
            scopes_entered,
            notes: saved.notes.into_owned(),
            spaces: saved.spaces.into_owned(),
            devices: saved.devices.into_owned(),
        }))
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

/// Reads a tree, and refuses one in which a parent does not stand before its children.
pub(super) fn parents_first<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathRecord>, D::Error> {
    let tree = Vec::<PathRecord>::deserialize(deserializer)?;
    for (index, path) in tree.iter().enumerate() {
        if let Some(parent) = path.parent.filter(|parent| *parent >= index) {
            return Err(D::Error::custom(format_args!(
                "cannot read a memprof snapshot whose path {index} names path {parent} as its parent"
            )));
        }
    }
    Ok(tree)
}
