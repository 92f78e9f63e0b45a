//! Who holds what, at a failure.

#![expect(unsafe_code, reason = "calls of the CUDA driver")]

use std::sync::Arc;

use cudarc::driver::CudaContext;
use cudarc::driver::result;
use cudarc::driver::sys::CUmemPool_attribute;
use memprof_core::__allocator::{blind, open_scopes};
use memprof_core::{Device, PathRecord, Snapshot, Space};

use crate::resource::call;

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
    /// Asks the recorder and, if the context is known, the driver. What this allocates is memprof's own.
    pub(super) fn gather(space: Space, bytes: u64, context: Option<&Arc<CudaContext>>) -> Self {
        let _blind = blind();
        let open_scopes = open_scopes();
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
        .map(|(index, record)| Owner { path: path(&tree, index), bytes: record.live, blocks: record.live_blocks })
        .collect();
    let totals = snapshot.totals(space);
    if totals.no_scope_live > 0 {
        let blocks = totals.live_blocks - tree.iter().map(|record| record.live_blocks).sum::<i64>();
        owners.push(Owner { path: "(outside any scope)".to_owned(), bytes: totals.no_scope_live, blocks });
    }
    owners.sort_by(|one, next| next.bytes.cmp(&one.bytes));
    owners
}

fn path(tree: &[PathRecord], index: usize) -> String {
    let around = std::iter::successors(tree.get(index), |record| tree.get(record.parent?));
    let mut names: Vec<&str> = around.skip(1).map(|record| record.function.as_str()).collect();
    names.reverse();
    names.extend(tree.get(index).map(|record| record.name.as_str()));
    names.join(" > ")
}

/// The device's numbers: from the driver, if its context is known, and otherwise what the snapshot has of it.
fn device(snapshot: &Snapshot, space: Space, context: Option<&Arc<CudaContext>>) -> Option<Device> {
    if space == Space::PINNED {
        return None;
    }
    let asked = context.and_then(|context| {
        let name = call::device_space_of(context).name();
        ask(context, name, snapshot.totals(name).live)
    });
    asked.or_else(|| snapshot.devices().iter().find(|device| device.space == space.name()).cloned())
}

/// Asks the driver what is free on the device, and what its current pool holds.
fn ask(context: &CudaContext, space: &str, live: i64) -> Option<Device> {
    call::bind(context).ok()?;
    let (free, total) = result::mem_get_info().ok()?;
    let mut device = Device::of(space.to_owned());
    device.used = total.saturating_sub(free) as u64;
    device.total = total as u64;
    if context.has_async_alloc() {
        // SAFETY: the device of a context that cudarc holds open.
        let pool = unsafe { result::device::get_mem_pool(context.cu_device()) };
        let read = |attribute| {
            let mut bytes: u64 = 0;
            // SAFETY: a pool that the driver gave; these attributes are 64 bits wide.
            let read = unsafe { result::mem_pool::get_attribute(pool.ok()?, attribute, (&raw mut bytes).cast()) };
            read.ok().map(|()| bytes)
        };
        device.pool_reserved = read(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT).unwrap_or(0);
        device.pool_reserved_high = read(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH).unwrap_or(0);
        device.pool_used = read(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT).unwrap_or(0);
        device.pool_used_high = read(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH).unwrap_or(0);
    }
    let rest = i128::from(device.used) - i128::from(reserve(&device)) - i128::from(live);
    device.attributed = live;
    device.unattributed = i64::try_from(rest).unwrap_or(i64::MIN);
    Some(device)
}
