//! The form of a saved profile: what serde writes of a [`Snapshot`], and what it reads.
//!
//! Version 2 has, beside what version 1 had: `process`, `resident`, `kept` and `kept_calls` of every record and path, the
//! blocks outside any scope, and `peak_threads`; a merged profile also has `ranks`, `spread` and `peak_sum`, and
//! one of `cargo memprof` has `plan`. Unknown keys are passed over, so a version may get more of them.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::parts::{HostState, SnapshotParts, SpaceData};
use super::value::Snapshot;
use crate::device::Device;
use crate::merged::{Merged, Spread};
use crate::plan::Plan;
use crate::process::{Process, Resident};
use crate::record::PathRecord;

/// The oldest form that is read.
const OLDEST_VERSION: u32 = 1;
/// The form in which this version writes snapshots, and the newest one that it reads.
const SCHEMA_VERSION: u32 = 2;

/// A saved profile. Its version stands first, so that a file of a form that is not known says just that.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    schema_version: SchemaVersion,
    #[serde(default)]
    process: Cow<'a, Process>,
    #[serde(default)]
    resident: Option<Resident>,
    state: State,
    notes: Cow<'a, [String]>,
    spaces: Vec<Cow<'a, SpaceData>>,
    #[serde(default)]
    devices: Cow<'a, [Device]>,
    /// Of a merged profile, each one's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ranks: Option<Cow<'a, [Process]>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spread: Cow<'a, BTreeMap<String, Vec<Spread>>>,
    /// What `cargo memprof` tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Cow<'a, Plan>>,
}

#[derive(Serialize, Deserialize)]
struct State {
    enabled: bool,
    host: HostState,
    scopes_entered: bool,
    #[serde(default)]
    was_off: bool,
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let SnapshotParts { enabled, host, scopes_entered, was_off, process, resident, notes, spaces, devices } =
            self.parts();
        let saved = Saved {
            schema_version: SchemaVersion(SCHEMA_VERSION),
            process: Cow::Borrowed(process),
            resident: *resident,
            state: State { enabled: *enabled, host: *host, scopes_entered: *scopes_entered, was_off: *was_off },
            notes: notes.into(),
            spaces: with_what_happened(spaces),
            devices: devices.into(),
            ranks: self.merged().map(|merged| Cow::Borrowed(&*merged.ranks)),
            plan: self.plan().map(Cow::Borrowed),
            spread: self.merged().map_or_else(Cow::default, |merged| Cow::Borrowed(&merged.spread)),
        };
        saved.serialize(serializer)
    }
}

/// The spaces, without the rows of those in which nothing happened: each would name every site again. Where nothing
/// happened anywhere, the first one keeps them.
fn with_what_happened(spaces: &[SpaceData]) -> Vec<Cow<'_, SpaceData>> {
    let kept = spaces.iter().position(|space| space.has_events).unwrap_or(0);
    let without_rows = |SpaceData { name, has_events, totals, records: _, tree: _ }: &SpaceData| SpaceData {
        name: name.clone(),
        has_events: *has_events,
        totals: totals.clone(),
        records: Vec::new(),
        tree: Vec::new(),
    };
    let shortened = spaces.iter().enumerate().map(|(index, space)| {
        if space.has_events || index == kept { Cow::Borrowed(space) } else { Cow::Owned(without_rows(space)) }
    });
    shortened.collect()
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        let State { enabled, host, scopes_entered, was_off } = saved.state;
        let mut spaces: Vec<SpaceData> = saved.spaces.into_iter().map(Cow::into_owned).collect();
        if saved.schema_version == SchemaVersion(1) {
            spaces.iter_mut().for_each(add_blocks_outside);
        }
        let parts = SnapshotParts {
            enabled,
            host,
            scopes_entered,
            was_off,
            process: saved.process.into_owned(),
            resident: saved.resident,
            notes: saved.notes.into_owned(),
            spaces,
            devices: saved.devices.into_owned(),
        };
        let plan = saved.plan.map(Cow::into_owned);
        let snapshot = match saved.ranks {
            Some(ranks) => {
                let merged = Merged { ranks: ranks.into_owned(), spread: saved.spread.into_owned() };
                Snapshot::of_many(parts, merged)
            }
            None => Snapshot::new(parts),
        };
        Ok(snapshot.with_plan(plan))
    }
}

/// Version 1 did not say how many blocks are outside any scope: what the paths lack of the whole.
fn add_blocks_outside(space: &mut SpaceData) {
    let lacking = |whole: i128, of: fn(&PathRecord) -> i128| whole - space.tree.iter().map(of).sum::<i128>();
    let live = lacking(space.totals.live_blocks.into(), |path| path.live_blocks.into());
    let all = lacking(space.totals.blocks_total.into(), |path| path.self_blocks.into());
    // The picture of `host` may be of another moment than the peak.
    let at_peak = lacking(space.totals.peak_blocks.into(), |path| path.at_peak_blocks.into());
    space.totals.no_scope_live_blocks = i64::try_from(live).unwrap_or(0);
    space.totals.no_scope_blocks = u64::try_from(all).unwrap_or(0);
    space.totals.no_scope_at_peak_blocks = u64::try_from(at_peak).unwrap_or(0);
}

/// The version of a snapshot's form: one that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct SchemaVersion(u32);

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u64::deserialize(deserializer)?;
        match u32::try_from(found) {
            Ok(version @ OLDEST_VERSION..=SCHEMA_VERSION) => Ok(SchemaVersion(version)),
            _ => Err(D::Error::custom(format_args!(
                "cannot read a memprof snapshot of schema version {found}: \
                 this memprof reads versions {OLDEST_VERSION} to {SCHEMA_VERSION}"
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
