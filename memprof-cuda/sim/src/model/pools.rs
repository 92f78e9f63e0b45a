//! Pools grow, shrink and let go.
//!
//! A pool grows by 2 MiB at a time, or by just what is asked for where no more fits. What is freed stays reserved until a
//! synchronisation finds more in reserve than the release threshold.

use super::pool::{CHUNK, Place, Pool};
use super::state::State;
use crate::base::abi::{Code, Done};

impl State {
    /// Makes room in a pool for a block.
    pub(crate) fn grow_pool(&mut self, handle: usize, bytes: u64) -> Done {
        let pool = self.pools.get(&handle).ok_or(Code::INVALID_VALUE)?;
        let place = pool.place;
        let used = pool.used.now.checked_add(bytes).ok_or(Code::OUT_OF_MEMORY)?;
        if pool.maximum != 0 && used > pool.maximum {
            return Err(Code::OUT_OF_MEMORY);
        }
        let missing = used.saturating_sub(pool.reserved.now);
        let chunks = missing.checked_next_multiple_of(CHUNK).ok_or(Code::OUT_OF_MEMORY)?;
        let growth = match place {
            Place::Device(device) if self.fits(device, chunks).is_err() => {
                self.fits(device, missing)?;
                missing
            }
            _ => chunks,
        };
        if let Some(pool) = self.pools.get_mut(&handle) {
            pool.reserved.set(pool.reserved.now + growth);
            pool.used.set(used);
        }
        Ok(())
    }

    /// A block of a pool is gone; its bytes stay reserved.
    pub(crate) fn shrink_pool(&mut self, handle: usize, bytes: u64) {
        let Some(pool) = self.pools.get_mut(&handle) else { return };
        pool.used.now -= bytes;
        if pool.is_destroyed && pool.used.now == 0 {
            self.pool_gone(handle);
        }
    }

    pub(crate) fn pool_gone(&mut self, handle: usize) {
        self.pools.remove(&handle);
        self.give_handle(handle);
    }

    /// A synchronisation: pools of the device let go what is above their threshold.
    pub(crate) fn synchronized(&mut self, device: usize) {
        for pool in self.pools.values_mut().filter(|pool| pool.place.device() == device) {
            pool.trim(pool.threshold);
        }
    }

    pub(crate) fn pool(&mut self, handle: usize) -> Result<&mut Pool, Code> {
        self.pools.get_mut(&handle).filter(|pool| !pool.is_destroyed).ok_or(Code::INVALID_VALUE)
    }
}
