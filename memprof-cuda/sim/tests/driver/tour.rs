//! cudarc's own safe interface on the simulator: context, streams, memory of every kind, kernels, errors.
#![expect(unsafe_code, reason = "some of cudarc's functions are unsafe, and a kernel reads its arguments")]

use std::ffi::c_void;

use crate::common::{Tested, alone, failure};
use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaContext, DevicePtr, LaunchConfig, PushKernelArg};
use memprof_cuda_sim::{Dimensions, buffer, parameter};

#[test]
fn device_memory_goes_there_and_back_and_nothing_is_left() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    assert_eq!(context.name()?, "Simulated GPU 0");
    for stream in [context.default_stream(), context.new_stream()?] {
        let zeros = stream.alloc_zeros::<u32>(1000)?;
        assert_eq!(stream.clone_dtoh(&zeros)?, vec![0_u32; 1000]);
        let given = stream.clone_htod(&[1.5_f64, 2.5, 3.5])?;
        let copy = stream.clone_dtod(&given.slice(1..))?;
        assert_eq!(stream.clone_dtoh(&copy)?, [2.5, 3.5]);
        assert_eq!(sim.live().devices[0].bytes, 4000 + 24 + 16);
        assert_eq!(sim.live().devices[0].blocks, 3);
        let (free, total) = context.mem_get_info()?;
        assert_eq!(total - free, 2 << 20, "the pool has reserved one chunk");
        stream.synchronize()?;
    }
    context.synchronize()?;
    assert_eq!(sim.live().devices[0].blocks, 0);
    assert_eq!(sim.live().devices[0].peak_bytes, 4040);
    let (free, total) = context.mem_get_info()?;
    assert_eq!(free, total, "the pool has let go");
    Ok(())
}

#[test]
fn fresh_memory_is_poisoned_and_a_freed_address_comes_back_first() -> Tested {
    let (_alone, _sim) = alone()?;
    let stream = CudaContext::new(0)?.default_stream();
    // SAFETY: bytes may hold anything.
    let first = unsafe { stream.alloc::<u8>(700) }?;
    assert_eq!(stream.clone_dtoh(&first)?, vec![0xCD; 700]);
    let address = first.device_ptr(&stream).0;
    drop(first);
    // SAFETY: bytes may hold anything.
    let second = unsafe { stream.alloc::<u8>(800) }?;
    assert_eq!(second.device_ptr(&stream).0, address);
    Ok(())
}

#[test]
fn pinned_and_managed_memory_are_in_spaces_of_their_own() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    // SAFETY: written before it is read.
    let mut pinned = unsafe { context.alloc_pinned::<u64>(100) }?;
    pinned.as_mut_slice()?.fill(7);
    // SAFETY: written before it is read.
    let mut managed = unsafe { context.alloc_unified::<u32>(50, true) }?;
    managed.as_mut_slice()?.fill(9);
    let stream = context.default_stream();
    let device = stream.clone_htod(&pinned)?;
    assert_eq!(stream.clone_dtoh(&device)?, [7; 100]);
    let live = sim.live();
    assert_eq!((live.pinned.bytes, live.managed.bytes, live.devices[0].bytes), (800, 200, 800));
    drop((pinned, managed, device));
    let live = sim.live();
    assert_eq!((live.pinned.bytes, live.managed.bytes, live.devices[0].bytes), (0, 0, 0));
    Ok(())
}

#[test]
fn without_pools_cudarc_allocates_by_the_other_functions() -> Tested {
    let (_alone, sim) = alone()?;
    sim.use_pools(false);
    let stream = CudaContext::new(0)?.default_stream();
    drop(stream.alloc_zeros::<u8>(64)?);
    assert_eq!((sim.calls("cuMemAlloc_v2"), sim.calls("cuMemFree_v2")), (1, 1));
    assert_eq!((sim.calls("cuMemAllocAsync"), sim.calls("cuMemFreeAsync")), (0, 0));
    Ok(())
}

