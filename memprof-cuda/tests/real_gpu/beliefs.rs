//! What memprof-cuda takes a driver to do, where its documentation leaves room: if one of these fails on a GPU, the
//! books are wrong there in that case.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::sync::mpsc;

use cudarc::driver::{CudaContext, result, sys};
use memprof_core::Space;
use memprof_cuda::TrackedExt as _;

use crate::ground::calls::{self, live, totals};
use crate::ground::{Gpu, MIB, Outcome, device, reconciled, saw};

/// Bytes of the device's default pool that are handed out, as its driver says; `None`: it has no pool.
fn pool_used() -> Result<Option<u64>, Box<dyn std::error::Error>> {
    let line = reconciled()?;
    Ok((line.pool_reserved_high > 0).then_some(line.pool_used))
}

/// Whether the primary context of a device is.
fn is_active(of: sys::CUdevice) -> Result<bool, cudarc::driver::DriverError> {
    let (mut flags, mut active) = (0, 0);
    // SAFETY: places for both results.
    unsafe { sys::cuDevicePrimaryCtxGetState(of, &raw mut flags, &raw mut active) }.result()?;
    Ok(active != 0)
}

#[test]
fn a_context_that_is_destroyed_takes_its_plain_blocks_along() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let before = gpu.used()?;
    let other = calls::create_context(0)?;
    calls::allocate(64 * MIB)?;
    assert_eq!(live(device()), (67_108_864, 1));
    calls::destroy_context(other)?;
    gpu.context.bind_to_thread()?;
    let after = gpu.used()?;
    saw(format!("cuMemGetInfo: {before} bytes in use before, {after} after; {} attributed", live(device()).0));
    assert_eq!(live(device()), (0, 0));
    // Its driver may keep some of what a first context of its kind brought along, but not the block.
    assert!(after < before + 64 * MIB, "the block outlives its context");
    Ok(())
}

#[test]
fn a_pools_block_outlives_the_context_that_is_destroyed() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools");
        return Ok(());
    }
    let other = calls::create_context(0)?;
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
    // SAFETY: nobody uses the memory; the stream is of the current context.
    let address = unsafe { result::malloc_async(stream, 64 * MIB) }?;
    // SAFETY: the stream was made above.
    unsafe { result::stream::synchronize(stream) }?;
    let held = pool_used()?;
    calls::destroy_context(other)?;
    gpu.context.bind_to_thread()?;
    gpu.context.synchronize()?;
    let after = pool_used()?;
    saw(format!("pool used: {held:?} before, {after:?} after; {} bytes attributed", live(device()).0));
    assert_eq!((held, after, live(device())), (Some(67_108_864), Some(67_108_864), (67_108_864, 1)));
    // Any stream of the device may free it.
    calls::free_async(address, gpu.context.default_stream().cu_stream())?;
    gpu.context.synchronize()?;
    assert_eq!((pool_used()?, live(device()), totals(device()).unknown_frees), (Some(0), (0, 0), 0));
    Ok(())
}

#[test]
fn a_pools_block_outlives_a_reset() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools");
        return Ok(());
    }
    let stream = gpu.context.default_stream();
    // SAFETY: nobody uses the memory.
    let address = unsafe { result::malloc_async(stream.cu_stream(), 64 * MIB) }?;
    gpu.context.synchronize()?;
    drop(stream);
    calls::reset_primary(0)?;
    let after_reset = live(device());
    let device_handle = gpu.context.cu_device();
    // SAFETY: the device of the context; retained so that it is active again.
    let again = unsafe { result::primary_ctx::retain(device_handle) }?;
    // SAFETY: retained just now.
    unsafe { result::ctx::set_current(again) }?;
    let freed = calls::free_async(address, std::ptr::null_mut());
    // SAFETY: retained above.
    unsafe { result::primary_ctx::release(device_handle) }?;
    saw(format!("{after_reset:?} live after the reset; a free of it then: {freed:?}; {:?} live", live(device())));
    assert_eq!((after_reset, freed.is_ok(), live(device())), ((67_108_864, 1), true, (0, 0)));
    Ok(())
}

/// The reset and the block's own free are another row's: here it is the last reference that goes, while the block is out.
#[test]
fn a_pools_block_outlives_a_last_release() -> Outcome {
    let gpu = Gpu::take()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools");
        return Ok(());
    }
    // The guard goes before the turn is over.
    let Gpu { context, _alone, .. } = gpu;
    let _guard = memprof_cuda::intercept()?;
    let device_handle = context.cu_device();
    let stream = context.default_stream();
    // SAFETY: nobody uses the memory.
    let address = unsafe { result::malloc_async(stream.cu_stream(), 64 * MIB) }?;
    context.synchronize()?;
    drop(stream);
    // The only one that holds the primary context in this process.
    drop(context);
    let active = is_active(device_handle)?;
    let after_release = live(device());
    let again = CudaContext::new(0)?;
    let freed = calls::free_async(address, again.default_stream().cu_stream());
    saw(format!(
        "active: {active}; {after_release:?} live after the last release; a free of it then: {freed:?}; {:?} live",
        live(device())
    ));
    assert_eq!((active, after_release), (false, (67_108_864, 1)));
    assert_eq!((freed.is_ok(), live(device())), (true, (0, 0)));
    Ok(())
}

