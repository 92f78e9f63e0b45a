//! Contexts come and go. One that goes takes its memory, streams and events along.
//!
//! What belongs to no context (pools' memory, physical memory) stays. Telling CUPTI's subscribers first is left to
//! [`driver/contexts`](crate::driver).

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

    /// Frees all that a context owns: "memory allocations by `cuMemAlloc()`, `cuMemAllocHost()`, `cuMemAllocManaged()` and `cuMemAllocPitch()`",
    /// arrays, modules, streams and events. "`cuCtxDestroy()` will not destroy memory allocations by `cuMemCreate()`, `cuMemAllocAsync()` and
    /// `cuMemAllocFromPoolAsync()`. These memory allocations are not associated with any CUDA context" (cuda.h 13.5:6745-6764); they have none
    /// here. The same goes for a reset (`cuda_runtime_api.h` 13.5:325, of `cudaDeviceReset`).
    pub(crate) fn empty_context(&mut self, context: usize) {
        let owned = self.blocks.iter().filter(|(_, block)| block.context == context);
        let owned: Vec<u64> = owned.map(|(&address, _)| address).collect();
        for address in owned {
            self.release(address);
        }
        let streams: Vec<usize> =
            self.streams.extract_if(.., |_, stream| stream.context == context).map(|(handle, _)| handle).collect();
        for stream in streams {
            self.stream_gone(stream);
        }
        let events: Vec<usize> =
            self.events.extract_if(.., |_, event| event.context == context).map(|(handle, _)| handle).collect();
        for event in events {
            self.give_handle(event);
        }
        self.kernels.forget(context);
        if let Some(&Context { device, .. }) = self.contexts.get(&context) {
            // Its end waits for all work on it, as a synchronisation does.
            self.synchronized(device);
        }
    }

    /// "The context is automatically reset once the last reference to it is released. [..] Releasing a primary context that has not been
    /// previously retained will fail with `CUDA_ERROR_INVALID_CONTEXT`" (cuda.h 13.5, `cuDevicePrimaryCtxRelease`).
    pub(crate) fn release_primary(&mut self, device: i32) -> Done {
        let handle = self.device(device)?.primary;
        let context = self.contexts.get_mut(&handle).ok_or(Code::INVALID_CONTEXT)?;
        context.retained = context.retained.checked_sub(1).ok_or(Code::INVALID_CONTEXT)?;
        if context.retained == 0 {
            context.is_reset = false;
            self.empty_context(handle);
        }
        Ok(())
    }

    /// "Resetting the primary context does not release it, an application that has retained the primary context should explicitly release
    /// its usage" (cuda.h 13.5, `cuDevicePrimaryCtxReset`): what it owns is gone, the count stays. That it is inactive until somebody retains
    /// it again is believed.
    pub(crate) fn reset_primary(&mut self, device: i32) -> Done {
        let handle = self.device(device)?.primary;
        let context = self.contexts.get_mut(&handle).ok_or(Code::INVALID_CONTEXT)?;
        context.is_reset = context.retained > 0;
        self.empty_context(handle);
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

    /// The primary context of a device, if a release (or, with `all`, a reset) of it would end it.
    ///
    /// # Errors
    ///
    /// Those of [`release_primary`](Self::release_primary) and [`reset_primary`](Self::reset_primary).
    pub(crate) fn ending_primary(&self, device: i32, all: bool) -> Result<Option<usize>, Code> {
        let handle = self.device(device)?.primary;
        let context = self.contexts.get(&handle).ok_or(Code::INVALID_CONTEXT)?;
        if !all && context.retained == 0 {
            return Err(Code::INVALID_CONTEXT);
        }
        Ok((context.is_active() && (all || context.retained == 1)).then_some(handle))
    }
}