#[test]
fn the_limit_holds_to_the_byte() -> Tested {
    let (_alone, sim) = alone()?;
    let stream = CudaContext::new(0)?.default_stream();
    sim.set_memory_limit(1000);
    let all = stream.alloc_zeros::<u8>(1000)?;
    let error = stream.alloc_zeros::<u8>(1).err().ok_or("more than there is")?;
    assert_eq!(error.0, CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    assert_eq!(error.error_string()?.to_str()?, "out of memory");
    drop(all);
    drop(stream.alloc_zeros::<u8>(1)?);
    Ok(())
}

#[test]
fn a_huge_request_is_out_of_memory() -> Tested {
    let (_alone, _sim) = alone()?;
    let context = CudaContext::new(0)?;
    let stream = context.default_stream();
    let error = stream.alloc_zeros::<u8>(1 << 50).err().ok_or("1 PiB on a device")?;
    assert_eq!(error.0, CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    // SAFETY: refused.
    let error = unsafe { context.alloc_unified::<u8>(1 << 50, true) }.err().ok_or("1 PiB of managed memory")?;
    assert_eq!(error.0, CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    Ok(())
}

#[test]
fn failures_come_on_demand_and_end() -> Tested {
    let (_alone, sim) = alone()?;
    let stream = CudaContext::new(0)?.default_stream();
    sim.fail_next("cuMemAllocAsync", 2, 1);
    sim.fail_next("cuMemFreeAsync", 1, 1);
    assert_eq!(failure(stream.alloc_zeros::<u8>(8)), Some(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
    drop(stream.alloc_zeros::<u8>(8)?);
    assert_eq!(sim.live().devices[0].blocks, 1, "the free was refused");
    assert!(stream.context().check_err().is_err());
    drop(stream.alloc_zeros::<u8>(8)?);
    assert_eq!(sim.live().devices[0].blocks, 1);
    // SAFETY: the block that could not be freed before.
    unsafe { cudarc::driver::result::free_sync(sim.blocks()[0].address) }?;
    Ok(())
}

/// Adds `by` to `count` numbers.
unsafe extern "C" fn add(parameters: *const *mut c_void, _grid: Dimensions, _block: Dimensions) {
    // SAFETY: a number, as the test gives it.
    let by = unsafe { parameter::<u32>(parameters, 1) };
    // SAFETY: a count, as the test gives it.
    let count = unsafe { parameter::<u64>(parameters, 2) };
    // SAFETY: a slice of so many numbers, as the test gives it.
    let numbers = unsafe { buffer::<u32>(parameters, 0, count as usize) };
    for number in numbers {
        *number += by;
    }
}

#[test]
fn a_kernel_is_a_host_function_of_its_name() -> Tested {
    let (_alone, sim) = alone()?;
    sim.register_kernel("add", add);
    let context = CudaContext::new(0)?;
    let stream = context.default_stream();
    let module = context.load_module("any text".into())?;
    let kernel = module.load_function("add")?;
    let mut numbers = stream.clone_htod(&[1_u32, 2, 3])?;
    let count = 3_u64;
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&mut numbers).arg(&10_u32).arg(&count);
    // SAFETY: the arguments that the kernel takes.
    unsafe { launch.launch(LaunchConfig::for_num_elems(3)) }?;
    assert_eq!(stream.clone_dtoh(&numbers)?, [11, 12, 13]);

    let missing = module.load_function("missing")?;
    // SAFETY: there is nothing to launch.
    let error = unsafe { stream.launch_builder(&missing).launch(LaunchConfig::for_num_elems(1)) };
    assert_eq!(failure(error), Some(CUresult::CUDA_ERROR_NOT_SUPPORTED));
    Ok(())
}

#[test]
fn a_device_that_is_not_there_is_an_error() -> Tested {
    let (_alone, _sim) = alone()?;
    assert_eq!(failure(CudaContext::new(7)), Some(CUresult::CUDA_ERROR_INVALID_DEVICE));
    Ok(())
}

#[test]
fn a_function_that_is_not_simulated_is_an_error() -> Tested {
    let (_alone, sim) = alone()?;
    let stream = CudaContext::new(0)?.new_stream()?;
    let context = stream.context();
    // SAFETY: refused.
    let refused = unsafe { cudarc::driver::sys::cuCtxDisablePeerAccess(context.cu_ctx()) };
    assert_eq!(refused, CUresult::CUDA_ERROR_NOT_SUPPORTED);
    assert_eq!(sim.calls("cuCtxDisablePeerAccess"), 1);
    Ok(())
}

#[test]
fn the_last_release_of_a_context_frees_what_it_owns_and_no_pools_block() -> Tested {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let leaked = context.default_stream().alloc_zeros::<u8>(100)?.leak();
    // SAFETY: freed with the context.
    unsafe { cudarc::driver::result::malloc_sync(50) }?;
    assert_eq!(sim.live().devices[0].bytes, 150);
    drop(context);
    assert_eq!(sim.blocks().iter().map(|block| block.address).collect::<Vec<_>>(), [leaked]);
    let _again = CudaContext::new(0)?;
    // SAFETY: nobody else frees it.
    unsafe { cudarc::driver::result::free_sync(leaked) }?;
    Ok(())
}
