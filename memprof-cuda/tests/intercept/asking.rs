//! When memprof asks the driver, and when it does not: on a thread that captures a stream, in a process that was forked.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call, and a fork")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode, CUstreamCaptureStatus};
use cudarc::driver::{CudaContext, CudaStream, DriverError, result};
use memprof_core::Space;
use memprof_cuda::{TrackedExt as _, TrackedStream};
use memprof_cuda_sim::Sim;

use crate::ground::{Tried, alone, live};

const GLOBAL: CUstreamCaptureMode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL;
const THREAD_LOCAL: CUstreamCaptureMode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
/// A capture that prohibits nothing, so that a program may do all that it likes beside it.
const RELAXED: CUstreamCaptureMode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
const NO_FLAGS: CUgraphInstantiate_flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
const SILENCE: &str = "the driver is not asked on a thread that captures a stream into a graph";

/// How often memprof has asked something: a program of these tests never calls these functions.
fn asked(sim: Sim) -> u64 {
    let questions = [
        "cuMemGetInfo_v2",
        "cuMemPoolGetAttribute",
        "cuDeviceGetDefaultMemPool",
        "cuDeviceGetCount",
        "cuDevicePrimaryCtxGetState",
        "cuCtxPushCurrent_v2",
        "cuPointerGetAttribute",
    ];
    questions.into_iter().map(|function| sim.calls(function)).sum()
}

/// The captures of these tests, in all the ways in which memprof may know of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// A tracked stream begins it.
    Tracked,
    /// cudarc's own stream does, under interception.
    Seen,
    /// A tracked stream has begun it before interception.
    Before,
}

/// Whether the last known values of every device are said, because this thread captures.
fn is_silent() -> bool {
    let snapshot = memprof_core::snapshot();
    !snapshot.devices().is_empty()
        && snapshot.devices().iter().all(|device| device.last_known && device.silence == SILENCE)
}

/// Whether the first device's driver answers: others may be watched that no context is left on.
fn answers() -> bool {
    memprof_core::snapshot().devices().iter().any(|device| device.space == "cuda:0" && !device.last_known)
}

fn is_active(stream: &CudaStream) -> Tried<bool> {
    Ok(stream.capture_status()? == CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE)
}

/// All that may have memprof ask, on this thread; longer than the pause between two questions.
fn all_events(beside: &TrackedStream, other: &Arc<CudaContext>) -> Tried {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(40) {
        drop(beside.alloc_zeros::<u8>(10)?);
        // SAFETY: nobody reads it.
        drop(unsafe { beside.pinned::<u8>(10) }?);
        // SAFETY: nobody reads it.
        drop(unsafe { beside.managed::<u8>(10, true) }?);
        // SAFETY: nobody reads it.
        drop(unsafe { beside.map::<u8>(10) }?);
        // The last tracked stream of a device ends.
        drop(other.default_stream().tracked());
    }
    Ok(())
}

#[test]
fn nothing_is_asked_on_a_thread_that_captures() -> Tried {
    for told in [Told::Tracked, Told::Seen, Told::Before] {
        let (_alone, sim) = alone()?;
        let (context, other) = (memprof_cuda::context(0)?, memprof_cuda::context(1)?);
        let beside = context.new_stream()?.tracked();
        let (plain, tracked) = (context.new_stream()?, context.new_stream()?.tracked());
        let early = (told == Told::Seen).then(memprof_cuda::intercept).transpose()?;
        let captured: &Arc<CudaStream> = if told == Told::Seen { &plain } else { &tracked };
        if told == Told::Seen {
            plain.begin_capture(RELAXED)?;
        } else {
            tracked.begin_capture(RELAXED)?;
        }
        let guard = if told == Told::Before { Some(memprof_cuda::intercept()?) } else { early };
        let before = asked(sim);
        all_events(&beside, &other)?;
        assert!(is_silent(), "{told:?}");
        sim.set_memory_limit(1);
        let refused = beside.alloc_zeros::<u8>(100 << 20).err().ok_or("there is no such memory")?;
        assert!(refused.is_out_of_memory(), "{told:?}: {refused}");
        sim.set_memory_limit(256 << 20);
        assert_eq!((asked(sim), is_active(captured)?), (before, true), "{told:?}");
        let elsewhere = thread::spawn(answers).join().ok();
        assert_eq!((elsewhere, is_active(captured)?), (Some(true), true), "{told:?}: another thread asks");
        captured.end_capture(NO_FLAGS)?.ok_or("no graph")?;
        assert!(answers(), "{told:?}: it is over");
        drop(guard);
    }
    Ok(())
}

#[test]
fn a_capture_that_interception_no_longer_sees_is_asked_about() -> Tried {
    let (_alone, _sim) = alone()?;
    let stream = memprof_cuda::context(0)?.new_stream()?.tracked();
    let guard = memprof_cuda::intercept()?;
    stream.begin_capture(RELAXED)?;
    drop(guard);
    assert!(is_silent());
    // By cudarc's own, of which nobody tells.
    CudaStream::end_capture(&stream, NO_FLAGS)?.ok_or("no graph")?;
    assert!(answers());
    // Begun before interception, and over by then.
    stream.begin_capture(RELAXED)?;
    CudaStream::end_capture(&stream, NO_FLAGS)?.ok_or("no graph")?;
    let _guard = memprof_cuda::intercept()?;
    let slice = stream.alloc_zeros::<u8>(1000)?;
    assert_eq!(live(Space::device(0)), (1000, 1), "no graph's");
    drop(slice);
    Ok(())
}

