//! `DeviceBuffer`: a slice of cudarc's in all but where its memory comes from.

use std::ffi::c_void;
use std::ptr::with_exposed_provenance_mut;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut, DeviceSlice, LaunchConfig, PushKernelArg as _};
use cudarc::nvrtc::Ptx;
use memprof_core::Space;
use memprof_cuda::resource::{
    Aligned, CudaAsyncMemory, CudaMemory, DeviceBuffer, Limiting, ManagedMemory, PinnedHostMemory, Tracked,
};
use memprof_cuda_sim::Dimensions;

use super::Outcome;
use super::resource::{MIB, Resource, adaptors, books, device, driver_resources, free};

/// Generic over cudarc's traits, as its own functions and libraries are.
fn address<T>(slice: &impl DevicePtr<T>) -> u64 {
    slice.device_ptr(slice.stream()).0
}

#[test]
fn it_is_copied_and_set_as_a_slice_from_every_resource() -> Outcome {
    let device = device()?;
    for (name, upstream) in driver_resources() {
        for (adaptor, resource) in adaptors(&upstream)? {
            let stream = device.context.new_stream()?;
            let mut values = DeviceBuffer::from_host(Arc::clone(&resource), &[1_u32, 2, 3], &stream)?;
            assert_eq!((values.len(), values.num_bytes()), (3, 12));
            assert_eq!(stream.clone_dtoh(&values)?, [1, 2, 3], "{adaptor} over {name}");
            let mut copy = DeviceBuffer::<u32, Resource>::zeros(resource, 3, &stream)?;
            assert_eq!(stream.clone_dtoh(&copy)?, [0, 0, 0]);
            stream.memcpy_dtod(&values, &mut copy)?;
            stream.memset_zeros(&mut values)?;
            stream.memcpy_htod(&[7], &mut copy.try_slice_mut(1..2).ok_or("there are three")?)?;
            assert_eq!(stream.clone_dtoh(&copy.slice(0..2))?, [1, 7], "{adaptor} over {name}");
            assert_eq!(stream.clone_dtoh(&values)?, [0, 0, 0]);
            stream.memset_zeros(&mut copy.as_view_mut())?;
            assert_eq!(stream.clone_dtoh(&copy)?, [0, 0, 0]);
        }
    }
    Ok(())
}

#[test]
fn it_goes_back_to_its_resource_with_its_own_bytes() -> Outcome {
    let device = device()?;
    let limiting = Limiting::new(CudaMemory, MIB);
    let tracked = Tracked::new(&limiting);
    let buffer = DeviceBuffer::<f64, _>::zeros(&tracked, 100, &device.stream)?;
    assert_eq!((tracked.allocated_bytes(), limiting.allocated_bytes()), (800, 1024));
    assert_eq!(buffer.resource().allocated_bytes(), 800);
    drop(buffer);
    assert_eq!((tracked.allocated_bytes(), limiting.allocated_bytes()), (0, 0));
    assert_eq!((tracked.mismatched_frees(), tracked.unknown_frees()), (0, 0));
    Ok(())
}

#[test]
fn an_empty_one_is_a_block_of_no_bytes() -> Outcome {
    let device = device()?;
    let tracked = Tracked::new(CudaMemory);
    let before = books(Space::device(0));
    let buffer = DeviceBuffer::<f64, _>::from_host(&tracked, &[], &device.stream)?;
    assert_eq!((buffer.len(), address(&buffer)), (0, 0));
    assert_eq!(books(Space::device(0)).live_blocks, before.live_blocks + 1);
    buffer.free()?;
    assert_eq!(books(Space::device(0)), before);
    Ok(())
}

#[test]
fn from_the_driver_s_own_memory_it_becomes_a_slice_that_is_freed_once() -> Outcome {
    let device = device()?;
    let stream = device.context.new_stream()?;
    let live = || device.driver.simulator().map(|sim| (sim.blocks().len(), sim.live().devices[0].frees));
    let before = live();
    let plain = DeviceBuffer::from_host(CudaMemory, &[1_u8, 2], &stream)?;
    let pooled = DeviceBuffer::from_host(Arc::new(CudaAsyncMemory), &[3_u8, 4], &stream)?;
    let addresses = [address(&plain), address(&pooled)];
    let slices: [CudaSlice<u8>; 2] = [plain.into_slice(), pooled.into()];
    assert_eq!([address(&slices[0]), address(&slices[1])], addresses);
    assert_eq!(live(), before.map(|(blocks, frees)| (blocks + 2, frees)), "still there");
    assert_eq!([stream.clone_dtoh(&slices[0])?, stream.clone_dtoh(&slices[1])?], [[1, 2], [3, 4]]);
    drop(slices);
    assert_eq!(live(), before.map(|(blocks, frees)| (blocks, frees + 2)));
    drop(DeviceBuffer::<u8, _>::zeros(CudaMemory, 0, &stream)?.into_slice());
    device.context.check_err()?;
    Ok(())
}

