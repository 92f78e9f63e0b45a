//! Contexts that cannot be had, and what a snapshot says of a device.

#![expect(unsafe_code, reason = "pools of the driver")]

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{Outcome, Turn, scope, stream};
use cudarc::driver::{CudaContext, DevicePtr as _, DriverError, result, sys::CUresult};
use memprof_core::{Device, Space};
use memprof_cuda::{Error, TrackedExt as _, TrackedStream};
use memprof_cuda_sim::Sim;

const MEBIBYTE: u32 = 1 << 20;

fn device() -> Result<Device, String> {
    let devices = memprof_core::snapshot().devices().to_vec();
    devices.into_iter().find(|device| device.space == "cuda:0").ok_or_else(|| "cuda:0 is not reported".into())
}

#[test]
fn a_device_that_is_not_there_is_an_error_that_says_which_there_are() -> Outcome {
    let _turn = Turn::begin()?;
    let count = usize::try_from(CudaContext::device_count()?)?;
    for ordinal in [count, 1 << 32, usize::MAX] {
        let error = memprof_cuda::context(ordinal).map(drop).err().ok_or("a device too many")?;
        assert_eq!(error.to_string(), format!("no CUDA device {ordinal}: there are {count}, counted from 0"));
        assert!(!error.is_no_driver());
    }
    Ok(())
}

#[test]
fn a_driver_that_does_not_start_says_why() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    sim.fail_next("cuInit", CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH as u32, 1);
    let error = memprof_cuda::context(0).map(drop).err().ok_or("started")?;
    assert_eq!(error.to_string(), "cannot start the CUDA driver (cuInit): CUDA_ERROR_SYSTEM_DRIVER_MISMATCH");
    sim.fail_next("cuInit", CUresult::CUDA_ERROR_NO_DEVICE as u32, 1);
    let error = memprof_cuda::context(0).map(drop).err().ok_or("started")?;
    assert_eq!(error.to_string(), "no CUDA device 0: there are 0, counted from 0");
    sim.fail_next("cuDevicePrimaryCtxRetain", CUresult::CUDA_ERROR_OUT_OF_MEMORY as u32, 1);
    let error = memprof_cuda::context(0).map(drop).err().ok_or("retained")?;
    assert!(error.is_out_of_memory(), "{error}");
    memprof_cuda::context(0)?;
    Ok(())
}

#[test]
fn what_a_device_holds_is_attributed_or_in_reserve_or_unattributed() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    sim.set_memory_limit(64 * u64::from(MEBIBYTE));
    sim.set_context_bytes(3 * u64::from(MEBIBYTE));
    let stream = stream()?;
    let _mine = stream.alloc_zeros::<u8>(MEBIBYTE as usize)?;
    let theirs = stream.context().default_stream().alloc_zeros::<u8>(MEBIBYTE as usize / 2)?;
    let said = device()?;
    assert_eq!((said.total, said.last_known), (64 * u64::from(MEBIBYTE), false));
    assert_eq!(said.attributed, i64::from(MEBIBYTE));
    assert_eq!((said.pool_reserved, said.pool_used), (2 * u64::from(MEBIBYTE), u64::from(MEBIBYTE + MEBIBYTE / 2)));
    assert_eq!(said.used, 5 * u64::from(MEBIBYTE));
    // The context's three, and the half that was allocated past memprof.
    assert_eq!(said.unattributed, i64::from(3 * MEBIBYTE + MEBIBYTE / 2));
    drop(theirs);
    assert_eq!(device()?.unattributed, 3 * i64::from(MEBIBYTE));
    let high = device()?.pool_used_high;
    let _more = stream.alloc_zeros::<u8>(usize::try_from(high)?)?;
    assert_eq!(device()?.pool_used_high, high + u64::from(MEBIBYTE));
    sim.set_context_bytes(0);
    Ok(())
}

#[test]
fn a_device_whose_contexts_are_gone_says_the_last_known_values() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = stream()?;
    let context = Arc::downgrade(stream.context());
    let slice = stream.alloc_zeros::<u8>(5 * MEBIBYTE as usize)?;
    let known = device()?;
    assert!(!known.last_known);
    drop(slice);
    // The last stream ends, so the device is asked once more, and then its context is gone.
    drop(stream);
    assert_eq!(context.strong_count(), 0, "no context is kept alive");
    let calls = sim.calls("cuMemGetInfo_v2");
    let last = device()?;
    assert_eq!((last.last_known, last.silence.as_str()), (true, "no context is left on the device"));
    assert_eq!(sim.calls("cuMemGetInfo_v2"), calls, "nobody was asked");
    assert_eq!((last.attributed, last.total, last.pool_used), (0, known.total, 0));
    assert_eq!(last.pool_used_high, known.pool_used_high);
    Ok(())
}

