//! Captures of streams into graphs, which memprof must not disturb.

use std::thread;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode, CUstreamCaptureStatus};
use memprof_cuda::{TrackedExt as _, TrackedStream};

use crate::ground::calls::live;
use crate::ground::{Gpu, Outcome, device, saw};

const AUTO_FREE: CUgraphInstantiate_flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
/// Longer than the pause between two questions of memprof's, several times.
const A_WHILE: Duration = Duration::from_millis(50);

/// Tracked allocations and frees on this stream for a while: how many. Each is seen as it comes, unless it is a graph's.
fn events(stream: &TrackedStream) -> Result<u64, String> {
    let (begun, mut events) = (Instant::now(), 0);
    while begun.elapsed() < A_WHILE {
        drop(stream.alloc_zeros::<u8>(1000).map_err(|error| error.to_string())?);
        events += 1;
    }
    Ok(events)
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
        let is_active = || -> Result<bool, Box<dyn std::error::Error>> {
            Ok(captured.capture_status()? == CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE)
        };
        captured.begin_capture(mode)?;
        let before = asked(&gpu);
        let here = (events(&captured)?, events(&beside)?);
        assert!(is_active()?, "after events on the thread that captures; interception: {is_intercepted}");
        assert_eq!((answers(), asked(&gpu)), (false, before), "asked on the thread that captures");
        // A thread of its own: in the default mode, and with memory of its own.
        let there = thread::scope(|scope| {
            let work = || {
                let kept = beside.alloc_zeros::<u8>(500).map_err(|error| error.to_string())?;
                let done = (events(&beside)?, asked(&gpu));
                let live = live(device());
                drop(kept);
                Ok::<_, String>((done, live, answers()))
            };
            scope.spawn(work).join()
        });
        let ((events, asked_by_events), live_there, answered) = there.map_err(|_| "the other thread panicked")??;
        assert!(is_active()?, "after events and a snapshot on another thread; interception: {is_intercepted}");
        let graph = captured.end_capture(AUTO_FREE)?.ok_or("no graph")?;
        seen.push(format!(
            "interception {is_intercepted}: active after {} events in it, {} beside it and {events} on another thread, whose snapshot \
             the driver answered: {answered}",
            here.0, here.1
        ));
        assert_eq!((live_there, answered), ((1500, 2), true));
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