#[test]
fn a_free_that_the_driver_refuses_leaves_the_books_and_is_said() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    let tracked = Tracked::new(CudaMemory);
    for explicitly in [true, false] {
        let buffer = DeviceBuffer::<u8, _>::zeros(&tracked, 1000, &device.stream)?;
        let (pointer, live) = (address(&buffer), books(Space::device(0)));
        sim.fail_next("cuMemFree_v2", 700, 1);
        if explicitly {
            let error = buffer.free().err().ok_or("it was freed")?;
            let expected = format!("cannot free 1000 bytes of cuda:0 at {pointer:#x}: CUDA_ERROR_ILLEGAL_ADDRESS");
            assert_eq!(error.to_string(), expected);
        } else {
            drop(buffer);
            assert_eq!(device.context.check_err().map_err(|error| error.0 as u32), Err(700));
        }
        assert_eq!(tracked.allocated_bytes(), 1000);
        assert_eq!(books(Space::device(0)), live);
        free(&tracked, pointer, 1000, &device.stream)?;
    }
    Ok(())
}

#[test]
fn too_many_values_are_out_of_memory() -> Outcome {
    let device = device()?;
    let resource = Tracked::new(CudaMemory);
    let failed = || memprof_core::snapshot().totals(Space::device(0)).failed;
    let before = failed();
    let error =
        DeviceBuffer::<u64, _>::zeros(resource, usize::MAX / 4, &device.stream).err().ok_or("it was allocated")?;
    assert!(error.is_out_of_memory());
    assert_eq!(failed(), before, "no resource was asked");
    assert_eq!(error.to_string(), "cannot allocate 4611686018427387903 values of 8 bytes: out_of_memory");
    Ok(())
}

#[test]
fn a_failure_to_make_its_events_gives_the_memory_back() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    let tracked = Tracked::new(CudaMemory);
    sim.fail_next("cuEventCreate", 2, 1);
    assert!(DeviceBuffer::<u8, _>::zeros(&tracked, 1000, &device.stream).is_err());
    assert_eq!(tracked.allocated_bytes(), 0);
    Ok(())
}

#[test]
fn spaces_are_those_of_their_resources() -> Outcome {
    let device = device()?;
    let pinned = Tracked::new(PinnedHostMemory);
    let managed = Tracked::new(Aligned::new(ManagedMemory, 4096, 0)?);
    let live = || [Space::PINNED, Space::MANAGED].map(|space| books(space).live);
    let before = live();
    let buffers = (
        DeviceBuffer::from_host(&pinned, &[1_u8; 100], &device.stream)?,
        DeviceBuffer::from_host(&managed, &[1_u8; 200], &device.stream)?,
    );
    assert_eq!(live(), [before[0] + 100, before[1] + 200]);
    drop(buffers);
    assert_eq!(live(), before);
    Ok(())
}

/// A buffer is a mutable argument where cudarc takes one.
#[test]
fn it_is_written_through_cudarc_s_own_traits() -> Outcome {
    fn fill(slice: &mut impl DevicePtrMut<u8>) -> Outcome {
        let stream = Arc::clone(slice.stream());
        Ok(stream.memset_zeros(slice)?)
    }
    let device = device()?;
    let mut buffer = DeviceBuffer::from_host(CudaMemory, &[9_u8; 10], &device.stream)?;
    fill(&mut buffer)?;
    assert_eq!(device.stream.clone_dtoh(&buffer)?, [0; 10]);
    Ok(())
}

/// Stands for the kernel `add_one(to, from)`, of one value each.
unsafe extern "C" fn add_one(arguments: *const *mut c_void, _grid: Dimensions, _block: Dimensions) {
    let address = |index: usize| {
        // SAFETY: two arguments are given.
        let place = unsafe { arguments.add(index) };
        // SAFETY: the place of one of them.
        let argument = unsafe { *place };
        // SAFETY: each argument is the address of a device pointer.
        let address = unsafe { *argument.cast::<usize>() };
        with_exposed_provenance_mut::<u64>(address)
    };
    // SAFETY: a value of the buffer that was given second.
    let value = unsafe { *address(1) };
    // SAFETY: the value of the buffer that was given first.
    unsafe { *address(0) = value + 1 };
}

#[test]
fn it_is_a_kernel_s_argument() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    sim.register_kernel("add_one", add_one);
    let module = device.context.load_module(Ptx::from_src("any text is a module here"))?;
    let function = module.load_function("add_one")?;
    for stream in [Arc::clone(&device.stream), device.context.new_stream()?] {
        let from = DeviceBuffer::from_host(CudaAsyncMemory, &[41_u64], &stream)?;
        let mut to = DeviceBuffer::<u64, _>::zeros(Limiting::new(CudaMemory, 1000), 1, &stream)?;
        let mut launch = stream.launch_builder(&function);
        launch.arg(&mut to).arg(&from);
        // SAFETY: the arguments are those that the kernel takes.
        unsafe { launch.launch(LaunchConfig::for_num_elems(1)) }?;
        assert_eq!(stream.clone_dtoh(&to)?, [42]);
    }
    Ok(())
}
