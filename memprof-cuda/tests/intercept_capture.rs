//! Streams that are captured into graphs: memprof disturbs no capture, and what a graph allocates takes no memory before its launch.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::ffi::c_void;
use std::thread;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUgraphInstantiate_flags, CUstreamCaptureMode, CUstreamCaptureStatus};
use cudarc::driver::{CudaContext, CudaStream, DevicePtr as _, result};
use memprof_core::Space;
use memprof_cuda::TrackedExt as _;

mod intercept_ground;
use intercept_ground::{self as ground, Tried, agree, alone, live, totals};

const GLOBAL: CUstreamCaptureMode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL;
const THREAD_LOCAL: CUstreamCaptureMode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
const AUTO_FREE: CUgraphInstantiate_flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
const DEVICE: fn() -> Space = || Space::device(0);

fn is_active(stream: &CudaStream) -> Tried<bool> {
    Ok(stream.capture_status()? == CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE)
}

/// How often the driver has been asked about memory.
fn asked(sim: memprof_cuda_sim::Sim) -> u64 {
    sim.calls("cuMemGetInfo_v2") + sim.calls("cuMemPoolGetAttribute")
}

#[test]
fn a_snapshot_on_any_thread_asks_and_disturbs_no_capture() -> Tried {
    let (_alone, sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let stream = context.new_stream()?;
    for mode in [GLOBAL, THREAD_LOCAL] {
        stream.begin_capture(mode)?;
        let before = asked(sim);
        memprof_core::snapshot();
        let elsewhere = thread::spawn(|| memprof_core::snapshot().devices().iter().all(|device| !device.last_known));
        assert_eq!(elsewhere.join().ok(), Some(true), "the driver answers");
        assert!(asked(sim) > before && is_active(&stream)?);
        stream.end_capture(AUTO_FREE)?.ok_or("no graph")?;
    }
    Ok(())
}

/// That the simulator refuses what the driver refuses (`real_gpu: prohibited`): else the test above shows nothing.
#[test]
fn a_free_in_the_usual_mode_invalidates_a_global_capture() -> Tried {
    let (_alone, _sim) = alone()?;
    let context = CudaContext::new(0)?;
    let stream = context.new_stream()?;
    let address = ground::allocate(1000)?;
    stream.begin_capture(THREAD_LOCAL)?;
    let free = || {
        // SAFETY: allocated above; what succeeds is tried once.
        let freed = || context.bind_to_thread().is_ok() && unsafe { result::free_sync(address) }.is_ok();
        thread::scope(|scope| scope.spawn(freed).join().ok())
    };
    assert_eq!((free(), is_active(&stream)?), (Some(true), true), "others' captures are ignored in thread-local mode");
    stream.end_capture(AUTO_FREE)?;
    stream.begin_capture(GLOBAL)?;
    assert_eq!((free(), is_active(&stream)?), (Some(false), false));
    assert_eq!(stream.end_capture(AUTO_FREE).err().map(|error| error.0 as u32), Some(901));
    Ok(())
}

#[test]
fn beginning_and_ending_interception_disturbs_no_capture() -> Tried {
    let (_alone, _sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let stream = context.new_stream()?;
    stream.begin_capture(GLOBAL)?;
    drop(memprof_cuda::intercept()?);
    let elsewhere = thread::spawn(|| memprof_cuda::intercept().map(drop).is_ok());
    assert_eq!((elsewhere.join().ok(), is_active(&stream)?), (Some(true), true));
    stream.end_capture(AUTO_FREE)?.ok_or("no graph")?;
    Ok(())
}

#[test]
fn what_is_tracked_on_a_captured_stream_never_asks() -> Tried {
    let (_alone, sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let stream = context.new_stream()?.tracked();
    stream.begin_capture(GLOBAL)?;
    let before = asked(sim);
    let begun = Instant::now();
    // Longer than the pause between two questions.
    while begun.elapsed() < Duration::from_millis(40) {
        drop(stream.alloc_zeros::<u8>(10)?);
    }
    assert_eq!((asked(sim), is_active(&stream)?), (before, true));
    stream.end_capture(AUTO_FREE)?.ok_or("no graph")?;
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn what_a_graph_allocates_is_not_counted_and_its_frees_are_not_unknown() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let stream = context.new_stream()?;
    let _guard = memprof_cuda::intercept()?;
    let before = totals(DEVICE());
    stream.begin_capture(GLOBAL)?;
    let kept = stream.alloc_zeros::<u8>(1000)?;
    drop(stream.alloc_zeros::<u8>(50)?);
    assert_eq!((live(DEVICE()), sim.live().graphs.blocks), ((0, 0), 0), "no memory is taken");
    // SAFETY: instantiated without flags, below.
    let graph = unsafe { result::stream::end_capture(stream.cu_stream()) }?;
    let executable = instantiate(graph, 0)?;
    let address = kept.device_ptr(&stream).0;
    for _ in 0..2 {
        launch(executable, &stream)?;
        assert_eq!((live(DEVICE()), sim.live().graphs.bytes), ((0, 0), 1000));
        assert!(launch(executable, &stream).is_err(), "what it allocated is not freed");
        ground::free_async(address, stream.cu_stream())?;
        agree(sim);
    }
    let automatic = {
        destroy(executable)?;
        instantiate(graph, 1)?
    };
    launch(automatic, &stream)?;
    launch(automatic, &stream)?;
    assert_eq!(sim.live().graphs.blocks, 1, "freed before the second launch");
    // cudarc's own slice frees what the second launch has allocated.
    drop(kept);
    let after = totals(DEVICE());
    assert_eq!((after.blocks_total, after.unknown_frees), (before.blocks_total, before.unknown_frees));
    assert_eq!((after.live, sim.live().graphs.blocks), (0, 0));
    destroy(automatic)?;
    // SAFETY: made above.
    unsafe { sys::cuGraphDestroy(graph) }.result()?;
    // SAFETY: the first device.
    unsafe { sys::cuDeviceGraphMemTrim(0) }.result()?;
    context.synchronize()?;
    assert_eq!(context.mem_get_info()?.0, 256 << 20, "trimmed");
    Ok(())
}

fn instantiate(graph: sys::CUgraph, flags: u64) -> Tried<sys::CUgraphExec> {
    let mut executable = std::ptr::null_mut();
    // SAFETY: a place for the result, and a graph.
    unsafe { sys::cuGraphInstantiateWithFlags(&raw mut executable, graph, flags) }.result()?;
    Ok(executable)
}

fn launch(executable: sys::CUgraphExec, stream: &CudaStream) -> Tried {
    // SAFETY: both are alive.
    Ok(unsafe { sys::cuGraphLaunch(executable, stream.cu_stream()) }.result()?)
}

fn destroy(executable: sys::CUgraphExec) -> Tried {
    // SAFETY: it is alive, and not used again.
    Ok(unsafe { sys::cuGraphExecDestroy(executable) }.result()?)
}

/// Allocates on a stream that is not captured: that it is counted, and freed.
fn is_counted(stream: sys::CUstream) -> Tried {
    let before = live(DEVICE());
    // SAFETY: the stream is alive; nobody uses the memory.
    let address = unsafe { result::malloc_async(stream, 1000) }?;
    assert_eq!(live(DEVICE()), (before.0 + 1000, before.1 + 1), "taken for a graph's");
    ground::free_async(address, stream)?;
    assert_eq!(live(DEVICE()), before);
    Ok(())
}

fn new_stream() -> Tried<sys::CUstream> {
    Ok(result::stream::create(result::stream::StreamKind::NonBlocking)?)
}

#[test]
fn a_stream_that_gets_the_handle_of_one_that_was_destroyed_while_captured_is_not_captured() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let stream = context.new_stream()?;
    let handle = stream.cu_stream();
    stream.begin_capture(GLOBAL)?;
    // An error on the program's way to the end of the capture.
    drop(stream);
    let next = context.new_stream()?;
    assert_eq!(next.cu_stream(), handle, "the simulator gives handles out again");
    is_counted(handle)?;
    agree(sim);
    Ok(())
}

#[test]
fn a_stream_that_gets_the_handle_of_one_whose_context_ended_is_not_captured() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let first = ground::create_context(0)?;
    let stream = new_stream()?;
    // SAFETY: made above.
    unsafe { result::stream::begin_capture(stream, THREAD_LOCAL) }?;
    // The context's end would be prohibited to this thread.
    let destroyed = thread::scope(|scope| {
        let first = first.expose_provenance();
        scope.spawn(move || ground::destroy_context(std::ptr::with_exposed_provenance_mut(first)).is_ok()).join().ok()
    });
    assert_eq!(destroyed, Some(true));
    // SAFETY: takes any handle; no context.
    unsafe { sys::cuCtxSetCurrent(std::ptr::null_mut()) }.result()?;
    let next = ground::create_context(0)?;
    assert_eq!((next, new_stream()?), (first, stream), "the simulator gives handles out again");
    is_counted(stream)?;
    ground::destroy_context(next)?;
    agree(sim);
    Ok(())
}

#[test]
fn a_capture_whose_end_was_refused_waits_for_its_own() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let stream = context.new_stream()?;
    stream.begin_capture(THREAD_LOCAL)?;
    let elsewhere = thread::scope(|scope| scope.spawn(|| stream.end_capture(AUTO_FREE).err()).join().ok().flatten());
    assert_eq!(elsewhere.map(|error| error.0 as u32), Some(908), "another thread may not end it");
    // It is invalid, and nothing can be done on its stream until its own thread ends it.
    let refused = stream.alloc_zeros::<u8>(1000).err().map(|error| error.0 as u32);
    assert_eq!((refused, live(DEVICE()), sim.live().devices[0].blocks), (Some(901), (0, 0), 0));
    assert_eq!(stream.end_capture(AUTO_FREE).err().map(|error| error.0 as u32), Some(901));
    is_counted(stream.cu_stream())?;
    agree(sim);
    Ok(())
}

