//! Captures of streams into graphs, which memprof must not disturb.

use std::thread;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode, CUstreamCaptureStatus};
use memprof_cuda::TrackedExt as _;

use crate::ground::{Gpu, Outcome, saw};

/// Captures work on one stream in this mode, with tracked events on another, and a snapshot on this thread and on another.
fn stays_whole(mode: CUstreamCaptureMode) -> Outcome {
    let gpu = Gpu::take()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools, so no allocation can be captured");
        return Ok(());
    }
    let _guard = memprof_cuda::intercept()?;
    let stream = gpu.context.new_stream()?.tracked();
    let beside = gpu.context.new_stream()?.tracked();
    let held = beside.alloc_zeros::<u8>(1000)?;
    stream.begin_capture(mode)?;
    let begun = Instant::now();
    let mut events = 0_u64;
    while begun.elapsed() < Duration::from_millis(50) {
        drop(stream.alloc_zeros::<u8>(1000)?);
        events += 1;
    }
    let here = memprof_core::snapshot().devices().iter().any(|device| device.last_known);
    let there = thread::spawn(|| memprof_core::snapshot().devices().iter().any(|device| device.last_known)).join();
    let status = stream.capture_status()?;
    let graph = stream.end_capture(CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH)?;
    saw(format!(
        "{status:?} after {events} allocations in it and a snapshot on two threads, which asked the driver: {}, {:?}",
        !here,
        there.as_ref().map(|last_known| !last_known).ok()
    ));
    assert_eq!(status, CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE);
    graph.ok_or("no graph")?.launch()?;
    gpu.context.synchronize()?;
    drop(held);
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