#[test]
fn a_driver_that_is_gone_leaves_the_last_known_values() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let _stream = stream()?;
    let known = device()?;
    sim.fail_next("cuMemGetInfo_v2", CUresult::CUDA_ERROR_DEINITIALIZED as u32, 1);
    let last = device()?;
    assert_eq!((last.last_known, last.silence.as_str()), (true, "the driver is gone"));
    assert_eq!((known.last_known, known.silence.as_str()), (false, ""));
    assert_eq!((last.used, last.total), (known.used, known.total));
    sim.fail_next("cuMemGetInfo_v2", CUresult::CUDA_ERROR_ILLEGAL_ADDRESS as u32, 1);
    assert_eq!(device()?.silence, "the driver said CUDA_ERROR_ILLEGAL_ADDRESS");
    assert!(!device()?.last_known);
    Ok(())
}

/// The report's line of the first device.
fn line() -> Result<String, String> {
    let report = memprof_core::snapshot().to_string();
    let line = report.lines().find(|line| line.starts_with("cuda:0: device uses"));
    line.map(str::to_owned).ok_or(report)
}

/// From now on, the driver is gone for whoever asks it.
fn silence(sim: Sim) {
    sim.fail_next("cuMemGetInfo_v2", CUresult::CUDA_ERROR_DEINITIALIZED as u32, u64::MAX);
}

#[test]
fn what_is_attributed_or_freed_after_the_driver_was_asked_last_changes_nothing_of_what_was_unattributed() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    sim.set_context_bytes(u64::from(MEBIBYTE));
    let stream = stream()?;
    stream.synchronize()?;
    let block = stream.alloc_zeros::<u8>(MEBIBYTE as usize)?;
    let known = device()?;
    assert_eq!((known.used, known.unattributed), (u64::from(3 * MEBIBYTE), i64::from(MEBIBYTE)));
    silence(sim);
    let later = scope("later", || stream.alloc_zeros::<u8>(40 * MEBIBYTE as usize))?;
    let said = device()?;
    assert_eq!((said.attributed, said.last_known), (i64::from(41 * MEBIBYTE), true));
    assert_eq!((said.used, said.unattributed), (known.used, known.unattributed));
    let start = "cuda:0: device uses 3,145,728 of 268,435,456 bytes: attributed 42,991,616, pool reserve 1,048,576, \
                 unattributed 1,048,576; pool holds ";
    let end = "; the driver is gone: last known values, from when attributed was 1,048,576";
    assert!(line()?.starts_with(start) && line()?.ends_with(end), "{}", line()?);
    drop((block, later));
    let said = device()?;
    assert_eq!((said.attributed, said.used, said.unattributed), (0, known.used, known.unattributed));
    assert!(line()?.ends_with(end), "{}", line()?);
    sim.set_context_bytes(0);
    Ok(())
}

#[test]
fn tracked_allocations_have_the_driver_asked_now_and_then() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = stream()?;
    let _block = stream.alloc_zeros::<u8>(5 * MEBIBYTE as usize)?;
    let (calls, begun) = (sim.calls("cuMemGetInfo_v2"), Instant::now());
    while sim.calls("cuMemGetInfo_v2") == calls {
        drop(stream.null::<u8>()?);
        assert!(begun.elapsed() < Duration::from_secs(50), "nobody asks");
    }
    silence(sim);
    let said = device()?;
    assert_eq!((said.last_known, said.pool_used), (true, u64::from(5 * MEBIBYTE)));
    assert_eq!((said.attributed, said.unattributed), (i64::from(5 * MEBIBYTE), 0));
    Ok(())
}

#[test]
fn an_error_waits_on_in_the_context_where_a_free_has_the_driver_asked() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = stream()?;
    let waiting = Err(DriverError(CUresult::CUDA_ERROR_LAUNCH_FAILED));
    let begun = Instant::now();
    loop {
        let block = stream.null::<u8>()?;
        let calls = sim.calls("cuMemGetInfo_v2");
        stream.context().record_err(waiting);
        drop(block);
        assert_eq!(stream.context().check_err(), waiting);
        if sim.calls("cuMemGetInfo_v2") > calls {
            return Ok(());
        }
        assert!(begun.elapsed() < Duration::from_secs(50), "nobody asks");
    }
}

