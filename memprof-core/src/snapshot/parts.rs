//! What a snapshot consists of, as the recorder hands it over and as a file holds it.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::observe::devices::Device;
use crate::record::{PathRecord, Record, Totals};

/// What the recorder hands over to make a [`Snapshot`](super::Snapshot).
#[derive(Debug)]
pub(crate) struct SnapshotParts {
    /// Whether memprof was measuring.
    pub(crate) enabled: bool,
    /// What it knew of the host's memory.
    pub(crate) host: HostState,
    /// Host first, then by name.
    pub(crate) spaces: Vec<SpaceData>,
    /// What the devices' own allocators said, by space.
    pub(crate) devices: Vec<Device>,
    /// Limits reached and threads not read whole, a line each.
    pub(crate) notes: Vec<String>,
    /// Whether any scope was entered since the start.
    pub(crate) scopes_entered: bool,
}

/// One space of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpaceData {
    pub(crate) name: String,
    /// Whether anything was allocated, freed or failed there.
    pub(crate) has_events: bool,
    pub(crate) totals: Totals,
    /// Per site, in the order in which the sites were first left, then those never left as entered.
    pub(crate) records: Vec<Record>,
    /// Per path. Each one's parent is before it.
    #[serde(deserialize_with = "parents_first")]
    pub(crate) tree: Vec<PathRecord>,
}

/// What memprof was doing when the snapshot was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) enabled: bool,
    pub(crate) host: HostState,
    pub(crate) scopes_entered: bool,
}

/// What memprof knew of the host's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostState {
    /// The allocator is in the program and tags its blocks.
    Measured,
    /// The program has another global allocator.
    NoAllocator,
    /// The allocator is there, but the process started without tags.
    Untagged,
}

/// Reads a tree, and refuses one in which a parent does not stand before its children.
fn parents_first<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathRecord>, D::Error> {
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
