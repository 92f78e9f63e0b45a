//! Memory pools: what is used, what is held in reserve, when it is let go, and that both count against the device.
#![expect(unsafe_code, reason = "calls cudarc's pool functions, which are unsafe")]

use std::ffi::c_void;
use std::ptr;

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::CUmemPool_attribute::{
    self, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH,
    CU_MEMPOOL_ATTR_USED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_HIGH,
};
use cudarc::driver::sys::{CUmemPoolProps, CUmemoryPool, CUresult};
use cudarc::driver::{CudaContext, DriverError, result};

const CHUNK: u64 = 2 << 20;

fn attribute(pool: CUmemoryPool, attribute: CUmemPool_attribute) -> Result<u64, DriverError> {
    let mut value = 0_u64;
    // SAFETY: these attributes are 64 bits wide.
    unsafe { result::mem_pool::get_attribute(pool, attribute, (&raw mut value).cast()) }?;
    Ok(value)
}

/// Reserved, its high mark, used, its high mark.
fn numbers(pool: CUmemoryPool) -> Result<[u64; 4], DriverError> {
    Ok([
        attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
        attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
        attribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
        attribute(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
    ])
}

fn set(pool: CUmemoryPool, attribute: CUmemPool_attribute, mut value: u64) -> Result<(), DriverError> {
    // SAFETY: these attributes are 64 bits wide.
    unsafe { result::mem_pool::set_attribute(pool, attribute, ptr::from_mut(&mut value).cast::<c_void>()) }
}

fn create(maximum: usize) -> Result<CUmemoryPool, DriverError> {
    // SAFETY: all of it may be zero.
    let mut properties: CUmemPoolProps = unsafe { std::mem::zeroed() };
    properties.allocType = cudarc::driver::sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type_ = cudarc::driver::sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    properties.maxSize = maximum;
    // SAFETY: a pool of device 0.
    unsafe { result::mem_pool::create(&raw const properties) }
}

#[test]
fn a_pool_keeps_what_is_freed_until_a_synchronisation() -> Tested {
    let (_alone, _sim) = alone()?;
    let context = CudaContext::new(0)?;
    let pool = create(0)?;
    // SAFETY: freed below.
    let block = unsafe { result::mem_pool::alloc_async(pool, 1000, ptr::null_mut()) }?;
    assert_eq!(numbers(pool)?, [CHUNK, CHUNK, 1000, 1000]);
    let (free, total) = context.mem_get_info()?;
    assert_eq!((total - free) as u64, CHUNK);
    // SAFETY: allocated above.
    unsafe { result::free_async(block, ptr::null_mut()) }?;
    assert_eq!(numbers(pool)?, [CHUNK, CHUNK, 0, 1000]);
    context.synchronize()?;
    assert_eq!(numbers(pool)?, [0, CHUNK, 0, 1000]);
    set(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0)?;
    set(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0)?;
    assert_eq!(numbers(pool)?, [0, 0, 0, 0]);
    // SAFETY: created above.
    unsafe { result::mem_pool::destroy(pool) }?;
    assert_eq!(failure(numbers(pool)), Some(CUresult::CUDA_ERROR_INVALID_VALUE));
    Ok(())
}

#[test]
fn a_threshold_keeps_a_reserve_and_a_trim_lets_it_go() -> Tested {
    let (_alone, _sim) = alone()?;
    let context = CudaContext::new(0)?;
    let pool = create(0)?;
    set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, 2 * CHUNK)?;
    assert_eq!(attribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)?, 2 * CHUNK);
    // SAFETY: freed below.
    let block = unsafe { result::mem_pool::alloc_async(pool, 3 * CHUNK as usize, ptr::null_mut()) }?;
    // SAFETY: allocated above.
    unsafe { result::free_async(block, ptr::null_mut()) }?;
    context.synchronize()?;
    assert_eq!(numbers(pool)?[0], 2 * CHUNK);
    // SAFETY: created above.
    unsafe { result::mem_pool::trim_to(pool, CHUNK as usize) }?;
    assert_eq!(numbers(pool)?[0], CHUNK);
    // SAFETY: created above.
    unsafe { result::mem_pool::destroy(pool) }?;
    Ok(())
}

#[test]
fn what_a_pool_reserves_is_missing_to_others() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    sim.set_memory_limit(CHUNK + 100);
    let stream = context.default_stream();
    let small = stream.alloc_zeros::<u8>(8)?;
    // SAFETY: refused.
    let refused = unsafe { result::malloc_sync(200) };
    assert_eq!(failure(refused), Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY), "100 bytes are left");
    drop(small);
    context.synchronize()?;
    // SAFETY: freed below.
    let block = unsafe { result::malloc_sync(200) }?;
    // SAFETY: allocated above.
    unsafe { result::free_sync(block) }?;
    Ok(())
}

#[test]
fn a_pool_holds_its_own_maximum() -> Tested {
    let (_alone, _sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let pool = create(1000)?;
    // SAFETY: refused.
    let refused = unsafe { result::mem_pool::alloc_async(pool, 1001, ptr::null_mut()) };
    assert_eq!(failure(refused), Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
    assert_eq!(numbers(pool)?, [0; 4]);
    // SAFETY: created above.
    unsafe { result::mem_pool::destroy(pool) }?;
    Ok(())
}

#[test]
fn a_device_allocates_from_the_pool_that_it_is_given() -> Tested {
    let (_alone, _sim) = alone()?;
    let context = CudaContext::new(0)?;
    let pool = create(0)?;
    // SAFETY: device 0 is there.
    let default = unsafe { result::device::get_default_mem_pool(0) }?;
    // SAFETY: device 0 is there, the pool is its own.
    unsafe { result::device::set_mem_pool(0, pool) }?;
    let slice = context.default_stream().alloc_zeros::<u8>(77)?;
    assert_eq!((numbers(pool)?[2], numbers(default)?[2]), (77, 0));
    drop(slice);
    // SAFETY: created above; the device has its default again.
    unsafe { result::mem_pool::destroy(pool) }?;
    // SAFETY: device 0 is there.
    assert_eq!(unsafe { result::device::get_mem_pool(0) }?, default);
    Ok(())
}