/// A refused free is followed by questions: whether the context is alive, and whose the address is.
#[test]
fn what_a_refused_free_asks_disturbs_no_capture() -> Tried {
    const DESTROYED: u32 = CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED as u32;
    for mode in [GLOBAL, THREAD_LOCAL] {
        let (_alone, sim) = alone()?;
        let context = memprof_cuda::context(0)?;
        let (stream, captured) = (context.default_stream().tracked(), context.new_stream()?);
        // SAFETY: the slice frees it; nobody reads it.
        let address = unsafe { result::malloc_async(stream.cu_stream(), 10) }?;
        // SAFETY: allocated above, for nobody else.
        let adopted = unsafe { stream.upgrade_device_ptr::<u8>(address, 10) };
        captured.begin_capture(mode)?;
        // Stream-ordered calls are allowed beside a capture.
        sim.fail_next("cuMemFreeAsync", DESTROYED, 1);
        let before = sim.calls("cuPointerGetAttribute");
        thread::scope(|scope| scope.spawn(|| drop(adopted)).join()).map_err(|_| "the drop panicked")?;
        assert_eq!(sim.calls("cuPointerGetAttribute"), before + 1);
        assert_eq!(live(Space::device(0)), (10, 1), "a pool's block outlives its context");
        let said = context.check_err().err().map(|error| error.0 as u32);
        assert_eq!(said, Some(DESTROYED));
        assert!(is_active(&captured)?, "{mode:?}");
        captured.end_capture(NO_FLAGS)?.ok_or("no graph")?;
        // SAFETY: its free was refused.
        drop(unsafe { stream.upgrade_device_ptr::<u8>(address, 10) });
        assert_eq!(live(Space::device(0)), (0, 0));
    }
    Ok(())
}

/// What the child of a fork does, in the child: whether that was right.
fn in_a_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what memprof says that it may, and ends without running any handler.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_right = work();
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!is_right)) };
    }
    let mut status = -1;
    // SAFETY: the child that was forked above, and a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status == 0
}

#[test]
fn a_forked_child_calls_nothing_but_what_cudarc_calls_itself() -> Tried {
    let (_alone, sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let stream = context.new_stream()?.tracked();
    let (freed, refused) = (stream.alloc_zeros::<u8>(10)?, stream.alloc_zeros::<u8>(20)?);
    // SAFETY: nobody reads it.
    let pinned = unsafe { stream.pinned::<u8>(7) }?;
    memprof_core::snapshot();
    // What a slice of cudarc's own calls when it is dropped, and what the program asks of the simulator.
    let of_cudarc = || {
        let own =
            ["cuCtxGetCurrent", "cuCtxSetCurrent", "cuStreamWaitEvent", "cuEventDestroy_v2", "cuEventSynchronize"];
        let frees = ["cuMemFreeAsync", "cuMemFreeHost"];
        own.into_iter().chain(frees).map(|function| sim.calls(function)).sum::<u64>()
    };
    let (all, of_cudarc_before) = (sim.all_calls(), of_cudarc());
    // Long enough that a question is due.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(40) {}
    let (freed, refused, pinned) = (Some(freed), Some(refused), Some(pinned));
    let mut parts = (freed, refused, pinned);
    let is_right = in_a_child(|| {
        drop(parts.0.take());
        drop(parts.2.take());
        sim.fail_next("cuMemFreeAsync", CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED as u32, 1);
        drop(parts.1.take());
        memprof_core::snapshot();
        sim.all_calls() - all == of_cudarc() - of_cudarc_before
    });
    assert!(is_right, "the child asked its parent's driver");
    drop(parts);
    assert_eq!(live(Space::device(0)), (0, 0));
    Ok(())
}

/// What a callback of interception asks after the program's own call, it asks in no forked process either.
#[test]
fn a_forked_child_s_own_calls_are_followed_by_no_question() -> Tried {
    let (_alone, sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let device = context.cu_device();
    let _guard = memprof_cuda::intercept()?;
    let releases = || {
        // SAFETY: a device that the driver gave.
        unsafe { result::primary_ctx::retain(device) }?;
        // SAFETY: retained just now.
        unsafe { result::primary_ctx::release(device) }?;
        Ok::<_, DriverError>(sim.calls("cuDevicePrimaryCtxGetState"))
    };
    let before = sim.calls("cuDevicePrimaryCtxGetState");
    assert_eq!(releases().ok(), Some(before + 1), "asked whether that was the last");
    assert!(in_a_child(|| releases().ok() == Some(before + 1)), "the child asked its parent's driver");
    Ok(())
}

/// That this file's own way of counting sees a question.
#[test]
fn a_snapshot_is_counted_as_a_question() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = memprof_cuda::context(0)?;
    let (asked_before, all) = (asked(sim), sim.all_calls());
    memprof_core::snapshot();
    assert!(asked(sim) > asked_before && sim.all_calls() > all);
    Ok(())
}
