//! What the driver says of a device's memory.
//!
//! It is asked through a context that the program still holds, else through the device's primary context if anybody has
//! it active: a context takes memory, so none is made for a question.

#![expect(unsafe_code, reason = "the driver is asked")]

use std::sync::Arc;

use cudarc::driver::{CudaContext, DriverError, result, sys};
use memprof_core::{__allocator, Device};

use super::current::{Current, Primary};
use super::silence::Silence;
use crate::{driver, pools};

/// What the driver says of a device, by one of its contexts if the program holds any; and what is attributed just then.
pub(super) fn ask(space: String, device: sys::CUdevice, context: Option<&Arc<CudaContext>>) -> Result<Device, Silence> {
    driver::require(&[]).map_err(|_| Silence::Gone)?;
    let primary;
    let context = if let Some(context) = context {
        context.cu_ctx()
    } else {
        primary = Primary::if_active(device)?;
        primary.context
    };
    let _current = Current::set(context)?;
    let (free, total) = result::mem_get_info()?;
    let mut said = Device::of(space);
    said.total = total as u64;
    said.used = total.saturating_sub(free) as u64;
    // A device without pools has nothing in reserve.
    let _ = ask_pools(device, &mut said);
    __allocator::attribute_now(&mut said);
    Ok(said)
}

/// What the device's pools hold: its default and its current one, and those of the program that are known to be there.
fn ask_pools(device: sys::CUdevice, said: &mut Device) -> Result<(), Silence> {
    driver::require(&["cuDeviceGetDefaultMemPool", "cuDeviceGetMemPool", "cuMemPoolGetAttribute"])
        .map_err(|_| Silence::Gone)?;
    let space = said.space.clone();
    pools::while_they_stay(&space, |others| {
        // SAFETY: the device is one that the driver gave.
        let default = unsafe { result::device::get_default_mem_pool(device) }?;
        // SAFETY: as above.
        let current = unsafe { result::device::get_mem_pool(device) }?;
        add_pool(default, said)?;
        let others = others.iter().copied().filter(|other| *other != current);
        for other in std::iter::once(current).chain(others).filter(|other| *other != default) {
            // One that cannot be asked hides no other.
            let _ = add_pool(other, said);
        }
        Ok(())
    })
}

/// Adds what a pool holds, which is there.
fn add_pool(pool: sys::CUmemoryPool, said: &mut Device) -> Result<(), Silence> {
    let number = |attribute| {
        let mut number = 0_u64;
        // SAFETY: the caller's pool is there; these attributes are 64-bit numbers.
        unsafe { result::mem_pool::get_attribute(pool, attribute, (&raw mut number).cast()) }?;
        Ok::<_, DriverError>(number)
    };
    let reserved = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
    let reserved_high = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?;
    let used = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?;
    let used_high = number(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?;
    said.pool_reserved = said.pool_reserved.saturating_add(reserved);
    said.pool_reserved_high = said.pool_reserved_high.saturating_add(reserved_high);
    said.pool_used = said.pool_used.saturating_add(used);
    said.pool_used_high = said.pool_used_high.saturating_add(used_high);
    Ok(())
}
