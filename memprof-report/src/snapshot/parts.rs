//! What a snapshot consists of, as the recorder hands it over.
//!
//! The recorder fills these in (`observe/snapshot` of `memprof-core`), and reading a saved profile does; formats only
//! read them. In each space parents stand before their children in `tree`: walks of the tree rely on it, so a file that
//! has it otherwise is refused where it is read.

use crate::{
    device::Device,
    process::{Process, Resident},
    record::{PathRecord, Record, Totals},
};

/// What a [`Snapshot`](super::Snapshot) is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotParts {
    /// Whether memprof was measuring.
    pub enabled: bool,
    /// What it knew of the host's memory.
    pub host: HostState,
    /// Whether any scope was entered since the start.
    pub scopes_entered: bool,
    /// Whether blocks may be there that were allocated while memprof was off.
    pub was_off: bool,
    /// Which process it is.
    pub process: Process,
    /// What the system says that it holds, where it says so.
    pub resident: Option<Resident>,
    /// Limits reached and threads not read whole, a line each.
    pub notes: Vec<String>,
    /// Host first, then by name.
    pub spaces: Vec<SpaceData>,
    /// What the devices' own allocators said, by space.
    pub devices: Vec<Device>,
}

/// One space of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
pub struct SpaceData {
    /// `host`, `pinned`, `managed`, `cuda:N`, or a program's own.
    pub name: String,
    /// Whether anything was allocated, freed or failed there.
    pub has_events: bool,
    /// Of the whole process.
    pub totals: Totals,
    /// Per site, in the order in which the sites were first left, then those never left as entered.
    pub records: Vec<Record>,
    /// Per path; empty where nothing happened, as [`Snapshot::tree`](super::Snapshot::tree) makes it of the calls. Each one's parent is before it.
    #[cfg_attr(feature = "formats", serde(deserialize_with = "super::schema::parents_first"))]
    pub tree: Vec<PathRecord>,
}

/// What memprof knew of the host's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum HostState {
    /// The allocator is in the program and tags its blocks.
    Measured,
    /// The program has another global allocator.
    NoAllocator,
    /// The allocator is there, but the process started without tags.
    Untagged,
}
