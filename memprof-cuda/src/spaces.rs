//! The spaces of devices, `cuda:N`, and which spaces are of the driver's memory.
//!
//! A name costs a lock and a look-up, so the spaces of the first devices are kept. What has no address, physical
//! memory, has a number here by which wrappers and interception both know it: so either takes off the books what the
//! other put there.

use std::sync::OnceLock;

use cudarc::driver::CudaContext;
use memprof_core::Space;

static FIRST: [OnceLock<Space>; 16] = [const { OnceLock::new() }; 16];

/// The space of the device of this index.
pub(crate) fn of_device(ordinal: u32) -> Space {
    match FIRST.get(ordinal as usize) {
        Some(kept) => *kept.get_or_init(|| Space::device(ordinal)),
        None => Space::device(ordinal),
    }
}

/// The space of the context's device.
pub(crate) fn of_context(context: &CudaContext) -> Space {
    of_device(u32::try_from(context.ordinal()).unwrap_or(u32::MAX))
}

/// The spaces of the first devices, as far as anybody has asked for them.
pub(crate) fn seen() -> impl Iterator<Item = Space> {
    FIRST.iter().filter_map(|kept| kept.get().copied())
}

/// Whether this is a space of the driver's memory, where interception records: a device's, `managed` or `pinned`. Any other
/// is one that a program names.
pub(crate) fn is_of_the_driver(space: Space) -> bool {
    // The name last: it costs a lock.
    [Space::PINNED, Space::MANAGED].contains(&space)
        || seen().any(|seen| seen == space)
        || space.name().starts_with("cuda:")
}

/// What physical memory (`cuMemCreate`) is known by in the books, by its handle: as interception knows it, past all
/// addresses.
pub(crate) fn physical(handle: u64) -> u64 {
    handle & !(1 << 62) | 1 << 63
}
