//! Contexts come and go. One that goes takes its memory, streams and events along.

use super::context::Context;
use super::current::push;
use super::state::State;
use crate::base::abi::{Code, Done};

impl State {
    /// The context of a handle that a caller gives, if it is alive.
    pub(crate) fn context(&self, handle: usize) -> Result<&Context, Code> {
        self.contexts.get(&handle).filter(|context| context.is_active()).ok_or(Code::INVALID_CONTEXT)
    }

    pub(crate) fn current_mut(&mut self) -> Result<&mut Context, Code> {
        let (current, _device) = self.current()?;
        self.contexts.get_mut(&current).ok_or(Code::INVALID_CONTEXT)
    }

    /// Frees all that a context owns. Physical memory of the virtual memory functions belongs to no context.
    pub(crate) fn empty_context(&mut self, context: usize) {
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

    pub(crate) fn release_primary(&mut self, device: i32, all: bool) -> Done {
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

    /// Makes a context of a device and makes it current; gives its handle.
    pub(crate) fn create_context(&mut self, flags: u32, device: i32) -> Result<usize, Code> {
        let device = self.index(device)?;
        let handle = self.handle();
        self.contexts.insert(handle, Context::created(device, flags));
        push(handle)?;
        Ok(handle)
    }

    /// The primary context of a device, if a release or a reset of it would end it.
    pub(crate) fn ending_primary(&self, device: i32, all: bool) -> Option<usize> {
        let handle = self.device(device).ok()?.primary;
        let retained = self.contexts.get(&handle)?.retained;
        (retained == 1 || all && retained > 0).then_some(handle)
    }
}
