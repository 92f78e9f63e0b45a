//! Memory pools: stream-ordered allocation, which happens at once.
//!
//! No call waits for a stream, so what is freed is free at once, for any stream. Growing, trimming and what stays in
//! reserve are left to [`model/pools`](crate::model::pools).
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::{c_int, c_uint};

use crate::base::abi::{AccessDescription, Code, Done, In, Location, Out, PoolProperties, ordinal};
use crate::driver::gate::{self, driver};
use crate::model::block::Kind;
use crate::model::pool::{Place, Pool};
use crate::model::state::State;

/// `CUmemAllocationType`
const PINNED: c_uint = 1; // cuda: CU_MEM_ALLOCATION_TYPE_PINNED
const MANAGED: c_uint = 2; // cuda 13.0: CU_MEM_ALLOCATION_TYPE_MANAGED

/// Where a location and a kind of memory are.
fn located(state: &State, location: Location, kind: c_uint) -> Result<Place, Code> {
    match (kind, location.kind) {
        (MANAGED, _) => Ok(Place::Managed),
        (PINNED, Location::DEVICE) => Ok(Place::Device(state.index(location.id)?)),
        (PINNED, Location::HOST | Location::HOST_NUMA) => Ok(Place::Host),
        _ => Err(Code::NOT_SUPPORTED),
    }
}

/// The default pool of a location; "by default the current mempool of a location is the default mempool" (cuda.h 13.5, `cuMemGetMemPool`),
/// and no other one can be set here but a device's.
fn pool_of(place: Out<usize>, location: In<Location>, kind: c_uint, is_current: bool) -> Done {
    gate::with(|state| {
        let pool = match located(state, location.get()?, kind)? {
            Place::Host => state.host_pool,
            Place::Managed => state.managed_pool,
            Place::Device(device) if is_current => state.devices[device].current_pool,
            Place::Device(device) => state.devices[device].default_pool,
        };
        place.set(pool)
    })
}

/// Allocates from a pool, or from the current one of the stream's device.
fn allocate(state: &mut State, place: Out<u64>, bytes: usize, pool: Option<usize>, stream: usize) -> Done {
    place.given()?;
    state.refuse_beside_captures(stream)?;
    let address = state.allocate_async(bytes as u64, pool, stream)?;
    place.set(address)
}

driver! {
    fn cuMemAllocAsync(place: Out<u64>, bytes: usize, stream: usize) [598] {
        gate::with(|state| allocate(state, place, bytes, None, stream))
    }

    fn cuMemAllocFromPoolAsync(place: Out<u64>, bytes: usize, pool: usize, stream: usize) [611] {
        gate::with(|state| allocate(state, place, bytes, Some(pool), stream))
    }

    fn cuMemFreeAsync(address: u64, stream: usize) [600] {
        gate::with(|state| {
            state.stream_context(stream)?;
            if address == 0 {
                return Ok(());
            }
            if state.capturing(stream)?.is_some() {
                return state.add_free_to_capture(stream, address);
            }
            state.refuse_if_capturing()?;
            state.free(address, |kind| matches!(kind, Kind::Pooled(_) | Kind::Device | Kind::Graph))
        })
    }

    fn cuMemPoolCreate(place: Out<usize>, properties: In<PoolProperties>) [607] {
        gate::unless_captured(|state| {
            place.given()?;
            let properties = properties.get()?;
            let at = located(state, properties.location, properties.kind)?;
            let handle = state.handle();
            state.pools.insert(handle, Pool::new(at, properties.maximum as u64));
            place.set(handle)
        })
    }

    fn cuMemPoolDestroy(handle: usize) [608] {
        gate::unless_captured(|state| {
            let of_host = [state.host_pool, state.managed_pool].contains(&handle);
            if of_host || state.devices.iter().any(|device| device.default_pool == handle) {
                return Err(Code::INVALID_VALUE);
            }
            let pool = state.pool(handle)?;
            pool.is_destroyed = true;
            pool.trim(0);
            let is_empty = pool.used.now == 0;
            for device in state.devices.iter_mut().filter(|device| device.current_pool == handle) {
                device.current_pool = device.default_pool;
            }
            if is_empty {
                state.pool_gone(handle);
            }
            Ok(())
        })
    }

    fn cuMemPoolTrimTo(handle: usize, keep: usize) {
        gate::unless_captured(|state| {
            state.pool(handle)?.trim(keep as u64);
            Ok(())
        })
    }

    fn cuMemPoolGetAttribute(handle: usize, attribute: c_uint, place: Out<u8>) {
        gate::unless_captured(|state| {
            let pool = state.pool(handle)?;
            match attribute {
                1..=3 => place.cast().set(pool.reuse[attribute as usize - 1]),
                4 => place.cast().set(pool.threshold),
                5 => place.cast().set(pool.reserved.now),
                6 => place.cast().set(pool.reserved.high),
                7 => place.cast().set(pool.used.now),
                8 => place.cast().set(pool.used.high),
                9 => place.cast().set(if pool.place == Place::Managed { MANAGED } else { PINNED }),
                11 => place.cast().set(ordinal(pool.place.device())),
                12 => place.cast().set(if let Place::Device(_) = pool.place { Location::DEVICE } else { Location::HOST }),
                13 => place.cast().set(pool.maximum),
                _ => Err(Code::INVALID_VALUE),
            }
        })
    }

    fn cuMemPoolSetAttribute(handle: usize, attribute: c_uint, value: In<u64>) {
        gate::unless_captured(|state| {
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
            let device = state.pool(handle)?.place.device();
            let location = location.get()?;
            let is_own = location.kind == Location::DEVICE && usize::try_from(location.id) == Ok(device);
            flags.set(if is_own { 3 } else { 0 })
        })
    }

    fn cuMemGetDefaultMemPool(place: Out<usize>, location: In<Location>, kind: c_uint) [801] {
        pool_of(place, location, kind, false)
    }

    fn cuMemGetMemPool(place: Out<usize>, location: In<Location>, kind: c_uint) [802] {
        pool_of(place, location, kind, true)
    }

    fn cuDeviceGetDefaultMemPool(place: Out<usize>, device: c_int) [606] {
        gate::with(|state| {
            let pool = state.device(device)?.default_pool;
            if state.pools_supported { place.set(pool) } else { Err(Code::NOT_SUPPORTED) }
        })
    }

    fn cuDeviceGetMemPool(place: Out<usize>, device: c_int) [610] {
        gate::with(|state| {
            let pool = state.device(device)?.current_pool;
            if state.pools_supported { place.set(pool) } else { Err(Code::NOT_SUPPORTED) }
        })
    }

    fn cuDeviceSetMemPool(device: c_int, handle: usize) {
        gate::unless_captured(|state| {
            let device = state.index(device)?;
            if state.pool(handle)?.place != Place::Device(device) {
                return Err(Code::INVALID_VALUE);
            }
            state.devices[device].current_pool = handle;
            Ok(())
        })
    }
}
