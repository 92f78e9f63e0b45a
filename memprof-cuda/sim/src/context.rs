//! Contexts: primary and created, current by thread. A context that goes takes its memory, streams and events along.
#![expect(unsafe_code, reason = "exports driver functions")]

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};

use crate::abi::{Code, Done, In, Out};
use crate::cupti;
use crate::gate::{self, driver};
use crate::state::{self, State, ordinal};

/// Contexts that a thread may push.
const DEPTH: usize = 16;

/// A context's limits at first: a thread's stack, the buffer of prints, the heap, in bytes.
const LIMITS: [usize; 16] = [1 << 10, 1 << 20, 8 << 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

thread_local! {
    /// The contexts that this thread has pushed, and how many; the last is current. Without a destructor: drivers are called late.
    static STACK: Cell<([usize; DEPTH], usize)> = const { Cell::new(([0; DEPTH], 0)) };
}

/// A context of a device.
pub(crate) struct Context {
    pub(crate) device: usize,
    is_primary: bool,
    /// Times retained and not released; 1 for a created one, 0 for a primary one that is not active.
    retained: u64,
    flags: c_uint,
    limits: [usize; 16],
    cache: c_uint,
}

impl Context {
    pub(crate) fn primary(device: usize) -> Self {
        Self { device, is_primary: true, retained: 0, flags: 0, limits: LIMITS, cache: 0 }
    }

    fn created(device: usize, flags: c_uint) -> Self {
        Self { is_primary: false, retained: 1, flags, ..Self::primary(device) }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.retained > 0
    }
}

/// The calling thread's context; 0 for none.
pub(crate) fn current() -> usize {
    let (stack, depth) = STACK.get();
    if depth == 0 { 0 } else { stack[depth - 1] }
}

fn set_current(context: usize) {
    let (mut stack, mut depth) = STACK.get();
    depth = depth.max(1);
    stack[depth - 1] = context;
    if context == 0 {
        depth -= 1;
    }
    STACK.set((stack, depth));
}

fn push(context: usize) -> Done {
    let (mut stack, depth) = STACK.get();
    *stack.get_mut(depth).ok_or(Code::INVALID_VALUE)? = context;
    STACK.set((stack, depth + 1));
    Ok(())
}

fn pop() -> Result<usize, Code> {
    let (stack, depth) = STACK.get();
    if depth == 0 {
        return Err(Code::INVALID_CONTEXT);
    }
    STACK.set((stack, depth - 1));
    Ok(stack[depth - 1])
}

impl State {
    /// The context of a handle that a caller gives, if it is alive.
    pub(crate) fn context(&self, handle: usize) -> Result<&Context, Code> {
        self.contexts.get(&handle).filter(|context| context.is_active()).ok_or(Code::INVALID_CONTEXT)
    }

    fn current_mut(&mut self) -> Result<&mut Context, Code> {
        let (current, _device) = self.current()?;
        self.contexts.get_mut(&current).ok_or(Code::INVALID_CONTEXT)
    }

    /// Frees all that a context owns. Physical memory of the virtual memory functions belongs to no context.
    fn empty_context(&mut self, context: usize) {
        let owned = self.blocks.iter().filter(|(_, block)| block.context == context);
        let owned: Vec<u64> = owned.map(|(&address, _)| address).collect();
        for address in owned {
            self.release(address);
        }
        self.streams.retain(|_, stream| stream.context != context);
        self.events.retain(|_, event| event.context != context);
        self.kernels.forget(context);
        let Some(&Context { device, is_primary: true, .. }) = self.contexts.get(&context) else { return };
        self.settle_pools(device, 0);
    }

    fn create_context(&mut self, place: Out<usize>, flags: c_uint, device: c_int) -> Done {
        place.given()?;
        let device = self.index(device)?;
        let handle = self.handle();
        self.contexts.insert(handle, Context::created(device, flags));
        push(handle)?;
        place.set(handle)
    }

    fn release_primary(&mut self, device: c_int, all: bool) -> Done {
        let handle = self.device(device)?.primary;
        let context = self.contexts.get_mut(&handle).ok_or(Code::INVALID_CONTEXT)?;
        if context.retained == 0 {
            return if all { Ok(()) } else { Err(Code::INVALID_CONTEXT) };
        }
        context.retained = if all { 0 } else { context.retained - 1 };
        if context.retained == 0 {
            self.empty_context(handle);
        }
        Ok(())
    }
}

/// The primary context of a device, if a release or a reset of it would end it.
fn ending_primary(device: c_int, all: bool) -> Option<usize> {
    let state = state::lock();
    let handle = state.device(device).ok()?.primary;
    let retained = state.contexts.get(&handle)?.retained;
    (retained == 1 || all && retained > 0).then_some(handle)
}

driver! {
    fn cuDevicePrimaryCtxRetain(place: Out<usize>, device: c_int) [386] {
        gate::with(|state| {
            let handle = state.device(device)?.primary;
            place.set(handle)?;
            let context = state.contexts.get_mut(&handle).ok_or(Code::INVALID_DEVICE)?;
            context.retained += 1;
            Ok(())
        })
    }

    fn cuDevicePrimaryCtxRelease_v2(device: c_int) [544] {
        cupti::context_ends(ending_primary(device, false));
        gate::with(|state| state.release_primary(device, false))
    }

    fn cuDevicePrimaryCtxReset_v2(device: c_int) [545] {
        cupti::context_ends(ending_primary(device, true));
        gate::with(|state| state.release_primary(device, true))
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
        gate::with(|state| state.create_context(place, flags, device))
    }

    fn cuCtxCreate_v3(place: Out<usize>, _affinity: In<c_void>, _affinities: c_int, flags: c_uint, device: c_int) [645] {
        gate::with(|state| state.create_context(place, flags, device))
    }

    fn cuCtxCreate_v4(place: Out<usize>, _parameters: In<c_void>, flags: c_uint, device: c_int) [757] {
        gate::with(|state| state.create_context(place, flags, device))
    }

    fn cuCtxDestroy_v2(context: usize) [322] {
        let ends = state::lock().context(context).is_ok_and(|context| !context.is_primary);
        cupti::context_ends(ends.then_some(context));
        gate::with(|state| {
            if state.context(context)?.is_primary {
                return Err(Code::INVALID_CONTEXT);
            }
            state.empty_context(context);
            state.contexts.remove(&context);
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
            let (_context, device) = state.current()?;
            state.synchronized(device);
            Ok(())
        })
    }

    fn cuCtxSynchronize_v2(context: usize) {
        gate::with(|state| {
            let device = state.context(context)?.device;
            state.synchronized(device);
            Ok(())
        })
    }

    fn cuCtxEnablePeerAccess(_peer: usize, _flags: c_uint) {
        Err(Code::PEER_ACCESS_UNSUPPORTED)
    }
}
