//! Errors that wait in a context for the program wait on, whatever memprof does meanwhile; and 0 pinned bytes count as one block, or none.
#![expect(unsafe_code, reason = "device memory")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaStream, DriverError};
use memprof_core::Space;
use memprof_cuda::resource::{CudaMemory, DeviceBuffer, DeviceMemory};
use memprof_cuda::{Action, Error, TrackedExt as _, TrackedSlice, TrackedStream, on_out_of_memory};

use crate::ground::{self, Tried, alone, live, totals};

const FAILED: CUresult = CUresult::CUDA_ERROR_LAUNCH_FAILED;
const WAITS: Result<(), DriverError> = Err(DriverError(FAILED));
const DEVICE: fn() -> Space = || Space::device(0);

/// What an allocation of this name of a tracked stream came to.
fn allocated(stream: &TrackedStream, how: &str) -> Result<(), Error> {
    match how {
        // SAFETY: nobody reads it.
        "alloc" => unsafe { stream.alloc::<u8>(1000) }.map(drop),
        // SAFETY: nobody reads it.
        "pinned" => unsafe { stream.pinned::<u8>(1000) }.map(drop),
        // SAFETY: nobody reads it.
        "managed" => unsafe { stream.managed::<u8>(1000, true) }.map(drop),
        // SAFETY: nobody reads it.
        "map" => unsafe { stream.map::<u8>(1000) }.map(drop),
        _ => {
            let pool = ground::pool(0).unwrap_or(std::ptr::null_mut());
            // SAFETY: made above, and not destroyed before the slice is dropped.
            let slice = unsafe { stream.alloc_from_pool::<u8>(pool, 1000) }.map(drop);
            // SAFETY: as above.
            let _destroyed = unsafe { cudarc::driver::sys::cuMemPoolDestroy(pool) };
            slice
        }
    }
}

#[test]
fn a_free_that_fails_while_memory_is_made_stops_no_second_attempt_and_is_said_afterwards() -> Tried {
    const CALLS: [(&str, &str); 5] = [
        ("alloc", "cuMemAllocAsync"),
        ("pool", "cuMemAllocFromPoolAsync"),
        ("pinned", "cuMemHostAlloc"),
        ("managed", "cuMemAllocManaged"),
        ("map", "cuMemCreate"),
    ];
    for (how, call) in CALLS {
        let (_alone, sim) = alone()?;
        let context = memprof_cuda::context(0)?;
        let stream = context.default_stream().tracked();
        let cache: Arc<Mutex<Option<TrackedSlice<u8>>>> = Arc::new(Mutex::new(Some(stream.alloc_zeros(10)?)));
        let emptied = Arc::clone(&cache);
        on_out_of_memory(move |_| {
            let cached = emptied.lock().unwrap_or_else(PoisonError::into_inner).take();
            if cached.is_none() {
                return Action::GiveUp;
            }
            sim.fail_next("cuMemFreeAsync", FAILED as u32, 1);
            drop(cached);
            Action::Retry
        });
        sim.fail_next(call, CUresult::CUDA_ERROR_OUT_OF_MEMORY as u32, 1);
        let outcome = allocated(&stream, how).map_err(|error| error.to_string());
        assert_eq!((outcome, context.check_err()), (Ok(()), WAITS), "{how}");
        on_out_of_memory(|_| Action::GiveUp);
        assert_eq!(live(DEVICE()), (10, 1), "{how}: the free was refused");
        for block in sim.blocks() {
            // SAFETY: its free was refused.
            drop(unsafe { stream.upgrade_device_ptr::<u8>(block.address, 10) });
        }
        assert_eq!(live(DEVICE()), (0, 0), "{how}");
    }
    Ok(())
}

/// Leaves an error in the context while it allocates, as another thread may.
struct Leaves;

impl DeviceMemory for Leaves {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<u64, Error> {
        let allocated = CudaMemory.allocate(bytes, stream);
        stream.context().record_err(WAITS);
        allocated
    }

    unsafe fn deallocate(&self, pointer: u64, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        // SAFETY: the caller's promises.
        unsafe { CudaMemory.deallocate(pointer, bytes, stream) }
    }
}

#[test]
fn a_buffer_and_a_slice_that_is_taken_up_leave_an_error_that_waits_where_it_is() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = memprof_cuda::context(0)?.default_stream();
    // SAFETY: nobody reads it.
    let buffer = unsafe { DeviceBuffer::<u8, _>::uninit(Leaves, 1000, &stream) };
    assert_eq!(buffer.map(drop).map_err(|error| error.to_string()), Ok(()));
    assert_eq!(stream.context().check_err(), WAITS);
    let address = ground::allocate(10)?;
    stream.context().record_err(WAITS);
    // SAFETY: allocated above.
    let slice = unsafe { stream.tracked().upgrade_device_ptr::<u8>(address, 10) };
    assert_eq!(stream.context().check_err(), WAITS);
    drop(slice);
    assert_eq!((live(DEVICE()), sim.live().devices[0].blocks), ((0, 0), 0));
    Ok(())
}

/// Errors that another thread leaves at any moment: each allocation succeeds, or says that very error. cudarc panics within at some of them,
/// so panics' messages stand in this test's output.
#[test]
fn errors_of_another_thread_are_said_as_they_are() -> Tried {
    let (_alone, _sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let stream = context.default_stream().tracked();
    let is_over = AtomicBool::new(false);
    let said = thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                context.record_err(WAITS);
            }
        });
        let mut said = Vec::new();
        for _ in 0..500 {
            // SAFETY: nobody reads it.
            let outcome = unsafe { stream.alloc::<u8>(10) };
            said.push(outcome.map(drop).map_err(|error| error.code()));
        }
        is_over.store(true, Ordering::Relaxed);
        said
    });
    let other = said.iter().find(|outcome| !matches!(outcome, Ok(()) | Err(Some(FAILED))));
    assert_eq!(other, None);
    let _left = context.check_err();
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn no_pinned_bytes_are_refused_or_one_block_intercepted_or_not() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = memprof_cuda::context(0)?.default_stream().tracked();
    for intercepted in [false, true] {
        let guard = intercepted.then(memprof_cuda::intercept).transpose()?;
        for (what, blocks) in [("refused", 0), ("null", 0), ("block", 1)] {
            sim.no_pinned_bytes_are_null(what == "null");
            if what == "block" {
                sim.no_pinned_bytes_are_a_block(true);
            }
            let before = totals(Space::PINNED);
            // SAFETY: there is nothing to read.
            let nothing = unsafe { stream.pinned::<u8>(0) };
            let after = totals(Space::PINNED);
            let (refused, about) = (nothing.is_err(), format!("{what}, intercepted: {intercepted}"));
            assert_eq!(refused, blocks == 0, "{about}");
            assert_eq!(after.blocks_total - before.blocks_total, blocks, "{about}");
            assert_eq!(after.failed - before.failed, u64::from(refused), "{about}");
            if let Err(error) = &nothing {
                assert_eq!(error.code(), Some(CUresult::CUDA_ERROR_INVALID_VALUE), "{about}");
            }
            drop(nothing);
            assert_eq!(live(Space::PINNED), (0, 0), "{about}");
            assert_eq!(totals(Space::PINNED).unknown_frees, before.unknown_frees, "{about}");
        }
        drop(guard);
    }
    Ok(())
}
