//! Captures of streams into graphs, which memprof must not disturb.
#![expect(unsafe_code, reason = "a function of the driver that cudarc does not reach")]

use std::thread;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode, CUstreamCaptureStatus};
use cudarc::driver::{CudaStream, DriverError, result};
use memprof_cuda::{TrackedExt as _, TrackedStream};

use crate::ground::calls::{live, while_relaxed};
use crate::ground::{Gpu, Outcome, device, saw};

const AUTO_FREE: CUgraphInstantiate_flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
/// Longer than the pause between two questions of memprof's, several times.
const A_WHILE: Duration = Duration::from_millis(50);

/// Tracked allocations and frees on this stream for a while: how many. Each is seen as it comes, unless it is a graph's.
fn events(stream: &TrackedStream, what: &str) -> Result<u64, String> {
    let (begun, mut events) = (Instant::now(), 0);
    while begun.elapsed() < A_WHILE {
        drop(stream.alloc_zeros::<u8>(1000).map_err(|error| format!("{what}, after {events}: {error}"))?);
        events += 1;
    }
    Ok(events)
}

/// [`events`] beside a capture, as a program makes them: in relaxed mode, since the driver refuses an allocation beside one otherwise (`prohibited`).
fn events_beside(stream: &TrackedStream, what: &str) -> Result<u64, String> {
    while_relaxed(|| events(stream, what)).map_err(|error| error.to_string())?
}

/// Whether the driver answers a snapshot on this thread.
fn answers() -> bool {
    memprof_core::snapshot().devices().iter().any(|device| !device.last_known)
}

/// How often memprof has asked how much memory is free, as the simulator has counted; `None` on a GPU.
fn asked(gpu: &Gpu) -> Option<u64> {
    gpu.driver.simulator().map(|sim| sim.calls("cuMemGetInfo_v2"))
}

/// Captures work on one stream in this mode, with tracked events in it, beside it on this thread and beside it on another, and a snapshot on
/// either thread. Under interception, and without.
fn stays_whole(mode: CUstreamCaptureMode) -> Outcome {
    let gpu = Gpu::take()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools, so no allocation can be captured");
        return Ok(());
    }
    let mut seen = Vec::new();
    for is_intercepted in [false, true] {
        let _guard = if is_intercepted { Some(memprof_cuda::intercept()?) } else { None };
        let (captured, beside) = (gpu.context.new_stream()?.tracked(), gpu.context.new_stream()?.tracked());
        let held = beside.alloc_zeros::<u8>(1000)?;
        captured.begin_capture(mode)?;
        let before = asked(&gpu);
        let here = (events(&captured, "captured")?, events_beside(&beside, "beside it")?);
        assert!(is_active(&captured)?, "after events on the thread that captures; interception: {is_intercepted}");
        assert_eq!((answers(), asked(&gpu)), (false, before), "asked on the thread that captures");
        // A thread of its own: in the default mode, and with memory of its own.
        let there = thread::scope(|scope| {
            let work = || {
                let done = (events_beside(&beside, "on another thread")?, asked(&gpu));
                let live = live(device());
                Ok::<_, String>((done, live, answers()))
            };
            scope.spawn(work).join()
        });
        let ((events, asked_by_events), live_there, answered) = there.map_err(|_| "the other thread panicked")??;
        assert!(is_active(&captured)?, "after events and a snapshot on another thread; interception: {is_intercepted}");
        let graph = captured.end_capture(AUTO_FREE)?.ok_or("no graph")?;
        seen.push(format!(
            "interception {is_intercepted}: active after {} events in it, {} beside it and {events} on another thread, whose snapshot \
             the driver answered: {answered}",
            here.0, here.1
        ));
        assert_eq!((live_there, answered), ((1000, 1), true));
        assert!(asked_by_events.is_none() || asked_by_events > before, "no event on the other thread had it asked");
        graph.launch()?;
        gpu.context.synchronize()?;
        drop(held);
        assert_eq!(live(device()), (0, 0));
    }
    saw(seen.join("; "));
    Ok(())
}

#[test]
fn a_capture_in_global_mode_stays_whole() -> Outcome {
    stays_whole(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL)
}

#[test]
fn a_capture_in_thread_local_mode_stays_whole() -> Outcome {
    stays_whole(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
}

fn is_active(stream: &CudaStream) -> Result<bool, DriverError> {
    Ok(stream.capture_status()? == CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE)
}

#[test]
fn interception_begins_and_ends_beside_a_capture() -> Outcome {
    let gpu = Gpu::take()?;
    let stream = gpu.context.new_stream()?;
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL)?;
    drop(memprof_cuda::intercept()?);
    let elsewhere = thread::spawn(|| memprof_cuda::intercept().map(drop).is_ok()).join().ok();
    saw(format!("on another thread: {elsewhere:?}; active: {}", is_active(&stream)?));
    assert_eq!((elsewhere, is_active(&stream)?), (Some(true), true));
    // Nothing was captured: a graph without nodes.
    stream.end_capture(AUTO_FREE)?;
    Ok(())
}

/// An end on another thread spoils the capture, which still waits for its own; a stream that is destroyed is captured no longer.
#[test]
fn a_capture_ends_on_its_own_thread_or_with_its_stream() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let (stream, other) = (gpu.context.new_stream()?, gpu.context.new_stream()?);
    let end = |of: &CudaStream| {
        // SAFETY: the stream is alive; a graph that this gives is left to the driver.
        unsafe { result::stream::end_capture(of.cu_stream()) }.map(drop).err().map(|error| error.0 as u32)
    };
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)?;
    let of_another = (end(&other), is_active(&stream)?);
    let on_another =
        thread::scope(|scope| scope.spawn(|| gpu.context.bind_to_thread().is_ok().then(|| end(&stream))).join());
    let on_another = (on_another.ok().flatten().flatten(), is_active(&stream)?, answers());
    drop(stream);
    let next = gpu.context.new_stream()?;
    let of_next = (is_active(&next)?, answers());
    saw(format!(
        "end of another stream: {of_another:?}; on another thread: {on_another:?}; the next stream: {of_next:?}"
    ));
    // CUDA_ERROR_ILLEGAL_STATE, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD.
    assert_eq!((of_another, on_another), ((Some(401), true), (Some(908), false, false)));
    assert_eq!(of_next, (false, true));
    Ok(())
}
