//! Memory pools: stream-ordered allocation, which happens at once, and what a pool keeps in reserve.
//!
//! A pool grows by 2 MiB at a time, or by just what is asked for where no more fits. What is freed stays reserved until a
//! synchronisation finds more in reserve than the release threshold.
#![expect(unsafe_code, reason = "exports driver functions")]

use std::ffi::{c_int, c_uint};

use crate::abi::{AccessDescription, Code, Done, In, Location, Out, PoolProperties};
use crate::gate::{self, driver};
use crate::memory::Kind;
use crate::state::State;

/// What a pool's reserve grows by.
const CHUNK: u64 = 2 << 20;

/// A number of bytes, and the most it has been.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gauge {
    pub(crate) now: u64,
    high: u64,
}

impl Gauge {
    fn set(&mut self, bytes: u64) {
        self.now = bytes;
        self.high = self.high.max(bytes);
    }
}

/// A memory pool of a device.
pub(crate) struct Pool {
    pub(crate) device: usize,
    pub(crate) reserved: Gauge,
    pub(crate) used: Gauge,
    /// Bytes that it may hold at most; 0 for as many as the device has.
    maximum: u64,
    threshold: u64,
    /// The three attributes that steer reuse.
    reuse: [c_int; 3],
    is_destroyed: bool,
}

impl Pool {
    pub(crate) fn new(device: usize, maximum: u64) -> Self {
        let gauge = Gauge::default();
        Self { device, reserved: gauge, used: gauge, maximum, threshold: 0, reuse: [1; 3], is_destroyed: false }
    }
}

impl State {
    /// Makes room in a pool for a block.
    pub(crate) fn grow_pool(&mut self, handle: usize, bytes: u64) -> Done {
        let pool = self.pools.get(&handle).ok_or(Code::INVALID_VALUE)?;
        let device = pool.device;
        let used = pool.used.now.checked_add(bytes).ok_or(Code::OUT_OF_MEMORY)?;
        if pool.maximum != 0 && used > pool.maximum {
            return Err(Code::OUT_OF_MEMORY);
        }
        let missing = used.saturating_sub(pool.reserved.now);
        let chunks = missing.checked_next_multiple_of(CHUNK).ok_or(Code::OUT_OF_MEMORY)?;
        let growth = if self.fits(device, chunks).is_ok() { chunks } else { missing };
        self.fits(device, growth)?;
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
            self.pools.remove(&handle);
        }
    }

    /// A synchronisation: pools of the device let go what is above their threshold.
    pub(crate) fn synchronized(&mut self, device: usize) {
        for pool in self.pools.values_mut().filter(|pool| pool.device == device) {
            trim(pool, pool.threshold);
        }
    }

    /// Pools of the device let go what is above `keep`.
    pub(crate) fn settle_pools(&mut self, device: usize, keep: u64) {
        for pool in self.pools.values_mut().filter(|pool| pool.device == device) {
            trim(pool, keep);
        }
    }

    fn pool(&mut self, handle: usize) -> Result<&mut Pool, Code> {
        self.pools.get_mut(&handle).filter(|pool| !pool.is_destroyed).ok_or(Code::INVALID_VALUE)
    }

    fn allocate_async(&mut self, place: Out<u64>, bytes: usize, pool: Option<usize>, stream: usize) -> Done {
        place.given()?;
        let (context, device) = self.stream_context(stream)?;
        if !self.pools_supported {
            return Err(Code::NOT_SUPPORTED);
        }
        if bytes == 0 {
            return place.set(0);
        }
        let handle = pool.unwrap_or(self.devices[device].current_pool);
        let device = self.pool(handle)?.device;
        let address = self.allocate_in(Kind::Pooled(handle), bytes as u64, context, device)?;
        place.set(address)
    }
}

/// Lets go what is reserved above `keep`, in whole chunks that no block needs.
fn trim(pool: &mut Pool, keep: u64) {
    let needed = pool.used.now.next_multiple_of(CHUNK).max(keep);
    pool.reserved.now = pool.reserved.now.min(needed);
}

