//! Calls that a driver must refuse, and that must change nothing: bounds, freed and foreign addresses, double frees, no context.
#![expect(unsafe_code, reason = "calls the driver's functions with addresses")]

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::CUresult::{
    CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE,
    CUDA_SUCCESS,
};
use cudarc::driver::{CudaContext, result, sys};

#[test]
fn a_copy_past_the_end_is_refused_whole() -> Tested {
    let (_alone, _sim) = alone()?;
    let _context = CudaContext::new(0)?;
    // SAFETY: freed below.
    let address = unsafe { result::malloc_sync(16) }?;
    let mut bytes = [1_u8; 17];
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::memcpy_htod_sync(address, &bytes) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::memcpy_htod_sync(address + 1, &bytes[..16]) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::memcpy_dtoh_sync(&mut bytes, address) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::memset_d8_sync(address, 0, 17) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: within the block.
    unsafe { result::memcpy_dtoh_sync(&mut bytes[..16], address) }?;
    assert_eq!(bytes[..16], [0xCD; 16], "nothing was written");
    // SAFETY: allocated above.
    unsafe { result::free_sync(address) }?;
    Ok(())
}

#[test]
fn freed_and_foreign_addresses_are_refused() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    // SAFETY: freed below.
    let address = unsafe { result::malloc_sync(16) }?;
    // SAFETY: allocated above.
    unsafe { result::free_sync(address) }?;
    let foreign = Box::new([0_u8; 16]);
    let foreign = std::ptr::from_ref(&*foreign).expose_provenance() as u64;
    for address in [address, foreign, 1] {
        // SAFETY: refused.
        assert_eq!(failure(unsafe { result::free_sync(address) }), Some(CUDA_ERROR_INVALID_VALUE));
        // SAFETY: refused.
        let freed = unsafe { result::free_async(address, std::ptr::null_mut()) };
        assert_eq!(failure(freed), Some(CUDA_ERROR_INVALID_VALUE));
        // SAFETY: refused.
        assert_eq!(failure(unsafe { result::memset_d8_sync(address, 0, 1) }), Some(CUDA_ERROR_INVALID_VALUE));
    }
    assert_eq!(sim.live().devices[0].frees, 1);
    Ok(())
}

#[test]
fn each_kind_of_memory_has_its_own_free() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    // SAFETY: freed below.
    let pinned = unsafe { result::malloc_host(16, 0) }?;
    // SAFETY: freed below.
    let device = unsafe { result::malloc_sync(16) }?;
    // SAFETY: freed below.
    let pooled = unsafe { result::malloc_async(std::ptr::null_mut(), 16) }?;
    let pinned_address = pinned.expose_provenance() as u64;
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::free_sync(pinned_address) }), Some(CUDA_ERROR_INVALID_VALUE));
    let device_pointer = std::ptr::with_exposed_provenance_mut(device as usize);
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::free_host(device_pointer) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: either may be freed by the other's function.
    unsafe { result::free_async(device, std::ptr::null_mut()) }?;
    // SAFETY: either may be freed by the other's function.
    unsafe { result::free_sync(pooled) }?;
    // SAFETY: allocated above.
    unsafe { result::free_host(pinned) }?;
    assert_eq!(sim.blocks(), []);
    Ok(())
}

#[test]
fn zero_bytes_are_refused_or_address_nothing() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::malloc_sync(0) }), Some(CUDA_ERROR_INVALID_VALUE));
    drop(context.default_stream().null::<u8>()?);
    context.check_err()?;
    assert_eq!(sim.live().devices[0].allocations, 0);
    Ok(())
}

#[test]
fn a_thread_without_a_context_may_not_allocate() -> Tested {
    let (_alone, _sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let refused = std::thread::spawn(|| {
        // SAFETY: refused.
        (failure(unsafe { result::malloc_sync(16) }), failure(unsafe { result::malloc_host(16, 0) }))
    });
    let refused = refused.join().map_err(|_| "the thread panicked")?;
    assert_eq!(refused, (Some(CUDA_ERROR_INVALID_CONTEXT), Some(CUDA_ERROR_INVALID_CONTEXT)));
    Ok(())
}

#[test]
fn a_reset_frees_all_but_pools_blocks_and_releases_nothing() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let stream = context.new_stream()?;
    let slice = stream.alloc_zeros::<u8>(100)?;
    // SAFETY: freed by the reset.
    unsafe { result::malloc_host(50, 0) }?;
    // SAFETY: that everything is gone is the test.
    assert_eq!(unsafe { sys::cuDevicePrimaryCtxReset_v2(0) }, CUDA_SUCCESS);
    let kept = sim.blocks();
    assert_eq!(kept.iter().map(|block| block.bytes).collect::<Vec<_>>(), [100], "a pool's block is of no context");
    assert_eq!(failure(context.mem_get_info()), Some(CUDA_ERROR_CONTEXT_IS_DESTROYED));
    drop(slice);
    assert!(context.check_err().is_err(), "the slice's free was refused");
    // "Resetting the primary context does not release it": the first context's release is not the last one.
    let again = CudaContext::new(0)?;
    drop(stream);
    drop(context);
    // SAFETY: nobody else frees it.
    unsafe { result::free_sync(kept[0].address) }?;
    again.synchronize()?;
    assert_eq!(again.mem_get_info()?.0, 256 << 20);
    Ok(())
}

#[test]
fn a_created_context_takes_its_own_memory_along() -> Tested {
    let (_alone, sim) = alone()?;
    let primary = CudaContext::new(0)?;
    let kept = primary.default_stream().alloc_zeros::<u8>(10)?;
    let mut created = std::ptr::null_mut();
    // SAFETY: a place for one context, which is current from now on.
    assert_eq!(unsafe { sys::cuCtxCreate_v4(&raw mut created, std::ptr::null_mut(), 0, 0) }, CUDA_SUCCESS);
    // SAFETY: freed with the context.
    unsafe { result::malloc_sync(20) }?;
    assert_eq!(sim.live().devices[0].bytes, 30);
    // SAFETY: created above.
    assert_eq!(unsafe { sys::cuCtxDestroy_v2(created) }, CUDA_SUCCESS);
    assert_eq!(result::ctx::get_current()?, Some(primary.cu_ctx()));
    assert_eq!(sim.live().devices[0].bytes, 10);
    drop(kept);
    primary.check_err()?;
    Ok(())
}

#[test]
fn an_unknown_stream_is_refused() -> Tested {
    let (_alone, _sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let stream = std::ptr::without_provenance_mut(0x99);
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::malloc_async(stream, 16) }), Some(CUDA_ERROR_INVALID_HANDLE));
    Ok(())
}

#[test]
fn null_places_are_refused_and_leak_nothing() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let null = std::ptr::null_mut();
    // SAFETY: refused.
    assert_eq!(unsafe { sys::cuMemAlloc_v2(null, 16) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: refused.
    assert_eq!(unsafe { sys::cuMemAllocAsync(null, 16, std::ptr::null_mut()) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: refused.
    assert_eq!(unsafe { sys::cuMemHostAlloc(std::ptr::null_mut(), 16, 0) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: refused.
    assert_eq!(unsafe { sys::cuMemAllocManaged(null, 16, 1) }, CUDA_ERROR_INVALID_VALUE);
    assert_eq!(sim.blocks(), []);
    Ok(())
}