#[test]
fn what_holds_a_context_last_has_the_driver_asked_before_it_goes() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let last = |kind: &str, make: &dyn Fn(TrackedStream) -> Result<Box<dyn Any>, Error>| {
        let stream = stream()?;
        let context = Arc::downgrade(stream.context());
        let held = make(stream)?;
        let calls = sim.calls("cuMemGetInfo_v2");
        drop(held);
        assert_eq!((context.strong_count(), sim.calls("cuMemGetInfo_v2") - calls), (0, 1), "{kind}");
        let said = device()?;
        assert_eq!((said.last_known, said.pool_used, said.attributed, said.unattributed), (true, 0, 0, 0), "{kind}");
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    last("slice", &|stream| Ok(Box::new(stream.alloc_zeros::<u8>(10)?)))?;
    // SAFETY: nobody reads it.
    last("pinned", &|stream| Ok(Box::new(unsafe { stream.pinned::<u8>(10) }?)))?;
    // SAFETY: nobody reads it.
    last("managed", &|stream| Ok(Box::new(unsafe { stream.managed::<u8>(10, true) }?)))?;
    // SAFETY: nobody reads it.
    last("mapping", &|stream| Ok(Box::new(unsafe { stream.map::<u8>(10) }?)))?;
    last("context", &|stream| Ok(Box::new(stream.context().tracked())))?;
    last("stream", &|stream| Ok(Box::new(stream)))
}

#[test]
fn the_end_of_interception_has_the_driver_asked() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let guard = memprof_cuda::intercept_with(sim.path())?;
    let stream = CudaContext::new(0)?.default_stream();
    let block = stream.alloc_zeros::<u8>(5 * MEBIBYTE as usize)?;
    let address = block.device_ptr(&stream).0;
    let calls = sim.calls("cuMemGetInfo_v2");
    drop(guard);
    assert_eq!(sim.calls("cuMemGetInfo_v2") - calls, 1);
    drop((block, stream));
    let said = device()?;
    assert_eq!((said.last_known, said.silence.as_str()), (true, "no context is left on the device"));
    assert_eq!((said.pool_used, said.unattributed), (u64::from(5 * MEBIBYTE), 0));
    // Nobody saw it go.
    memprof_core::record_free(Space::device(0), address);
    Ok(())
}

#[test]
fn a_snapshot_leaves_the_threads_context_and_its_waiting_errors_as_they_were() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = stream()?;
    let error = Err(DriverError(CUresult::CUDA_ERROR_LAUNCH_FAILED));
    stream.context().record_err(error);
    std::thread::spawn(move || {
        assert_eq!(result::ctx::get_current(), Ok(None));
        assert!(!device()?.last_known);
        assert_eq!(result::ctx::get_current(), Ok(None));
        assert_eq!(stream.context().check_err(), error);
        stream.context().bind_to_thread().map_err(|error| error.to_string())?;
        assert!(!device()?.last_known);
        assert_eq!(result::ctx::get_current(), Ok(Some(stream.context().cu_ctx())));
        Ok::<(), String>(())
    })
    .join()
    .map_err(|_| "the thread panicked")??;
    Ok(())
}

#[test]
fn a_context_that_was_not_made_here_is_reported_once_it_is_tracked() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = CudaContext::new(0)?.default_stream().tracked();
    let _slice = stream.alloc_zeros::<u8>(10)?;
    let said = device()?;
    assert_eq!((said.attributed, said.last_known), (10, false));
    Ok(())
}

#[test]
fn what_other_pools_hold_is_known_while_they_are_current_or_a_tracked_slice_is_alive() -> Outcome {
    const CHUNK: u64 = 2 << 20;
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = stream()?;
    stream.synchronize()?;
    let reserve = || device().map(|device| (device.pool_reserved, device.pool_used, device.unattributed));
    let pool = crate::support::pool(0)?;
    // SAFETY: the pool is there until the end; nobody reads the memory.
    let [one, two] =
        [unsafe { stream.alloc_from_pool::<u8>(pool, 100) }?, unsafe { stream.alloc_from_pool::<u8>(pool, 20) }?];
    assert_eq!(reserve()?, (CHUNK, 120, 0));
    drop(one);
    assert_eq!(reserve()?, (CHUNK, 20, 0));
    let leaked = two.leak();
    assert_eq!(reserve()?, (0, 0, CHUNK.cast_signed() - 20), "nobody says that the pool is there");
    // SAFETY: a device and its pool.
    unsafe { result::device::set_mem_pool(stream.context().cu_device(), pool) }?;
    assert_eq!(reserve()?, (CHUNK, 20, 0), "it is the device's current one");
    // SAFETY: leaked just now.
    drop(unsafe { stream.upgrade_device_ptr::<u8>(leaked, 20) });
    let slice = stream.alloc_zeros::<u8>(7)?;
    assert_eq!(reserve()?, (CHUNK, 7, 0));
    drop(slice);
    // SAFETY: made above, and empty.
    unsafe { result::mem_pool::destroy(pool) }?;
    assert_eq!(reserve()?, (0, 0, 0));
    assert_eq!(sim.live().devices[0].blocks, 0);
    Ok(())
}
