//! What memprof-cuda takes a driver to do, where its documentation leaves room: if one of these fails on a GPU, the
//! books are wrong there in that case.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use cudarc::driver::{CudaContext, result, sys};
use memprof_core::Space;

use crate::ground::calls::{self, live, totals};
use crate::ground::{Gpu, MIB, Outcome, device, reconciled, saw};

/// Bytes of the device's default pool that are handed out, as its driver says; `None`: it has no pool.
fn pool_used() -> Result<Option<u64>, Box<dyn std::error::Error>> {
    let line = reconciled()?;
    Ok((line.pool_reserved_high > 0).then_some(line.pool_used))
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
fn no_pinned_bytes_are_refused_or_have_an_address() -> Outcome {
    let _gpu = Gpu::take()?;
    // SAFETY: nobody uses it.
    let pinned = unsafe { result::malloc_host(0, 0) };
    saw(format!("cuMemHostAlloc of 0 bytes: {pinned:?}"));
    if let Ok(address) = pinned {
        calls::free_pinned(address)?;
        assert!(!address.is_null());
    }
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
    assert_eq!((live(device()), live(Space::PINNED)), ((1000, 1), (2000, 1)));
    // SAFETY: what was in it is not used again; the handle stays good and is activated anew.
    unsafe { sys::cuDevicePrimaryCtxReset_v2(context.cu_device()) }.result()?;
    saw(format!("{:?} on the device, {:?} pinned", live(device()), live(Space::PINNED)));
    assert_eq!((live(device()), live(Space::PINNED)), ((0, 0), (0, 0)));
    let refused = (calls::free(address).is_err(), calls::free_pinned(pinned).is_err());
    assert_eq!(refused, (true, true), "a block outlives the reset");
    Ok(())
}
