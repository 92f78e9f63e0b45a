//! Virtual memory management: physical memory counts while anyone holds it, and bytes are reached where it is mapped with access.
#![expect(unsafe_code, reason = "calls the driver's functions directly: cudarc has no safe ones for these")]

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::CUresult::{CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_OUT_OF_MEMORY, CUDA_SUCCESS};
use cudarc::driver::sys::{self, CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationProp, CUmemLocationType};
use cudarc::driver::{CudaContext, result};

const UNIT: usize = 2 << 20;

fn properties() -> CUmemAllocationProp {
    // SAFETY: all of it may be zero.
    let mut properties: CUmemAllocationProp = unsafe { std::mem::zeroed() };
    properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    properties
}

fn create(bytes: usize) -> Result<u64, cudarc::driver::DriverError> {
    let (mut handle, properties) = (0, properties());
    // SAFETY: a place for a handle, and properties.
    unsafe { sys::cuMemCreate(&raw mut handle, bytes, &raw const properties, 0) }.result()?;
    Ok(handle)
}

fn allow(address: u64, bytes: usize) -> sys::CUresult {
    // SAFETY: all of it may be zero.
    let mut access: CUmemAccessDesc = unsafe { std::mem::zeroed() };
    access.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    access.flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    // SAFETY: one description.
    unsafe { sys::cuMemSetAccess(address, bytes, &raw const access, 1) }
}

#[test]
fn memory_is_reached_where_it_is_mapped_and_counts_until_it_is_released() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let mut address = 0;
    // SAFETY: a place for an address.
    assert_eq!(unsafe { sys::cuMemAddressReserve(&raw mut address, 2 * UNIT, 0, 0, 0) }, CUDA_SUCCESS);
    assert_eq!(sim.live().devices[0].bytes, 0, "addresses are no memory");
    let handles = [create(UNIT)?, create(UNIT)?];
    assert_eq!(sim.live().devices[0].bytes, 2 * UNIT as u64);
    for (handle, place) in handles.into_iter().zip([address, address + UNIT as u64]) {
        // SAFETY: reserved above.
        assert_eq!(unsafe { sys::cuMemMap(place, UNIT, 0, handle, 0) }, CUDA_SUCCESS);
    }
    // SAFETY: refused: no access yet.
    assert_eq!(failure(unsafe { result::memset_d8_sync(address, 7, 1) }), Some(CUDA_ERROR_INVALID_VALUE));
    assert_eq!(allow(address, 2 * UNIT), CUDA_SUCCESS);
    // SAFETY: across the border of the two mappings.
    unsafe { result::memset_d8_sync(address + UNIT as u64 - 2, 7, 4) }?;
    let mut bytes = [0_u8; 6];
    // SAFETY: mapped.
    unsafe { result::memcpy_dtoh_sync(&mut bytes, address + UNIT as u64 - 3) }?;
    assert_eq!(bytes, [0xCD, 7, 7, 7, 7, 0xCD]);

    // SAFETY: created above.
    assert_eq!(unsafe { sys::cuMemRelease(handles[0]) }, CUDA_SUCCESS);
    assert_eq!(sim.live().devices[0].bytes, 2 * UNIT as u64, "a mapping still shows it");
    // SAFETY: refused.
    assert_eq!(unsafe { sys::cuMemRelease(handles[0]) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: refused: mappings are there.
    assert_eq!(unsafe { sys::cuMemAddressFree(address, 2 * UNIT) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: refused: half a mapping.
    assert_eq!(unsafe { sys::cuMemUnmap(address, UNIT / 2) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: mapped above.
    assert_eq!(unsafe { sys::cuMemUnmap(address, 2 * UNIT) }, CUDA_SUCCESS);
    assert_eq!(sim.live().devices[0].bytes, UNIT as u64);
    // SAFETY: created above.
    assert_eq!(unsafe { sys::cuMemRelease(handles[1]) }, CUDA_SUCCESS);
    assert_eq!(sim.live().devices[0].bytes, 0);
    // SAFETY: refused.
    assert_eq!(failure(unsafe { result::memset_d8_sync(address, 7, 1) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: reserved above.
    assert_eq!(unsafe { sys::cuMemAddressFree(address, 2 * UNIT) }, CUDA_SUCCESS);
    Ok(())
}

#[test]
fn physical_memory_is_limited_and_comes_in_units() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    sim.set_memory_limit(UNIT as u64);
    assert_eq!(failure(create(UNIT + 1)), Some(CUDA_ERROR_INVALID_VALUE));
    assert_eq!(failure(create(2 * UNIT)), Some(CUDA_ERROR_OUT_OF_MEMORY));
    let handle = create(UNIT)?;
    // SAFETY: created above.
    assert_eq!(unsafe { sys::cuMemRelease(handle) }, CUDA_SUCCESS);
    assert_eq!(sim.blocks(), []);
    Ok(())
}
