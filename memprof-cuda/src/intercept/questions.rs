//! What a callback asks the driver: where the memory of a pool is that was not seen to be made, once a pool; and whether a primary context
//! that was released is active still.
//!
//! Nothing else is asked there. Both are put after the call, when the driver is done with it, as [`asking`] says; NVIDIA's own sample
//! `callback_event` calls the driver there too.

#![expect(unsafe_code, reason = "calls functions of the driver that are found at run time")]

use core::ffi::{c_int, c_uint, c_void};
use std::sync::OnceLock;

use memprof_core::Space;

use super::contexts::Properties;
use crate::{asking, driver, spaces};

/// What is asked; what the driver lacks is not.
struct Asked {
    pool: Option<unsafe extern "C" fn(*mut c_void, c_int, *mut c_void) -> u32>,
    address: Option<unsafe extern "C" fn(*mut c_void, c_int, u64) -> u32>,
    primary: Option<unsafe extern "C" fn(c_int, *mut c_uint, *mut c_int) -> u32>,
}

static ASKED: OnceLock<Asked> = OnceLock::new();

/// Of a pool; new in CUDA 13 (13.0 has none of them).
const ALLOCATION_TYPE: c_int = 9; // cuda 13.5: CU_MEMPOOL_ATTR_ALLOCATION_TYPE
const LOCATION_ID: c_int = 11; // cuda 13.5: CU_MEMPOOL_ATTR_LOCATION_ID
const LOCATION_TYPE: c_int = 12; // cuda 13.5: CU_MEMPOOL_ATTR_LOCATION_TYPE
/// Of an address.
const MEMORY_TYPE: c_int = 2; // cuda: CU_POINTER_ATTRIBUTE_MEMORY_TYPE
const IS_MANAGED: c_int = 8; // cuda: CU_POINTER_ATTRIBUTE_IS_MANAGED
const ORDINAL: c_int = 9; // cuda: CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
/// The memory type of the host's.
const HOST: u32 = 1; // cuda: CU_MEMORYTYPE_HOST

/// Finds the functions that are asked.
pub(super) fn prepare() {
    let Ok(library) = driver::library() else { return };
    ASKED.get_or_init(|| Asked {
        // SAFETY: CUDA's headers declare it so; the driver stays loaded.
        pool: unsafe { driver::function(library, "cuMemPoolGetAttribute") }.ok(),
        // SAFETY: as above.
        address: unsafe { driver::function(library, "cuPointerGetAttribute") }.ok(),
        // SAFETY: as above.
        primary: unsafe { driver::function(library, "cuDevicePrimaryCtxGetState") }.ok(),
    });
}

/// The space of a pool's memory; `address` is a block out of it. `None` if the driver says neither of the one nor of the other.
pub(super) fn of_pool(pool: u64, address: u64) -> Option<Space> {
    let asked = ASKED.get()?;
    asking::asked_in_its_call(|| asked.by_attributes(pool).or_else(|| asked.by_address(address)))?
}

/// Whether the primary context of this device is inactive, as the driver says.
///
/// How often it was retained and released tells that as well only where every call is shown, from the first on. The driver's own count has
/// those that were not: from before interception, of a green context, of whatever retains it without a call of the driver that CUPTI shows.
pub(super) fn is_primary_inactive(device: u32) -> bool {
    let state = || {
        let get = ASKED.get()?.primary?;
        let (mut flags, mut active) = (0, 0);
        // SAFETY: room for both numbers; a wrong device is refused.
        let ask = || unsafe { get(device.cast_signed(), &raw mut flags, &raw mut active) };
        let status = asking::asked_in_its_call(ask)?;
        (status == 0).then_some(active)
    };
    state() == Some(0)
}

impl Asked {
    fn by_attributes(&self, pool: u64) -> Option<Space> {
        let get = self.pool?;
        let pool = core::ptr::with_exposed_provenance_mut(usize::try_from(pool).ok()?);
        let number = |attribute| {
            let mut number = 0_u64;
            // SAFETY: the pool has just given memory; each of these attributes is a number of 32 bits.
            let status = unsafe { get(pool, attribute, (&raw mut number).cast()) };
            (status == 0).then_some(number as u32)
        };
        let (kind, location, id) = (number(ALLOCATION_TYPE)?, number(LOCATION_TYPE)?, number(LOCATION_ID)?);
        Properties::new(kind, location, id.cast_signed()).space()
    }

    fn by_address(&self, address: u64) -> Option<Space> {
        let get = self.address?;
        let number = |attribute| {
            let mut number = 0_u64;
            // SAFETY: room for more than the number of 32 bits that each of these attributes is; an unknown address is refused.
            let status = unsafe { get((&raw mut number).cast(), attribute, address) };
            (status == 0).then_some(number as u32)
        };
        if number(IS_MANAGED).is_some_and(|managed| managed & 0xFF != 0) {
            return Some(Space::MANAGED);
        }
        match number(MEMORY_TYPE)? {
            HOST => Some(Space::PINNED),
            _ => number(ORDINAL).map(spaces::of_device),
        }
    }
}
