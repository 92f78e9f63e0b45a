//! Which device a context, a stream, a pool or a location belongs to, learnt from what callbacks show: a callback cannot
//! ask the driver.

use std::sync::LazyLock;

use dashmap::DashMap;
use memprof_core::__allocator::blind;
use memprof_core::Space;

use super::ffi::Cupti;
use crate::scatter::Scattered;
use crate::spaces;

/// Devices of contexts, green ones included.
static DEVICES: LazyLock<DashMap<u64, u32, Scattered>> = LazyLock::new(DashMap::default);
/// Primary contexts, by device.
static PRIMARIES: LazyLock<DashMap<u32, u64>> = LazyLock::new(DashMap::new);
/// Contexts of the streams that were made under interception.
static STREAMS: LazyLock<DashMap<u64, u64, Scattered>> = LazyLock::new(DashMap::default);
/// Spaces of the pools that calls have shown, or the driver was asked for.
static POOLS: LazyLock<DashMap<u64, Space, Scattered>> = LazyLock::new(DashMap::default);

/// The space of a context's device: `cuda:?` if neither a callback nor CUPTI has ever said which that is.
pub(super) fn space_of(context: u64, cupti: Option<&Cupti>) -> Space {
    device_of(context, cupti).map_or_else(|| Space::named("cuda:?"), spaces::of_device)
}

/// The device of a context; asks CUPTI about one that was made before interception began, or unseen.
pub(super) fn device_of(context: u64, cupti: Option<&Cupti>) -> Option<u32> {
    if let Some(known) = DEVICES.get(&context) {
        return Some(*known);
    }
    let device = cupti.filter(|_| context != 0)?.device_of(context)?;
    learn(context, device);
    Some(device)
}

/// This context is of this device.
pub(super) fn learn(context: u64, device: u32) {
    let _blind = blind();
    DEVICES.insert(context, device);
}

/// A context made from a green one.
pub(super) fn learn_from(context: u64, green: u64) {
    let device = DEVICES.get(&green).map(|device| *device);
    if let Some(device) = device {
        learn(context, device);
    }
}

/// A context is gone.
pub(super) fn forget(context: u64) {
    let _blind = blind();
    DEVICES.remove(&context);
}

/// A stream was made in this context. 0, 1 and 2 are no stream's handle but mean a default stream, which each context has.
pub(super) fn learn_stream(stream: u64, context: u64) {
    const PER_THREAD: u64 = 2; // cuda: (size_t)CU_STREAM_PER_THREAD
    if stream > PER_THREAD {
        let _blind = blind();
        STREAMS.insert(stream, context);
    }
}

/// A stream is gone.
pub(super) fn forget_stream(stream: u64) {
    let _blind = blind();
    STREAMS.remove(&stream);
}

/// A context is gone, and its streams with it.
pub(super) fn forget_streams_of(context: u64) {
    let _blind = blind();
    STREAMS.retain(|_, of| *of != context);
}

/// The context in which work on a stream is done, whichever is current: the stream's own. `current` for the default
/// streams, which are of the current context, and for one that was made unseen.
pub(super) fn context_of_stream(stream: u64, current: u64) -> u64 {
    STREAMS.get(&stream).map_or(current, |context| *context)
}

/// A pool's blocks live in this space.
pub(super) fn learn_pool(pool: u64, space: Space) {
    let _blind = blind();
    POOLS.insert(pool, space);
}

pub(super) fn forget_pool(pool: u64) {
    let _blind = blind();
    POOLS.remove(&pool);
}

/// The space of a pool's blocks; `None` for one that nobody has told of yet.
pub(super) fn pool_space(pool: u64) -> Option<Space> {
    POOLS.get(&pool).map(|space| *space)
}

/// A pool is this device's default or current one. What is known of it from its making says more.
pub(super) fn learn_pool_of_device(pool: u64, device: u32) {
    let _blind = blind();
    POOLS.entry(pool).or_insert_with(|| spaces::of_device(device));
}

/// Interception begins: what was known before is out of date, for handles are given out again. Makes the tables, which are none
/// of the program's memory.
pub(super) fn prepare() {
    let _blind = blind();
    DEVICES.clear();
    POOLS.clear();
    STREAMS.clear();
    PRIMARIES.clear();
}

/// This is the device's primary context.
pub(super) fn learn_primary(device: u32, context: u64) {
    learn(context, device);
    let _blind = blind();
    PRIMARIES.insert(device, context);
}

/// The device's primary context, if it was seen.
pub(super) fn primary(device: u32) -> Option<u64> {
    PRIMARIES.get(&device).map(|context| *context)
}

/// `CUmemLocation` and the kind of memory before it: the start of a pool's and of physical memory's properties.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Properties {
    kind: u32,
    handle_types: u32,
    location: u32,
    id: i32,
}

const MANAGED: u32 = 2; // cuda 13.0: CU_MEM_ALLOCATION_TYPE_MANAGED
const DEVICE: u32 = 1; // cuda: CU_MEM_LOCATION_TYPE_DEVICE
const HOST: u32 = 2; // cuda 12.6: CU_MEM_LOCATION_TYPE_HOST
const HOST_NODE: u32 = 3; // cuda 12.6: CU_MEM_LOCATION_TYPE_HOST_NUMA
const HOST_NODE_HERE: u32 = 4; // cuda 12.6: CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT
/// A part of a device's memory; the device is the first byte of the id.
const DEVICE_PART: u32 = 6; // cuda 13.5: CU_MEM_LOCATION_TYPE_DEVICE_LOCALITY_DOMAIN

impl Properties {
    pub(super) fn new(kind: u32, location: u32, id: i32) -> Self {
        Self { kind, handle_types: 0, location, id }
    }

    /// The space of such memory; `None` if it has no fixed location.
    pub(super) fn space(&self) -> Option<Space> {
        match (self.kind, self.location) {
            (MANAGED, _) => Some(Space::MANAGED),
            (_, DEVICE) => u32::try_from(self.id).ok().map(spaces::of_device),
            (_, DEVICE_PART) => Some(spaces::of_device(u32::from(self.id.to_ne_bytes()[0]))),
            (_, HOST | HOST_NODE | HOST_NODE_HERE) => Some(Space::PINNED),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Properties;
    use memprof_core::Space;

    #[test]
    fn properties_say_where_memory_is() {
        let at = |kind, location, id| Properties { kind, handle_types: 0, location, id }.space();
        assert_eq!(at(1, 1, 3), Some(Space::device(3)));
        assert_eq!(at(1, 3, 0), Some(Space::PINNED));
        assert_eq!(at(2, 1, 0), Some(Space::MANAGED));
        assert_eq!(at(1, 0, 0), None);
        assert_eq!(at(1, 1, -1), None);
        assert_eq!(at(1, 6, 0x0203), Some(Space::device(3)), "locality domain 2 of device 3");
    }
}