#[test]
fn an_import_of_ones_own_export_is_released_as_often_as_it_is_held() -> Outcome {
    let _gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let created = calls::exportable(0, calls::GRANULARITY)?;
    let imported = calls::import_physical(calls::export_physical(created)?)?;
    let held = live(device());
    calls::release_physical(imported)?;
    let then = live(device());
    calls::release_physical(created)?;
    saw(format!("created {created:#x}, imported {imported:#x}; live {held:?}, {then:?}, {:?}", live(device())));
    assert_eq!((held, then, live(device())), ((2 << 20, 1), (2 << 20, 1), (0, 0)));
    assert_eq!(totals(device()).unknown_frees, 0);
    Ok(())
}

#[test]
fn pools_from_before_say_where_their_memory_is() -> Outcome {
    let gpu = Gpu::take()?;
    let stream = gpu.context.new_stream()?;
    let mut seen = Vec::new();
    for (is_managed, space) in [(false, Space::PINNED), (true, Space::MANAGED)] {
        // A driver before CUDA 13 has no such function.
        if cudarc_has_no("cuMemGetDefaultMemPool") {
            seen.push(format!("{space}: no default pool"));
            continue;
        }
        let pool = match calls::default_pool(is_managed) {
            Ok(pool) => pool,
            Err(error) => {
                seen.push(format!("{space}: no default pool ({error:?})"));
                continue;
            }
        };
        let _guard = memprof_cuda::intercept()?;
        let address = calls::allocate_from(pool, 4096, stream.cu_stream())?;
        assert_eq!(live(space), (4096, 1));
        calls::free_async(address, stream.cu_stream())?;
        seen.push(format!("{space}: 4096 bytes"));
    }
    if calls::device_count()? > 1 {
        let other = CudaContext::new(1)?;
        let pool = calls::pool(1)?;
        gpu.context.bind_to_thread()?;
        let _guard = memprof_cuda::intercept()?;
        let address = calls::allocate_from(pool, 4096, stream.cu_stream())?;
        assert_eq!(live(Space::device(1)), (4096, 1));
        calls::free_async(address, stream.cu_stream())?;
        seen.push("cuda:1 from a stream of cuda:0: 4096 bytes".to_owned());
        drop(other);
    } else {
        seen.push("no second device".to_owned());
    }
    saw(seen.join("; "));
    Ok(())
}

/// Whether the driver lacks a function, at which cudarc panics.
fn cudarc_has_no(function: &str) -> bool {
    let library = ["libcuda.so.1", "libcuda.so"].into_iter().find_map(|name| {
        // SAFETY: the driver is loaded already.
        unsafe { libloading::Library::new(name) }.ok()
    });
    // SAFETY: the symbol is only looked up.
    library.is_some_and(|library| unsafe { library.get::<*const ()>(function.as_bytes()) }.is_err())
}

#[test]
fn frees_after_an_illegal_address_are_refused_and_change_no_books() -> Outcome {
    const BAD: &str = ".version 6.0\n.target sm_50\n.address_size 64\n.visible .entry bad()\n{\n.reg .u64 %a;\n\
                       mov.u64 %a, 8;\nst.global.u64 [%a], %a;\nret;\n}\n";
    let gpu = Gpu::take()?;
    if !gpu.is_real() {
        return Ok(());
    }
    let _guard = memprof_cuda::intercept()?;
    let (plain, pinned) = (calls::allocate(1000)?, calls::pinned(2000)?);
    let kernel = gpu.context.load_module(BAD.into())?.load_function("bad")?;
    let stream = gpu.context.default_stream();
    // SAFETY: that it faults is the check; nothing else is on this device.
    let launched = unsafe { stream.launch_builder(&kernel).launch(cudarc::driver::LaunchConfig::for_num_elems(1)) };
    let said = launched.map(drop).and_then(|()| stream.synchronize());
    let freed = (calls::free(plain), calls::free_pinned(pinned));
    saw(format!("the kernel: {said:?}; then {freed:?}; live {:?}, {:?}", live(device()), live(Space::PINNED)));
    let expected = (i64::from(freed.0.is_err()), i64::from(freed.1.is_err()));
    assert_eq!((live(device()).1, live(Space::PINNED).1), expected, "the books are not what the driver said");
    Ok(())
}

