//! Several devices, and the memory that is no ordinary allocation: contexts, arrays, IPC, imports, registered and pitched memory.
#![expect(unsafe_code, reason = "calls the driver's functions directly")]

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::CUresult::{
    CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, CUDA_ERROR_INVALID_VALUE, CUDA_SUCCESS,
};
use cudarc::driver::{CudaContext, result, sys};
use memprof_cuda_sim::{BlockKind, BlockSpace};

#[test]
fn each_device_has_its_own_memory_and_limit() -> Tested {
    let (_alone, sim) = alone()?;
    sim.grow_devices(2);
    sim.set_device_memory(1, 1000);
    let (first, second) = (CudaContext::new(0)?, CudaContext::new(1)?);
    assert_eq!((first.total_mem()?, second.total_mem()?), (256 << 20, 1000));
    assert_ne!(first.uuid()?.bytes, second.uuid()?.bytes);
    let here = first.default_stream().clone_htod(&[1_u8; 2000])?;
    assert!(second.default_stream().alloc_zeros::<u8>(1001).is_err());
    let mut there = second.default_stream().alloc_zeros::<u8>(600)?;
    assert_eq!((sim.live().devices[0].bytes, sim.live().devices[1].bytes), (2000, 600));
    second.default_stream().memcpy_dtod(&here.slice(..600), &mut there)?;
    assert_eq!(second.default_stream().clone_dtoh(&there)?, [1; 600]);
    drop((here, there));
    assert_eq!(sim.blocks(), []);
    Ok(())
}

#[test]
fn what_a_context_takes_is_missing_and_in_no_block() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    sim.set_context_bytes(1 << 20);
    let (free, total) = context.mem_get_info()?;
    assert_eq!(total - free, 1 << 20);
    assert_eq!(sim.live().devices[0].bytes, 0);
    Ok(())
}

#[test]
fn pitched_rows_are_rounded_and_counted_so() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let (mut address, mut pitch) = (0, 0);
    // SAFETY: two places.
    let code = unsafe { sys::cuMemAllocPitch_v2(&raw mut address, &raw mut pitch, 700, 3, 4) };
    assert_eq!((code, pitch), (CUDA_SUCCESS, 1024));
    assert_eq!(sim.live().devices[0].bytes, 3072);
    // SAFETY: allocated above.
    unsafe { result::free_sync(address) }?;
    Ok(())
}

#[test]
fn arrays_count_by_their_elements() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let description = sys::CUDA_ARRAY3D_DESCRIPTOR {
        Width: 10,
        Height: 5,
        Depth: 2,
        Format: sys::CUarray_format::CU_AD_FORMAT_FLOAT,
        NumChannels: 4,
        Flags: 0,
    };
    let mut array = std::ptr::null_mut();
    // SAFETY: a place and a description.
    assert_eq!(unsafe { sys::cuArray3DCreate_v2(&raw mut array, &raw const description) }, CUDA_SUCCESS);
    let [block] = sim.blocks()[..] else { return Err("one array".into()) };
    assert_eq!((block.bytes, block.space, block.kind), (1600, BlockSpace::Device(0), BlockKind::Array));
    // SAFETY: created above.
    assert_eq!(unsafe { sys::cuArrayDestroy(array) }, CUDA_SUCCESS);
    assert_eq!(sim.blocks(), []);
    Ok(())
}

#[test]
fn registered_memory_is_known_until_it_is_unregistered() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let mut bytes = vec![0_u8; 5000];
    let address = bytes.as_mut_ptr().cast();
    // SAFETY: memory of ours.
    assert_eq!(unsafe { sys::cuMemHostRegister_v2(address, 5000, 0) }, CUDA_SUCCESS);
    assert_eq!(sim.live().registered.bytes, 5000);
    // SAFETY: refused.
    let again = unsafe { sys::cuMemHostRegister_v2(address, 5000, 0) };
    assert_eq!(again, CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    // SAFETY: registered above.
    assert_eq!(unsafe { sys::cuMemHostUnregister(address) }, CUDA_SUCCESS);
    assert_eq!(sim.live().registered.bytes, 0);
    assert_eq!(bytes, [0; 5000], "the memory is the program's: nothing poisons it");
    Ok(())
}

#[test]
fn an_ipc_handle_opens_foreign_memory() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    // SAFETY: freed below.
    let own = unsafe { result::malloc_sync(100) }?;
    let mut handle = sys::CUipcMemHandle { reserved: [0; 64] };
    // SAFETY: a place for a handle.
    assert_eq!(unsafe { sys::cuIpcGetMemHandle(&raw mut handle, own) }, CUDA_SUCCESS);
    let mut opened = 0;
    // SAFETY: a place for an address.
    assert_eq!(unsafe { sys::cuIpcOpenMemHandle_v2(&raw mut opened, handle, 1) }, CUDA_SUCCESS);
    assert_eq!((sim.live().devices[0].bytes, sim.live().foreign.bytes), (100, 100));
    // SAFETY: refused: it is not ours to free.
    assert_eq!(failure(unsafe { result::free_sync(opened) }), Some(CUDA_ERROR_INVALID_VALUE));
    // SAFETY: opened above.
    assert_eq!(unsafe { sys::cuIpcCloseMemHandle(opened) }, CUDA_SUCCESS);
    // SAFETY: allocated above.
    unsafe { result::free_sync(own) }?;
    assert_eq!(sim.blocks(), []);
    Ok(())
}

#[test]
fn a_handle_that_is_opened_again_gives_the_same_address_until_it_is_closed_as_often() -> Tested {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    // SAFETY: freed below.
    let own = unsafe { result::malloc_sync(100) }?;
    let mut handle = sys::CUipcMemHandle { reserved: [0; 64] };
    // SAFETY: a place for a handle.
    assert_eq!(unsafe { sys::cuIpcGetMemHandle(&raw mut handle, own) }, CUDA_SUCCESS);
    let mut opened = [0; 2];
    for place in &mut opened {
        // SAFETY: a place for an address.
        assert_eq!(unsafe { sys::cuIpcOpenMemHandle_v2(place, handle, 1) }, CUDA_SUCCESS);
    }
    assert_eq!((opened[0], sim.live().foreign.blocks), (opened[1], 1));
    // SAFETY: opened above.
    assert_eq!(unsafe { sys::cuIpcCloseMemHandle(opened[0]) }, CUDA_SUCCESS);
    assert_eq!(sim.live().foreign.blocks, 1);
    // SAFETY: opened twice.
    assert_eq!(unsafe { sys::cuIpcCloseMemHandle(opened[0]) }, CUDA_SUCCESS);
    assert_eq!(sim.live().foreign.blocks, 0);
    // SAFETY: refused: it is closed.
    assert_eq!(unsafe { sys::cuIpcCloseMemHandle(opened[0]) }, CUDA_ERROR_INVALID_VALUE);
    // SAFETY: allocated above.
    unsafe { result::free_sync(own) }?;
    Ok(())
}

#[test]
fn imported_memory_is_foreign_while_it_is_mapped() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let path = std::env::temp_dir().join("memprof-cuda-sim-import");
    let file = std::fs::File::create(&path)?;
    file.set_len(4096)?;
    // SAFETY: any file will do here.
    let imported = unsafe { context.import_external_memory(file, 4096) }?;
    let mapped = imported.map_all()?;
    assert_eq!(sim.live().foreign.bytes, 4096);
    drop(mapped);
    assert_eq!(sim.live().foreign.bytes, 0);
    context.check_err()?;
    std::fs::remove_file(path)?;
    Ok(())
}
