//! Which calls the driver refuses while a stream is captured. Its header leaves that open; what stands here is what an H100 did with driver 580.
//! Without memprof, so that a refusal that is the driver's is told from what memprof disturbs.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::ptr;
use std::sync::Arc;
use std::thread;

use cudarc::driver::sys::{self, CUresult, CUstreamCaptureMode as Mode};
use cudarc::driver::{CudaContext, result};

use crate::ground::calls::while_relaxed;
use crate::ground::{Gpu, Outcome, saw};

/// The streams of one try, and what was allocated before the capture began.
#[derive(Clone, Copy)]
struct Ground {
    captured: sys::CUstream,
    beside: sys::CUstream,
    plain: u64,
    pooled: u64,
    event: sys::CUevent,
    device: sys::CUdevice,
    pool: sys::CUmemoryPool,
}

// SAFETY: handles and addresses of the driver's, which any thread may use.
unsafe impl Send for Ground {}

type Call = fn(Ground) -> CUresult;

/// When a call is refused, and ends the capture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    Never,
    /// As "potentially unsafe" calls are: by the capture's own thread, or by any where the capture is global; in relaxed mode by none.
    Unsafe,
    Always,
}

impl Refused {
    /// What is seen of such a call.
    fn answer(self, mode: Mode, is_elsewhere: bool, is_relaxed: bool) -> Answer {
        let may_be_unsafe = is_relaxed
            || mode == Mode::CU_STREAM_CAPTURE_MODE_RELAXED
            || (is_elsewhere && mode == Mode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
        match self {
            Self::Never => WHOLE,
            Self::Unsafe if may_be_unsafe => WHOLE,
            Self::Unsafe | Self::Always => (CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false),
        }
    }
}

/// What the driver says of a call, and whether the capture is whole after it.
type Answer = (CUresult, bool);

const WHOLE: Answer = (CUresult::CUDA_SUCCESS, true);

/// The calls by which programs, cudarc and memprof allocate, free, wait and ask.
#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "each is given places for what it gives, and handles that are alive"
)]
const CALLS: &[(&str, Refused, Call)] = &[
    ("cuMemAllocAsync in it", Refused::Never, |ground| unsafe { sys::cuMemAllocAsync(&mut 0, 1000, ground.captured) }),
    ("cuMemAllocAsync beside it", Refused::Unsafe, |ground| unsafe {
        sys::cuMemAllocAsync(&mut 0, 1000, ground.beside)
    }),
    ("cuMemFreeAsync beside it", Refused::Unsafe, |ground| unsafe {
        sys::cuMemFreeAsync(ground.pooled, ground.beside)
    }),
    ("cuMemsetD8Async beside it", Refused::Never, |ground| unsafe {
        sys::cuMemsetD8Async(ground.plain, 0, 10, ground.beside)
    }),
    ("cuMemAlloc", Refused::Unsafe, |_| unsafe { sys::cuMemAlloc_v2(&mut 0, 1000) }),
    ("cuMemFree", Refused::Unsafe, |ground| unsafe { sys::cuMemFree_v2(ground.plain) }),
    ("cuMemHostAlloc", Refused::Unsafe, |_| unsafe { sys::cuMemHostAlloc(&mut ptr::null_mut(), 1000, 0) }),
    ("cuMemAllocManaged", Refused::Unsafe, |_| unsafe { sys::cuMemAllocManaged(&mut 0, 1000, 1) }),
    ("cuMemGetInfo", Refused::Never, |_| unsafe { sys::cuMemGetInfo_v2(&mut 0, &mut 0) }),
    ("cuEventCreate", Refused::Never, |_| unsafe { sys::cuEventCreate(&mut ptr::null_mut(), 2) }),
    ("cuEventRecord beside it", Refused::Never, |ground| unsafe { sys::cuEventRecord(ground.event, ground.beside) }),
    ("cuEventQuery", Refused::Unsafe, |ground| unsafe { sys::cuEventQuery(ground.event) }),
    ("cuEventSynchronize", Refused::Unsafe, |ground| unsafe { sys::cuEventSynchronize(ground.event) }),
    ("cuStreamWaitEvent beside it", Refused::Never, |ground| unsafe {
        sys::cuStreamWaitEvent(ground.beside, ground.event, 0)
    }),
    ("cuStreamSynchronize beside it", Refused::Unsafe, |ground| unsafe { sys::cuStreamSynchronize(ground.beside) }),
    ("cuCtxSynchronize", Refused::Always, |_| unsafe { sys::cuCtxSynchronize() }),
    ("cuStreamQuery beside it", Refused::Unsafe, |ground| unsafe { sys::cuStreamQuery(ground.beside) }),
    ("cuStreamIsCapturing beside it", Refused::Never, |ground| unsafe {
        sys::cuStreamIsCapturing(ground.beside, &mut sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE)
    }),
    ("cuDeviceGetDefaultMemPool", Refused::Never, |ground| unsafe {
        sys::cuDeviceGetDefaultMemPool(&mut ptr::null_mut(), ground.device)
    }),
    ("cuDeviceGetMemPool", Refused::Never, |ground| unsafe {
        sys::cuDeviceGetMemPool(&mut ptr::null_mut(), ground.device)
    }),
    ("cuMemPoolGetAttribute", Refused::Unsafe, |ground| {
        const RESERVED: sys::CUmemPool_attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT;
        unsafe { sys::cuMemPoolGetAttribute(ground.pool, RESERVED, ptr::from_mut(&mut 0_u64).cast()) }
    }),
    ("cuMemPoolTrimTo", Refused::Unsafe, |ground| unsafe { sys::cuMemPoolTrimTo(ground.pool, 0) }),
    ("cuPointerGetAttribute", Refused::Never, |ground| {
        const ORDINAL: sys::CUpointer_attribute = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL;
        unsafe { sys::cuPointerGetAttribute(ptr::from_mut(&mut 0_i32).cast(), ORDINAL, ground.plain) }
    }),
    ("cuDevicePrimaryCtxGetState", Refused::Never, |ground| unsafe {
        sys::cuDevicePrimaryCtxGetState(ground.device, &mut 0, &mut 0)
    }),
    ("cuStreamCreate", Refused::Never, |_| unsafe { sys::cuStreamCreate(&mut ptr::null_mut(), 1) }),
];

