//! Freeing, so that the books know whether the driver did.
//!
//! cudarc keeps what goes wrong in a drop in the context and says it at the next call. An error that waits there also
//! makes cudarc skip its waiting for readers and writers, so it is set aside until the free is done.

#![expect(unsafe_code, reason = "memory is given back to the driver")]

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError, result, sys, sys::CUresult};
use memprof_core::__allocator::{self, Released};
use memprof_core::Space;

use crate::{asking, driver, events, pools, reconcile, waiting};

/// Frees a slice as dropping it would. `null`: the free of a block of no bytes that goes with it, already recorded.
///
/// `adopted`: it did not allocate its memory itself, so that this may be plain where cudarc's own is a pool's.
pub(super) fn free_slice<T>(slice: CudaSlice<T>, space: Space, null: Option<Released>, adopted: bool) {
    let stream = Arc::clone(slice.stream());
    let context = stream.context();
    waiting::keeping(context, || {
        let bound = context.bind_to_thread();
        // Its stream waits for what reads and writes it.
        let address = slice.leak();
        // Before the driver gives the address out again.
        pools::freed(address);
        let _call = events::WrapperCall::begin();
        let released = if address == 0 { null } else { released(space, address) };
        // What the driver frees by the stream's order waits there; else nothing on the stream may use it any more.
        context.record_err(if context.has_async_alloc() { bound } else { stream.synchronize() });
        // SAFETY: `leak` has handed over the one right to free this address, on the stream that it came from.
        let freed = unsafe { give_back(&stream, address) };
        let is_a_pools = || context.has_async_alloc() && (!adopted || is_a_pools(address));
        settle(context, (space, address), released, freed.err(), is_a_pools);
        context.record_err(freed);
    });
    reconcile::freed(context, Some(&stream), Arc::strong_count(&stream) == 1 && Arc::strong_count(context) == 1);
}

/// Frees memory that was allocated on this stream just now, and that nothing has used.
pub(super) fn unused(stream: &CudaStream, address: u64) {
    // SAFETY: the caller has just allocated it, and gives it to nobody.
    stream.context().record_err(unsafe { give_back(stream, address) });
}

/// # Safety
///
/// - The address was allocated on this stream, and nobody else frees it.
/// - Nothing uses it, but for what is on the stream where the driver frees by its order.
unsafe fn give_back(stream: &CudaStream, address: u64) -> Result<(), DriverError> {
    if stream.context().has_async_alloc() {
        // SAFETY: the caller's promise.
        unsafe { result::free_async(address, stream.cu_stream()) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { result::free_sync(address) }
    }
}

/// Drops memory of a type that cudarc frees itself, and sees from the context whether that worked.
pub(super) fn drop_watched(context: &Arc<CudaContext>, space: Space, address: u64, drop: impl FnOnce()) {
    waiting::keeping(context, || {
        let _call = events::WrapperCall::begin();
        let released = released(space, address);
        drop();
        // Another thread may have left or taken an error of this context in between; cudarc has no better answer.
        let error = context.check_err().err();
        settle(context, (space, address), released, error, || false);
        if let Some(error) = error {
            context.record_err(Err::<(), _>(error));
        }
    });
    reconcile::freed(context, None, Arc::strong_count(context) == 1);
}

/// Records the free of a block. A null pointer is none: the driver gave no memory.
pub(super) fn released(space: Space, address: u64) -> Option<Released> {
    if address == 0 { None } else { events::released(space, address) }
}

/// What the driver said of a free that is recorded: it stands, unless the driver refused and the memory is still there.
/// Interception, which cannot ask, has taken back whatever was refused.
///
/// Memory of a pool (`is_a_pools`) outlives its context: "These memory allocations are not associated with any CUDA context and
/// need to be destroyed explicitly" (`cuda.h` 13.5:6762, `cuCtxDestroy`). It goes with the driver alone.
fn settle(
    context: &CudaContext,
    block: (Space, u64),
    released: Option<Released>,
    error: Option<DriverError>,
    is_a_pools: impl FnOnce() -> bool,
) {
    let Some(error) = error else { return };
    let gone =
        error.0 == CUresult::CUDA_ERROR_DEINITIALIZED || ((is_gone(error) || !is_alive(context)) && !is_a_pools());
    match released {
        Some(released) if !gone => released.restore(),
        // The block may be known from before interception began, so that no reset has shown that it went.
        None if gone && events::is_intercepted() => drop(__allocator::release(block.0, block.1)),
        _ => {}
    }
}

/// Whether a context still holds memory: destroyed or reset, it has released all of it. Taken for alive where the driver may not be
/// asked: the block stays on the books.
fn is_alive(context: &CudaContext) -> bool {
    // By the driver itself: cudarc would say an error that waits in the context in place of an answer, and that error is the program's.
    let ask = || waiting::make_current(context).and_then(|()| result::mem_get_info());
    let refused = asking::asked(ask)
        .is_ok_and(|said| said.is_err_and(|error| is_gone(error) || error.0 == CUresult::CUDA_ERROR_INVALID_CONTEXT));
    !refused
}

/// Whether the driver says that this address is of a pool. Not asked where all goes well, and taken for a pool's, which is still there,
/// where it may not be asked.
fn is_a_pools(address: u64) -> bool {
    if driver::require(&["cuPointerGetAttribute"]).is_err() {
        return false;
    }
    let mut pool: usize = 0;
    let attribute = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE;
    // SAFETY: room for the handle that this attribute is; an unknown address is refused.
    let ask = || unsafe { sys::cuPointerGetAttribute((&raw mut pool).cast(), attribute, address) }.result();
    asking::asked(ask).map_or(true, |said| said.is_ok() && pool != 0)
}

/// Whether the driver says that memory went with its context or with itself.
fn is_gone(error: DriverError) -> bool {
    matches!(error.0, CUresult::CUDA_ERROR_DEINITIALIZED | CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED)
}
