//! What every call of the driver for memory has around it.
//!
//! The rules of zero bytes and null pointers are kept here once for the driver's four resources. The context is current
//! for the call, and an error that waits in it, the program's, is neither taken nor given. Nothing is recorded but that
//! what interception recorded of a block is taken off with it; the rest is left to [`Tracked`](super::Tracked) and
//! interception.

#![expect(unsafe_code, reason = "calls of the CUDA driver")]

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaContext, CudaStream};
use memprof_core::Space;

use crate::error::Error;
use crate::events::{self, WrapperCall};
use crate::intercept::{self, Freed};

/// Makes the context current on this thread. Unlike `CudaContext::bind_to_thread` it leaves alone the error that
/// cudarc keeps for its own next call.
fn bind(context: &CudaContext) -> Result<(), DriverError> {
    if result::ctx::get_current()? == Some(context.cu_ctx()) {
        return Ok(());
    }
    // SAFETY: a context that cudarc holds open.
    unsafe { result::ctx::set_current(context.cu_ctx()) }
}

/// Allocates by `call`, in the stream's context; 0 bytes are a null pointer without a call.
pub(super) fn allocate(
    bytes: usize,
    space: Space,
    stream: &CudaStream,
    call: impl FnOnce() -> Result<CUdeviceptr, DriverError>,
) -> Result<CUdeviceptr, Error> {
    if bytes == 0 {
        return Ok(0);
    }
    let allocated = bind(stream.context()).and_then(|()| call());
    events::tells_of_free();
    allocated.map_err(|error| Error::call(format!("allocate {bytes} bytes of {space}"), error))
}

/// Frees by `call`, in the stream's context; a null pointer is no block. What interception recorded of the block goes with
/// it, also after interception has ended.
pub(super) fn deallocate(
    pointer: CUdeviceptr,
    bytes: usize,
    space: Space,
    stream: &CudaStream,
    call: impl FnOnce() -> Result<(), DriverError>,
) -> Result<(), Error> {
    if pointer == 0 {
        return if bytes == 0 {
            Ok(())
        } else {
            Err(Error::invalid(format!("cannot free {bytes} bytes of {space} at a null pointer")))
        };
    }
    let _call = WrapperCall::begin();
    let released = intercept::released_unseen(pointer);
    bind(stream.context()).and_then(|()| call()).map_err(|error| {
        released.into_iter().for_each(Freed::restore);
        Error::call(format!("free {bytes} bytes of {space} at {pointer:#x}"), error)
    })
}

/// Waits for what is queued on the stream. What goes wrong with that is said by the call that follows.
pub(super) fn finish(stream: &CudaStream) {
    // SAFETY: a stream that cudarc holds open.
    let _ = unsafe { result::stream::synchronize(stream.cu_stream()) };
}
