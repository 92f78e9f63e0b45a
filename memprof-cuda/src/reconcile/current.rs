//! A context to ask the driver through, current on this thread for as long as that takes.
//!
//! It is pushed and popped and never set, so what was current comes back whatever became of it. No context is made for
//! a question: a primary one is held only if it is active, and given back. Whether the driver may be asked at all is
//! left to [`asking`](crate::asking).

#![expect(unsafe_code, reason = "contexts are retained and made current")]

use cudarc::driver::{result, sys};

use super::silence::Silence;
use crate::driver;

/// A context that is current on this thread until this is dropped; then what was current before is so again, also where
/// that is a context that is destroyed or reset, which `cuCtxSetCurrent` would refuse.
pub(super) struct Current;

impl Current {
    pub(super) fn set(context: sys::CUcontext) -> Result<Self, Silence> {
        driver::require(&["cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2"]).map_err(|_| Silence::NoContext)?;
        // SAFETY: the caller holds the context.
        unsafe { sys::cuCtxPushCurrent_v2(context) }.result()?;
        Ok(Self)
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let mut pushed = std::ptr::null_mut();
        // SAFETY: room for one handle; it was pushed on this thread.
        let _ = unsafe { sys::cuCtxPopCurrent_v2(&raw mut pushed) };
    }
}

/// A device's primary context, which somebody else has active, held meanwhile.
pub(super) struct Primary {
    device: sys::CUdevice,
    pub(super) context: sys::CUcontext,
}

impl Primary {
    pub(super) fn if_active(device: sys::CUdevice) -> Result<Self, Silence> {
        driver::require(&["cuDevicePrimaryCtxGetState"]).map_err(|_| Silence::NoContext)?;
        let (mut flags, mut active) = (0, 0);
        // SAFETY: both places are written before the call returns.
        unsafe { sys::cuDevicePrimaryCtxGetState(device, &raw mut flags, &raw mut active) }.result()?;
        if active == 0 {
            return Err(Silence::NoContext);
        }
        // SAFETY: the device is one that the driver gave.
        let context = unsafe { result::primary_ctx::retain(device) }?;
        Ok(Self { device, context })
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        // SAFETY: retained when this was made, and given back once.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}
