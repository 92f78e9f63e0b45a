//! Contexts: primary and created, current by thread. A context that goes takes its memory, streams and events along.
//!
//! That a context is about to end is shown to CUPTI's subscribers before it does, once no rule refuses the call, and
//! without the state's lock: they may ask the driver. What goes with it is left to
//! [`model/contexts`](crate::model::contexts), which is current to [`model/current`](crate::model::current).
#![expect(unsafe_code, reason = "exports driver functions")]
use std::ffi::{c_int, c_uint, c_void};

use crate::base::abi::{Code, Done, In, Out, ordinal};
use crate::cupti;
use crate::driver::gate::{self, driver};
use crate::model::current::{current, pop, push, set_current};
use crate::model::state::State;

fn create(place: Out<usize>, flags: c_uint, device: c_int) -> Done {
    gate::with(|state| {
        place.given()?;
        place.set(state.create_context(flags, device)?)
    })
}

/// Ends a context, or refuses to. `ending` refuses, or says which context ends, if any does; that is shown, and then `end` does it: what happened
/// meanwhile may have made it impossible.
fn end(ending: impl FnOnce(&State) -> Result<Option<usize>, Code>, end: impl FnOnce(&mut State) -> Done) -> Done {
    let mut context = None;
    gate::unless_captured(|state| {
        context = ending(state)?;
        Ok(())
    })?;
    cupti::context_ends(context);
    gate::unless_captured(end)
}

driver! {
    fn cuDevicePrimaryCtxRetain(place: Out<usize>, device: c_int) [386] {
        gate::unless_captured(|state| {
            let handle = state.device(device)?.primary;
            place.set(handle)?;
            let context = state.contexts.get_mut(&handle).ok_or(Code::INVALID_DEVICE)?;
            context.retained += 1;
            context.is_reset = false;
            Ok(())
        })
    }

    fn cuDevicePrimaryCtxRelease_v2(device: c_int) [544] {
        end(|state| state.ending_primary(device, false), |state| state.release_primary(device))
    }

    fn cuDevicePrimaryCtxReset_v2(device: c_int) [545] {
        end(|state| state.ending_primary(device, true), |state| state.reset_primary(device))
    }

    fn cuDevicePrimaryCtxGetState(device: c_int, flags: Out<c_uint>, active: Out<c_int>) {
        gate::with(|state| {
            let handle = state.device(device)?.primary;
            let context = state.contexts.get(&handle).ok_or(Code::INVALID_DEVICE)?;
            flags.set_if_given(context.flags);
            active.set(c_int::from(context.is_active()))
        })
    }

    fn cuDevicePrimaryCtxSetFlags_v2(device: c_int, flags: c_uint) {
        gate::with(|state| {
            let handle = state.device(device)?.primary;
            state.contexts.get_mut(&handle).ok_or(Code::INVALID_DEVICE)?.flags = flags;
            Ok(())
        })
    }

    fn cuCtxCreate_v2(place: Out<usize>, flags: c_uint, device: c_int) [235] {
        create(place, flags, device)
    }

    fn cuCtxCreate_v3(place: Out<usize>, _affinity: In<c_void>, _affinities: c_int, flags: c_uint, device: c_int) [645] {
        create(place, flags, device)
    }

    fn cuCtxCreate_v4(place: Out<usize>, _parameters: In<c_void>, flags: c_uint, device: c_int) [757] {
        create(place, flags, device)
    }

    fn cuCtxDestroy_v2(context: usize) [322] {
        let created = |state: &State| {
            let is_primary = state.context(context)?.is_primary;
            if is_primary { Err(Code::INVALID_CONTEXT) } else { Ok(Some(context)) }
        };
        end(created, |state| {
            created(state)?;
            state.empty_context(context);
            state.contexts.remove(&context);
            state.give_handle(context);
            if current() == context {
                pop()?;
            }
            Ok(())
        })
    }

    fn cuCtxGetCurrent(place: Out<usize>) {
        gate::with(|_state| place.set(current()))
    }

    fn cuCtxSetCurrent(context: usize) {
        gate::with(|state| {
            if context != 0 {
                state.context(context)?;
            }
            set_current(context);
            Ok(())
        })
    }

    fn cuCtxPushCurrent_v2(context: usize) {
        gate::with(|state| {
            state.context(context)?;
            push(context)
        })
    }

    fn cuCtxPopCurrent_v2(place: Out<usize>) {
        gate::with(|_state| {
            let context = pop()?;
            place.set_if_given(context);
            Ok(())
        })
    }

    fn cuCtxGetDevice(place: Out<c_int>) {
        gate::with(|state| {
            let (_context, device) = state.current()?;
            place.set(ordinal(device))
        })
    }

    fn cuCtxGetDevice_v2(place: Out<c_int>, context: usize) {
        gate::with(|state| {
            let device = if context == 0 { state.current()?.1 } else { state.context(context)?.device };
            place.set(ordinal(device))
        })
    }

    fn cuCtxGetId(context: usize, place: Out<u64>) {
        gate::with(|state| {
            let context = if context == 0 { state.current()?.0 } else { context };
            state.context(context)?;
            place.set(context as u64)
        })
    }

    fn cuCtxGetApiVersion(context: usize, version: Out<c_uint>) {
        gate::with(|state| {
            state.context(context)?;
            version.set(3020)
        })
    }

    fn cuCtxGetFlags(place: Out<c_uint>) {
        gate::with(|state| place.set(state.current_mut()?.flags))
    }

    fn cuCtxSetFlags(flags: c_uint) {
        gate::with(|state| {
            state.current_mut()?.flags = flags;
            Ok(())
        })
    }

    fn cuCtxGetLimit(place: Out<usize>, limit: c_uint) {
        gate::with(|state| {
            let limits = state.current_mut()?.limits;
            place.set(*limits.get(limit as usize).ok_or(Code::UNSUPPORTED_LIMIT)?)
        })
    }

    fn cuCtxSetLimit(limit: c_uint, value: usize) {
        gate::with(|state| {
            let limits = &mut state.current_mut()?.limits;
            *limits.get_mut(limit as usize).ok_or(Code::UNSUPPORTED_LIMIT)? = value;
            Ok(())
        })
    }

    fn cuCtxGetCacheConfig(place: Out<c_uint>) {
        gate::with(|state| place.set(state.current_mut()?.cache))
    }

    fn cuCtxSetCacheConfig(config: c_uint) {
        gate::with(|state| {
            state.current_mut()?.cache = config;
            Ok(())
        })
    }

    fn cuCtxGetStreamPriorityRange(least: Out<c_int>, greatest: Out<c_int>) {
        gate::with(|state| {
            state.current()?;
            least.set_if_given(0);
            greatest.set_if_given(-5);
            Ok(())
        })
    }

    fn cuCtxSynchronize() {
        gate::with(|state| {
            let (context, device) = state.current()?;
            state.refuse_captures_of(context)?;
            state.synchronized(device);
            Ok(())
        })
    }

    fn cuCtxSynchronize_v2(context: usize) {
        gate::with(|state| {
            let device = state.context(context)?.device;
            state.refuse_captures_of(context)?;
            state.synchronized(device);
            Ok(())
        })
    }

    fn cuCtxEnablePeerAccess(_peer: usize, _flags: c_uint) {
        Err(Code::PEER_ACCESS_UNSUPPORTED)
    }
}