/// Makes one call while a stream is captured in this mode.
fn tried(
    context: &Arc<CudaContext>,
    mode: Mode,
    is_elsewhere: bool,
    is_relaxed: bool,
    call: Call,
) -> Result<Answer, Box<dyn std::error::Error>> {
    let (captured, beside) = (context.new_stream()?, context.new_stream()?);
    // SAFETY: nobody uses the memory.
    let plain = unsafe { result::malloc_sync(1000) }?;
    // SAFETY: as above; the stream is alive.
    let pooled = unsafe { result::malloc_async(beside.cu_stream(), 1000) }?;
    let event = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
    // SAFETY: both are alive.
    unsafe { result::event::record(event, beside.cu_stream()) }?;
    context.synchronize()?;
    let device = context.cu_device();
    // SAFETY: the device is one that the driver gave.
    let pool = unsafe { result::device::get_default_mem_pool(device) }?;
    let ground =
        Ground { captured: captured.cu_stream(), beside: beside.cu_stream(), plain, pooled, event, device, pool };
    captured.begin_capture(mode)?;
    let made = move || {
        let ground = ground;
        if is_relaxed { while_relaxed(|| call(ground)) } else { Ok(call(ground)) }
    };
    let status = if is_elsewhere {
        let context = Arc::clone(context);
        let there = thread::spawn(move || context.bind_to_thread().and_then(|()| made()));
        there.join().map_err(|_| "the other thread panicked")??
    } else {
        made()?
    };
    let is_whole = captured.capture_status()? == sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE;
    // Without a graph if the capture is not whole.
    // SAFETY: the stream is alive.
    let _ = unsafe { result::stream::end_capture(captured.cu_stream()) };
    let _ = context.check_err();
    Ok((status, is_whole))
}

#[test]
fn what_the_driver_refuses_while_a_stream_is_captured() -> Outcome {
    const MODES: [(Mode, &str); 3] = [
        (Mode::CU_STREAM_CAPTURE_MODE_GLOBAL, "global"),
        (Mode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, "thread-local"),
        (Mode::CU_STREAM_CAPTURE_MODE_RELAXED, "relaxed"),
    ];
    let gpu = Gpu::take()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools");
        return Ok(());
    }
    memprof_core::disable();
    let (mut tries, mut others) = (0, Vec::new());
    for (name, refused, call) in CALLS {
        for (mode, of) in MODES {
            for (is_elsewhere, is_relaxed) in [(false, false), (false, true), (true, false), (true, true)] {
                let answer = tried(&gpu.context, mode, is_elsewhere, is_relaxed, *call)?;
                tries += 1;
                if answer != refused.answer(mode, is_elsewhere, is_relaxed) {
                    others.push(format!(
                        "{name}, capture {of}, elsewhere {is_elsewhere}, relaxed {is_relaxed}: {answer:?}"
                    ));
                }
            }
        }
    }
    memprof_core::enable();
    saw(format!("{tries} tries, {} answered otherwise: {}", others.len(), others.join("; ")));
    assert_eq!(others, Vec::<String>::new());
    Ok(())
}
