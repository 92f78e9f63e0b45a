//! Memory that went with its context, or that a reset released: off the books when its owner is dropped.

#![expect(unsafe_code, reason = "cudarc's allocations of unset memory")]

use crate::failures::{calls, free_leftover};
use crate::support::{DEVICE, Outcome, Turn, live};
use cudarc::driver::{DriverError, result, sys, sys::CUresult};
use memprof_core::Space;

#[test]
fn memory_that_went_with_its_context_is_off_the_books_after_the_drop() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    let slice = stream.alloc_zeros::<u8>(10)?;
    sim.fail_next(calls(&stream).1, CUresult::CUDA_ERROR_DEINITIALIZED as u32, 1);
    drop(slice);
    assert_eq!(live(DEVICE), (0, 0));
    assert_eq!(stream.context().check_err(), Err(DriverError(CUresult::CUDA_ERROR_DEINITIALIZED)));
    // The simulator, which went nowhere, still has it.
    free_leftover(&stream, sim)
}

#[test]
fn what_a_reset_of_its_context_released_is_off_the_books_after_the_drop() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    for pools in [true, false] {
        sim.use_pools(pools);
        let stream = crate::support::stream()?;
        let slice = stream.alloc_zeros::<u8>(10)?;
        // SAFETY: nobody reads it.
        let pinned = unsafe { stream.pinned::<u8>(7) }?;
        // SAFETY: nobody reads it.
        let managed = unsafe { stream.managed::<u8>(7, true) }?;
        // SAFETY: the device of a context; what it owns is not used any more.
        unsafe { sys::cuDevicePrimaryCtxReset_v2(stream.context().cu_device()) }.result()?;
        let kept = u64::from(pools);
        assert_eq!((live(DEVICE), sim.live().devices[0].blocks), ((10, 1), kept), "tracked blocks stay until the drop");
        drop((slice, pinned, managed));
        assert_eq!((live(Space::PINNED), live(Space::MANAGED)), ((0, 0), (0, 0)));
        // A pool's block belongs to no context: its free was refused, and it is there.
        let kept = i64::from(pools);
        assert_eq!(live(DEVICE), (10 * kept, kept));
        drop(stream);
        free_leftover(&crate::support::stream()?, sim)?;
        assert_eq!((live(DEVICE), sim.live().devices[0].blocks), ((0, 0), 0));
    }
    Ok(())
}

#[test]
fn plain_memory_that_a_slice_adopted_goes_with_its_context_and_a_pools_does_not() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    // SAFETY: the slice below frees it.
    let plain = unsafe { result::malloc_sync(10) }?;
    // SAFETY: the slice below frees it.
    let pooled = unsafe { result::malloc_async(stream.cu_stream(), 20) }?;
    // SAFETY: allocated above, and freed by nobody else.
    let plain = unsafe { stream.upgrade_device_ptr::<u8>(plain, 10) };
    // SAFETY: allocated above, and freed by nobody else.
    let pooled = unsafe { stream.upgrade_device_ptr::<u8>(pooled, 20) };
    let held = (plain, pooled);
    assert_eq!(live(DEVICE), (30, 2));
    // SAFETY: the device of a context; what it owns is not used any more.
    unsafe { sys::cuDevicePrimaryCtxReset_v2(stream.context().cu_device()) }.result()?;
    drop(held);
    assert_eq!(live(DEVICE), (20, 1));
    drop(stream);
    free_leftover(&crate::support::stream()?, sim)?;
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}