#[test]
fn what_is_captured_into_a_graph_that_is_there_is_not_counted() -> Tried {
    type ToGraph = unsafe extern "C" fn(
        sys::CUstream,
        sys::CUgraph,
        *const c_void,
        *const c_void,
        usize,
        CUstreamCaptureMode,
    ) -> sys::CUresult;
    type Again = unsafe extern "C" fn(
        sys::CUstream,
        CUstreamCaptureMode,
        sys::CUgraph,
        *const c_void,
        *mut c_void,
    ) -> sys::CUresult;

    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let stream = context.new_stream()?;
    // SAFETY: it is loaded already.
    let driver = unsafe { libloading::Library::new(sim.path()) }?;
    // SAFETY: `cuda.h` declares it so.
    let to_graph = unsafe { driver.get::<ToGraph>(b"cuStreamBeginCaptureToGraph\0") }?;
    // SAFETY: as above (13.5).
    let again = unsafe { driver.get::<Again>(b"cuStreamBeginRecaptureToGraph\0") }?;
    let mut graph = std::ptr::null_mut();
    // SAFETY: a place for the result.
    unsafe { sys::cuGraphCreate(&raw mut graph, 0) }.result()?;
    let (none, nobody) = (std::ptr::null(), std::ptr::null_mut());
    let mut addresses = Vec::new();
    let before = totals(DEVICE());
    for is_again in [false, true] {
        if is_again {
            // SAFETY: both are alive; nobody wants to hear of differences.
            unsafe { again(stream.cu_stream(), GLOBAL, graph, none, nobody) }.result()?;
        } else {
            // SAFETY: both are alive; it depends on nothing.
            unsafe { to_graph(stream.cu_stream(), graph, none, none, 0, GLOBAL) }.result()?;
        }
        // SAFETY: the stream is captured: an address, and no memory.
        let address = unsafe { result::malloc_async(stream.cu_stream(), 1000) }?;
        ground::free_async(address, stream.cu_stream())?;
        addresses.push(address);
        // SAFETY: captured above.
        assert_eq!(unsafe { result::stream::end_capture(stream.cu_stream()) }?, graph);
        let new = totals(DEVICE()).blocks_total - before.blocks_total;
        assert_eq!((live(DEVICE()), new), ((0, 0), 0), "again: {is_again}");
    }
    assert_eq!(addresses[0], addresses[1], "a graph's address stays");
    is_counted(stream.cu_stream())?;
    // SAFETY: made above.
    unsafe { sys::cuGraphDestroy(graph) }.result()?;
    assert_eq!(totals(DEVICE()).unknown_frees, before.unknown_frees);
    agree(sim);
    Ok(())
}
