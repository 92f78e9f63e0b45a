//! Tracked memory is accepted wherever cudarc takes its own: copies, fills, views, kernels.

#![expect(unsafe_code, reason = "cudarc's kernels and unset memory")]

use std::ffi::c_void;
use std::sync::Arc;

use crate::support::{DEVICE, Outcome, Turn, live};
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, LaunchConfig, PushKernelArg as _};
use cudarc::nvrtc::Ptx;
use memprof_cuda::TrackedExt as _;
use memprof_cuda_sim::Dimensions;

/// What a user has: functions of cudarc's types.
fn of_a_slice(slice: &CudaSlice<u8>) -> usize {
    slice.num_bytes()
}

fn of_a_stream(stream: &Arc<CudaStream>) -> usize {
    stream.context().ordinal()
}

fn of_anything(stream: &Arc<CudaStream>, slice: &impl DevicePtr<u8>) -> Result<Vec<u8>, cudarc::driver::DriverError> {
    stream.clone_dtoh(slice)
}

#[test]
fn functions_of_cudarcs_types_take_tracked_ones() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    let slice = stream.clone_htod(&[1_u8, 2, 3])?;
    assert_eq!(of_a_slice(&slice), 3);
    assert_eq!(of_a_stream(&stream), 0);
    assert_eq!(of_anything(&stream, &slice)?, [1, 2, 3]);
    assert_eq!(of_anything(&stream, &slice.slice(1..))?, [2, 3]);
    assert_eq!(Vec::try_from(slice)?, [1, 2, 3]);
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}

#[test]
fn copies_and_fills_reach_tracked_memory() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        let mut one = stream.clone_htod(&[1_u8, 2, 3, 4])?;
        let mut two = stream.alloc_zeros::<u8>(4)?;
        stream.memcpy_dtod(&one, &mut two)?;
        stream.memset_zeros(&mut one)?;
        stream.memcpy_htod(&[9], &mut one.slice_mut(3..))?;
        let (head, tail) = one.split_at(3);
        assert_eq!((stream.clone_dtoh(&head)?, stream.clone_dtoh(&tail)?), (vec![0, 0, 0], vec![9]));
        assert_eq!(stream.clone_dtoh(&two)?, [1, 2, 3, 4]);
        let clone = two.clone();
        stream.memset_zeros(&mut two)?;
        assert_eq!(stream.clone_dtoh(&clone)?, [1, 2, 3, 4]);
    }
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}

#[test]
fn streams_wait_for_each_other_through_tracked_memory() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let context = memprof_cuda::context(0)?.tracked();
    let (writer, reader) = (context.new_stream()?, context.new_stream()?);
    let slice = writer.clone_htod(&[5_u8; 8])?;
    assert_eq!(reader.clone_dtoh(&slice)?, [5; 8]);
    let waits = sim.calls("cuStreamWaitEvent");
    drop(slice);
    // The stream that frees waits for the last read and the last write.
    assert_eq!(sim.calls("cuStreamWaitEvent") - waits, 2);
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}

#[test]
fn an_allocation_records_no_event_that_cudarcs_own_does_not() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = memprof_cuda::context(0)?.tracked().new_stream()?;
    // SAFETY: nobody reads it.
    drop(unsafe { stream.alloc::<u8>(8) }?);
    assert_eq!(sim.calls("cuEventRecord"), 0);
    Ok(())
}

#[test]
fn pinned_and_managed_memory_are_copied_from_and_to() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    // SAFETY: written on the next line.
    let mut pinned = unsafe { stream.pinned::<u8>(3) }?;
    pinned.as_mut_slice()?.copy_from_slice(&[1, 2, 3]);
    let slice = stream.clone_htod(&pinned)?;
    // SAFETY: written on the next line.
    let mut managed = unsafe { stream.managed::<u8>(3, true) }?;
    stream.memcpy_dtod(&slice, &mut managed)?;
    stream.synchronize()?;
    assert_eq!(managed.as_slice()?, [1, 2, 3]);
    managed.as_mut_slice()?[0] = 7;
    stream.memcpy_dtoh(&managed, &mut pinned)?;
    // With one stream cudarc notes no use of host memory, and `as_slice` waits for none.
    stream.synchronize()?;
    assert_eq!(pinned.as_slice()?, [7, 2, 3]);
    Ok(())
}

/// Stands for a kernel `(out, in, managed, mapped, add)`: adds everything up.
unsafe extern "C" fn sum(parameters: *const *mut c_void, _grid: Dimensions, _block: Dimensions) {
    let argument = |index: usize| {
        // SAFETY: the launch below passes five arguments.
        let place = unsafe { parameters.add(index) };
        // SAFETY: as above; each is a pointer to the argument.
        let place = unsafe { place.read() };
        // SAFETY: each of them is 64 bits wide.
        unsafe { place.cast::<u64>().read() }
    };
    // SAFETY: the arguments but the first and last are device memory of one element.
    let value = |index: usize| unsafe { (argument(index) as *const u64).read() };
    let total = value(1) + value(2) + value(3) + argument(4);
    // SAFETY: the first is device memory of one element that the launch lends mutably.
    unsafe { (argument(0) as *mut u64).write(total) };
}

#[test]
fn tracked_memory_is_a_kernels_argument() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    sim.register_kernel("sum", sum);
    for stream in turn.streams()? {
        let function =
            stream.context().load_module(Ptx::from_src("any text is a module here"))?.load_function("sum")?;
        let mut out = stream.alloc_zeros::<u64>(1)?;
        let given = stream.clone_htod(&[100_u64])?;
        // SAFETY: written on the next line.
        let mut managed = unsafe { stream.managed::<u64>(1, true) }?;
        managed.as_mut_slice()?[0] = 20;
        // SAFETY: written on the next line.
        let mut mapped = unsafe { stream.map::<u64>(1) }?;
        stream.memcpy_htod(&[3_u64], &mut mapped)?;
        let mut launch = stream.launch_builder(&function);
        launch.arg(&mut out).arg(&given).arg(&managed).arg(&mapped).arg(&4000_u64);
        // SAFETY: the arguments are those that `sum` takes.
        unsafe { launch.launch(LaunchConfig::for_num_elems(1)) }?;
        assert_eq!(stream.clone_dtoh(&out)?, [4123]);
    }
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}
