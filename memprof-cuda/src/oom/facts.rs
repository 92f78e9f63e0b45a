//! Who holds what, at a failure.
//!
//! Its numbers are of one snapshot, taken on the failing thread while that is blind, so what it allocates is in no
//! number. A device is asked as snapshots ask it, so within a driver's call, or where it may not be asked, its numbers
//! are the last known. How it reads is left to [`text`](super::text), when it is gathered to [`retry`](super::retry).

use std::cmp::Reverse;
use std::sync::Arc;

use cudarc::driver::CudaContext;
use memprof_core::__allocator::{blind, open_scopes};
use memprof_core::{Device, PathRecord, Snapshot, Space};

use crate::{reconcile, spaces};

/// As many owners are named.
const MOST_OWNERS: usize = 10;

/// What was known when an allocation failed for want of memory. Its text is the report.
///
/// All bytes but the device's are those that memprof attributes; it does so only while it measures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutOfMemory {
    /// Where the memory was wanted.
    pub space: Space,
    /// The bytes that were wanted.
    pub bytes: u64,
    /// Whether memprof was measuring: otherwise nothing is attributed.
    pub measuring: bool,
    /// Live bytes of the space.
    pub attributed: i64,
    /// Live blocks of the space.
    pub attributed_blocks: i64,
    /// The device's own numbers; `None` where it is not known which one, or the driver did not say.
    pub device: Option<Device>,
    /// Those who hold most of the space's live bytes, the greatest first: at most 10.
    pub owners: Vec<Owner>,
    /// All further owners together; its path is empty.
    pub other_owners: Owner,
    /// How many those are.
    pub other_owners_count: usize,
    /// The scopes that are open on the failing thread, innermost first, each as `file:line(function)` or its name.
    pub open_scopes: Vec<String>,
}

/// Live memory by the path that allocated it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The functions around it, outermost first, and the innermost one with its place: `train > src/model.rs:31(forward)`.
    pub path: String,
    /// Live bytes that it allocated itself.
    pub bytes: i64,
    /// Live blocks that it allocated itself.
    pub blocks: i64,
}

impl OutOfMemory {
    /// Asks the recorder, which asks the drivers of the devices that are watched: the context's is, from now on. What
    /// this allocates is memprof's own.
    pub(super) fn gather(space: Space, bytes: u64, context: Option<&Arc<CudaContext>>) -> Self {
        let _blind = blind();
        let open_scopes = open_scopes();
        if let Some(context) = context {
            reconcile::watch(context);
        }
        let snapshot = memprof_core::snapshot();
        let totals = snapshot.totals(space);
        let mut owners = owners(&snapshot, space);
        let others = owners.split_off(owners.len().min(MOST_OWNERS));
        let other_owners = Owner {
            path: String::new(),
            bytes: others.iter().map(|owner| owner.bytes).sum(),
            blocks: others.iter().map(|owner| owner.blocks).sum(),
        };
        Self {
            space,
            bytes,
            measuring: memprof_core::is_enabled(),
            attributed: totals.live,
            attributed_blocks: totals.live_blocks,
            device: device(&snapshot, space, context),
            owners,
            other_owners,
            other_owners_count: others.len(),
            open_scopes,
        }
    }

    /// Bytes that the driver could hand out: free on the device, or in its pool's reserve. 0 where unknown.
    pub(super) fn available(&self) -> u64 {
        self.device.as_ref().map_or(0, |device| device.total.saturating_sub(device.used) + reserve(device))
    }
}

/// What the pool holds and has not handed out.
pub(super) fn reserve(device: &Device) -> u64 {
    device.pool_reserved.saturating_sub(device.pool_used)
}

/// Those who hold live bytes of `space`, the greatest first; among equals those outside any scope last, and the others in
/// the tree's order.
fn owners(snapshot: &Snapshot, space: Space) -> Vec<Owner> {
    let tree = snapshot.tree(space);
    let held = tree.iter().enumerate().filter(|(_, record)| record.live > 0);
    let mut owners: Vec<Owner> = held
        .map(|(index, record)| Owner { path: path(tree, index), bytes: record.live, blocks: record.live_blocks })
        .collect();
    let totals = snapshot.totals(space);
    if totals.no_scope_live > 0 {
        let blocks = totals.live_blocks - tree.iter().map(|record| record.live_blocks).sum::<i64>();
        owners.push(Owner { path: "(outside any scope)".to_owned(), bytes: totals.no_scope_live, blocks });
    }
    owners.sort_by_key(|owner| Reverse(owner.bytes));
    owners
}

fn path(tree: &[PathRecord], index: usize) -> String {
    let around = std::iter::successors(tree.get(index), |record| tree.get(record.parent?));
    let mut names: Vec<&str> = around.skip(1).map(|record| record.function.as_str()).collect();
    names.reverse();
    names.extend(tree.get(index).map(|record| record.name.as_str()));
    names.join(" > ")
}

/// The device's numbers, as the snapshot had them from its driver: of the context's device, or the space's own.
fn device(snapshot: &Snapshot, space: Space, context: Option<&Arc<CudaContext>>) -> Option<Device> {
    if space == Space::PINNED {
        return None;
    }
    let name = context.map_or(space, |context| spaces::of_context(context)).name();
    snapshot.devices().iter().find(|device| device.space == name && device.total > 0).cloned()
}