driver! {
    fn cuMemAllocAsync(place: Out<u64>, bytes: usize, stream: usize) [598] {
        gate::with(|state| state.allocate_async(place, bytes, None, stream))
    }

    fn cuMemAllocFromPoolAsync(place: Out<u64>, bytes: usize, pool: usize, stream: usize) [611] {
        gate::with(|state| state.allocate_async(place, bytes, Some(pool), stream))
    }

    fn cuMemFreeAsync(address: u64, stream: usize) [600] {
        gate::with(|state| {
            state.stream_context(stream)?;
            if address == 0 {
                return Ok(());
            }
            state.free(address, |kind| matches!(kind, Kind::Pooled(_) | Kind::Device))
        })
    }

    fn cuMemPoolCreate(place: Out<usize>, properties: In<PoolProperties>) [607] {
        gate::with(|state| {
            place.given()?;
            let properties = properties.get()?;
            if properties.location.kind != Location::DEVICE {
                return Err(Code::NOT_SUPPORTED);
            }
            let device = state.index(properties.location.id)?;
            let handle = state.handle();
            state.pools.insert(handle, Pool::new(device, properties.maximum as u64));
            place.set(handle)
        })
    }

    fn cuMemPoolDestroy(handle: usize) [608] {
        gate::with(|state| {
            if state.devices.iter().any(|device| device.default_pool == handle) {
                return Err(Code::INVALID_VALUE);
            }
            let pool = state.pool(handle)?;
            pool.is_destroyed = true;
            trim(pool, 0);
            let is_empty = pool.used.now == 0;
            for device in state.devices.iter_mut().filter(|device| device.current_pool == handle) {
                device.current_pool = device.default_pool;
            }
            if is_empty {
                state.pools.remove(&handle);
            }
            Ok(())
        })
    }

    fn cuMemPoolTrimTo(handle: usize, keep: usize) {
        gate::with(|state| {
            trim(state.pool(handle)?, keep as u64);
            Ok(())
        })
    }

    fn cuMemPoolGetAttribute(handle: usize, attribute: c_uint, place: Out<u8>) {
        gate::with(|state| {
            let pool = state.pool(handle)?;
            match attribute {
                1..=3 => place.cast().set(pool.reuse[attribute as usize - 1]),
                4 => place.cast().set(pool.threshold),
                5 => place.cast().set(pool.reserved.now),
                6 => place.cast().set(pool.reserved.high),
                7 => place.cast().set(pool.used.now),
                8 => place.cast().set(pool.used.high),
                _ => Err(Code::INVALID_VALUE),
            }
        })
    }

    fn cuMemPoolSetAttribute(handle: usize, attribute: c_uint, value: In<u64>) {
        gate::with(|state| {
            let pool = state.pool(handle)?;
            match attribute {
                1..=3 => pool.reuse[attribute as usize - 1] = value.cast::<c_int>().get()?,
                4 => pool.threshold = value.get()?,
                // A high mark may only be set to 0: it begins anew from what there is.
                6 if value.get()? == 0 => pool.reserved.high = pool.reserved.now,
                8 if value.get()? == 0 => pool.used.high = pool.used.now,
                _ => return Err(Code::INVALID_VALUE),
            }
            Ok(())
        })
    }

    fn cuMemPoolSetAccess(handle: usize, _access: In<AccessDescription>, _count: usize) {
        gate::with(|state| state.pool(handle).map(|_| ()))
    }

    fn cuMemPoolGetAccess(flags: Out<c_uint>, handle: usize, location: In<Location>) {
        gate::with(|state| {
            let device = state.pool(handle)?.device;
            let location = location.get()?;
            let is_own = location.kind == Location::DEVICE && usize::try_from(location.id) == Ok(device);
            flags.set(if is_own { 3 } else { 0 })
        })
    }

    fn cuDeviceGetDefaultMemPool(place: Out<usize>, device: c_int) {
        gate::with(|state| {
            let pool = state.device(device)?.default_pool;
            if state.pools_supported { place.set(pool) } else { Err(Code::NOT_SUPPORTED) }
        })
    }

    fn cuDeviceGetMemPool(place: Out<usize>, device: c_int) {
        gate::with(|state| {
            let pool = state.device(device)?.current_pool;
            if state.pools_supported { place.set(pool) } else { Err(Code::NOT_SUPPORTED) }
        })
    }

    fn cuDeviceSetMemPool(device: c_int, handle: usize) {
        gate::with(|state| {
            let device = state.index(device)?;
            if state.pool(handle)?.device != device {
                return Err(Code::INVALID_VALUE);
            }
            state.devices[device].current_pool = handle;
            Ok(())
        })
    }
}
