//! The contexts that are there when interception begins, asked of the driver before it begins. Once it is on, a callback
//! puts [two questions](super::questions) to the driver, and no more.

#![expect(unsafe_code, reason = "calls functions of the driver that are found at run time")]

use core::ffi::{c_int, c_uint, c_void};
use core::ptr;

use memprof_core::__allocator::blind;

use super::contexts;
use crate::driver;
use crate::error::Error;

type Context = *mut c_void;

/// What is asked of the driver, which stays loaded.
pub(super) struct Driver {
    device_count: unsafe extern "C" fn(*mut c_int) -> u32,
    primary_state: unsafe extern "C" fn(c_int, *mut c_uint, *mut c_int) -> u32,
    retain_primary: unsafe extern "C" fn(*mut Context, c_int) -> u32,
    release_primary: unsafe extern "C" fn(c_int) -> u32,
    current: unsafe extern "C" fn(*mut Context) -> u32,
    device_of_current: unsafe extern "C" fn(*mut c_int) -> u32,
}

impl Driver {
    /// The functions of the driver that cudarc meets.
    ///
    /// # Errors
    ///
    /// No driver, or the first function that it lacks.
    pub(super) fn find() -> Result<Self, Error> {
        let library = driver::library()?;
        Ok(Self {
            // SAFETY: CUDA's headers declare it so.
            device_count: unsafe { driver::needed(library, "cuDeviceGetCount") }?,
            // SAFETY: as above.
            primary_state: unsafe { driver::needed(library, "cuDevicePrimaryCtxGetState") }?,
            // SAFETY: as above.
            retain_primary: unsafe { driver::needed(library, "cuDevicePrimaryCtxRetain") }?,
            // SAFETY: as above.
            release_primary: unsafe { driver::needed(library, "cuDevicePrimaryCtxRelease_v2") }?,
            // SAFETY: as above.
            current: unsafe { driver::needed(library, "cuCtxGetCurrent") }?,
            // SAFETY: as above.
            device_of_current: unsafe { driver::needed(library, "cuCtxGetDevice") }?,
        })
    }

    /// The devices whose primary context is active; none while the driver is not initialised.
    pub(super) fn active_primaries(&self) -> Vec<c_int> {
        let mut count = 0;
        // SAFETY: room for one number.
        let asked = unsafe { (self.device_count)(&raw mut count) };
        if asked != 0 {
            return Vec::new();
        }
        (0..count).filter(|&device| self.is_active(device)).collect()
    }

    fn is_active(&self, device: c_int) -> bool {
        let (mut flags, mut active) = (0, 0);
        // SAFETY: room for two numbers.
        let asked = unsafe { (self.primary_state)(device, &raw mut flags, &raw mut active) };
        asked == 0 && active != 0
    }

    /// Learns which contexts there are: the primary ones of these devices, and the calling thread's.
    pub(super) fn learn(&self, active: &[c_int]) {
        let _blind = blind();
        for &device in active {
            let Ok(ordinal) = u32::try_from(device) else { continue };
            let mut context = ptr::null_mut();
            // SAFETY: room for one handle.
            let retained = unsafe { (self.retain_primary)(&raw mut context, device) };
            if retained != 0 {
                continue;
            }
            contexts::learn_primary(ordinal, context.addr() as u64);
            // SAFETY: it was retained just now.
            let _still_held_by_others = unsafe { (self.release_primary)(device) };
        }
        let (mut context, mut device) = (ptr::null_mut(), 0);
        // SAFETY: room for one handle.
        if unsafe { (self.current)(&raw mut context) } != 0 || context.is_null() {
            return;
        }
        // SAFETY: room for one number.
        let asked = unsafe { (self.device_of_current)(&raw mut device) };
        if let (0, Ok(ordinal)) = (asked, u32::try_from(device)) {
            contexts::learn(context.addr() as u64, ordinal);
        }
    }
}
