//! The memory pools of the program's own that are there for certain, so that the driver can be asked what they hold.
//!
//! A pool that is gone may not be asked. Two know of one that it is there: tracked slices out of it, which it outlives,
//! and interception, which sees pools come and go. [`while_they_stay`] asks under a lock that both take before a pool may go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock, RwLockWriteGuard};

use cudarc::driver::sys;
use memprof_core::__allocator::blind;
use memprof_core::Space;

/// A pool, by its handle, and the space of its memory.
type Pool = (usize, Space);

#[derive(Default)]
struct Pools {
    /// Whether interception sees all that come and go.
    is_watching: bool,
    /// Those that it has seen come.
    made: Vec<Pool>,
    /// Those of live tracked slices, by address.
    blocks: HashMap<u64, Pool>,
}

static POOLS: LazyLock<RwLock<Pools>> = LazyLock::new(RwLock::default);
/// As many as [`Pools::blocks`]: so that freeing any other block takes no lock.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

fn pools() -> RwLockWriteGuard<'static, Pools> {
    POOLS.write().unwrap_or_else(PoisonError::into_inner)
}

/// A tracked slice was allocated from a pool.
pub(crate) fn allocated(address: u64, pool: sys::CUmemoryPool, space: Space) {
    let _blind = blind();
    if pools().blocks.insert(address, (pool.expose_provenance(), space)).is_none() {
        BLOCKS.fetch_add(1, Ordering::Release);
    }
}

/// A tracked slice is about to go, from a pool or not: its pool may follow.
pub(crate) fn freed(address: u64) {
    if BLOCKS.load(Ordering::Acquire) > 0 && pools().blocks.remove(&address).is_some() {
        BLOCKS.fetch_sub(1, Ordering::Release);
    }
}

/// Interception sees pools from now on, or no longer: then those that it has seen may go unseen.
pub(crate) fn set_watching(is_watching: bool) {
    let mut pools = pools();
    pools.is_watching = is_watching;
    pools.made.clear();
}

/// Interception has seen a pool come, or stay.
pub(crate) fn made(pool: u64, space: Space) {
    let _blind = blind();
    let mut pools = pools();
    if let (true, Ok(pool)) = (pools.is_watching, usize::try_from(pool)) {
        pools.made.push((pool, space));
    }
}

/// Interception sees that a pool is about to go; gives its space if it was seen to come.
pub(crate) fn goes(pool: u64) -> Option<Space> {
    let mut pools = pools();
    let place = pools.made.iter().position(|(known, _)| *known as u64 == pool)?;
    Some(pools.made.swap_remove(place).1)
}

/// Runs `ask` with the pools of this space that are there, each once; none of them goes meanwhile.
pub(crate) fn while_they_stay<R>(space: &str, ask: impl FnOnce(&[sys::CUmemoryPool]) -> R) -> R {
    let pools = POOLS.read().unwrap_or_else(PoisonError::into_inner);
    let all = pools.made.iter().chain(pools.blocks.values());
    let mut here: Vec<usize> = all.filter(|(_, of)| of.name() == space).map(|(pool, _)| *pool).collect();
    here.sort_unstable();
    here.dedup();
    let here: Vec<_> = here.into_iter().map(std::ptr::with_exposed_provenance_mut).collect();
    ask(&here)
}