#[test]
fn double_frees_are_refused_and_change_no_books() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = gpu.context.new_stream()?;
    let plain = calls::allocate(100)?;
    let pinned = calls::pinned(200)?;
    calls::free(plain)?;
    calls::free_pinned(pinned)?;
    let mut refused =
        vec![("cuMemFree", calls::free(plain).err()), ("cuMemFreeHost", calls::free_pinned(pinned).err())];
    if gpu.context.has_async_alloc() {
        // SAFETY: nobody uses the memory.
        let pooled = unsafe { result::malloc_async(stream.cu_stream(), 300) }?;
        calls::free_async(pooled, stream.cu_stream())?;
        stream.synchronize()?;
        refused.push(("cuMemFreeAsync", calls::free_async(pooled, stream.cu_stream()).err()));
    }
    let said = |(function, error): &(&str, Option<_>)| format!("{function}: {error:?}");
    saw(refused.iter().map(said).collect::<Vec<_>>().join(", "));
    assert!(refused.iter().all(|(_, error)| error.is_some()), "a double free succeeds");
    let (on_device, in_host) = (totals(device()), totals(Space::PINNED));
    assert_eq!((on_device.live, on_device.unknown_frees), (0, 0));
    assert_eq!((in_host.live, in_host.unknown_frees), (0, 0));
    Ok(())
}

#[test]
fn no_pinned_bytes_are_refused_or_an_address_or_null() -> Outcome {
    let gpu = Gpu::take()?;
    // SAFETY: nobody uses it.
    let pinned = unsafe { result::malloc_host(0, 0) };
    saw(format!("cuMemHostAlloc of 0 bytes: {pinned:?}"));
    if let Ok(address) = pinned.as_ref().copied()
        && !address.is_null()
    {
        calls::free_pinned(address)?;
    }
    // cudarc panics at the null pointer; the tracked stream says so instead.
    // SAFETY: nobody uses it.
    let tracked = unsafe { gpu.context.default_stream().tracked().pinned::<u8>(0) };
    assert_eq!(tracked.is_ok(), pinned.is_ok_and(|address| !address.is_null()));
    Ok(())
}

#[test]
fn the_pool_s_reserve_is_given_back_at_a_synchronisation() -> Outcome {
    let gpu = Gpu::take()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools");
        return Ok(());
    }
    let stream = gpu.context.default_stream();
    // SAFETY: nobody uses the memory.
    let address = unsafe { result::malloc_async(stream.cu_stream(), 64 * MIB) }?;
    gpu.context.synchronize()?;
    let held = reconciled()?;
    calls::free_async(address, stream.cu_stream())?;
    gpu.context.synchronize()?;
    let after = reconciled()?;
    saw(format!("reserve {} with a block of 67108864, {} after it", held.pool_reserved, after.pool_reserved));
    assert!(held.pool_reserved >= 67_108_864 && held.pool_used == 67_108_864, "{held:?}");
    assert_eq!((after.pool_reserved, after.pool_used), (0, 0));
    assert_eq!(after.pool_used_high, 67_108_864);
    Ok(())
}

#[test]
fn a_primary_context_that_is_reset_frees_its_blocks() -> Outcome {
    let _gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let context = CudaContext::new(0)?;
    let (address, pinned) = (calls::allocate(1000)?, calls::pinned(2000)?);
    // SAFETY: nobody uses the memory.
    let other = unsafe { result::malloc_host(300, 0) }?;
    assert_eq!((live(device()), live(Space::PINNED)), ((1000, 1), (2300, 2)));
    // SAFETY: what was in it is not used again; the handle stays good and is activated anew.
    unsafe { sys::cuDevicePrimaryCtxReset_v2(context.cu_device()) }.result()?;
    let active = is_active(context.cu_device())?;
    saw(format!("{:?} on the device, {:?} pinned; active: {active}", live(device()), live(Space::PINNED)));
    assert_eq!((live(device()), live(Space::PINNED), active), ((0, 0), (0, 0), false));
    let refused =
        [calls::free(address), calls::free_pinned(pinned), calls::free_pinned(other)].map(|freed| freed.is_err());
    assert_eq!(refused, [true; 3], "a block outlives the reset");
    Ok(())
}

/// The host function is work that does not end before the question was answered.
#[test]
fn a_question_about_memory_waits_for_no_work() -> Outcome {
    unsafe extern "C" fn wait(ends: *mut std::ffi::c_void) {
        // SAFETY: the receiver that is sent below, once.
        let ends = unsafe { Box::from_raw(ends.cast::<mpsc::Receiver<()>>()) };
        // So that a question that waits is an answer too.
        let _ = ends.recv_timeout(std::time::Duration::from_secs(5));
    }
    let gpu = Gpu::take()?;
    if !gpu.is_real() {
        return Ok(());
    }
    let stream = gpu.context.new_stream()?;
    let (end, ends) = mpsc::channel();
    let ends = Box::into_raw(Box::new(ends)).cast();
    // SAFETY: a function that takes what it is given here.
    unsafe { sys::cuLaunchHostFunc(stream.cu_stream(), Some(wait), ends) }.result()?;
    let line = reconciled()?;
    let has_waited = end.send(()).is_err();
    stream.synchronize()?;
    saw(format!("asked beside work that goes on; last known: {}; waited: {has_waited}", line.last_known));
    assert_eq!((line.last_known, has_waited), (false, false));
    Ok(())
}
