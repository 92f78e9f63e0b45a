//! `Aligned`: what upstream is asked for, and what the caller gets.

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_cuda::Error;
use memprof_cuda::resource::{Aligned, CudaMemory, DeviceMemory, Tracked};

use super::Outcome;
use super::resource::{device, free};

/// What an upstream was asked to allocate and to free.
#[derive(Default)]
struct Asked {
    allocated: Mutex<Vec<usize>>,
    freed: Mutex<Vec<(CUdeviceptr, usize)>>,
}

/// An upstream without memory, whose blocks all lie at one address.
struct At<'a>(CUdeviceptr, &'a Asked);

impl DeviceMemory for At<'_> {
    fn allocate(&self, bytes: usize, _stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        self.1.allocated.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        Ok(self.0)
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, _stream: &Arc<CudaStream>) -> Result<(), Error> {
        self.1.freed.lock().unwrap_or_else(PoisonError::into_inner).push((pointer, bytes));
        Ok(())
    }
}

#[test]
fn an_alignment_is_a_power_of_two_of_at_least_256() -> Outcome {
    for wrong in [0, 255, 768] {
        let error = Aligned::new(CudaMemory, wrong, 0).err().ok_or("it was taken")?;
        assert_eq!(error.to_string(), format!("cannot align to {wrong} bytes: not a power of two"));
    }
    for (alignment, raised) in [(1, 256), (128, 256), (256, 256), (4096, 4096)] {
        assert_eq!(Aligned::new(CudaMemory, alignment, 0)?.alignment(), raised);
    }
    assert_eq!(Aligned::new(CudaMemory, 4096, 1)?.alignment(), 256, "small blocks pass unchanged");
    Ok(())
}

/// What upstream at `address` is asked for, and where the block is.
fn ask(
    alignment: usize,
    threshold: usize,
    address: CUdeviceptr,
    bytes: usize,
) -> Result<(usize, CUdeviceptr), Box<dyn std::error::Error>> {
    let device = device()?;
    let asked = Asked::default();
    let resource = Aligned::new(At(address, &asked), alignment, threshold)?;
    let pointer = resource.allocate(bytes, &device.stream)?;
    free(&resource, pointer, bytes, &device.stream)?;
    drop(resource);
    let allocated = asked.allocated.into_inner()?;
    let [upstream_bytes] = allocated[..] else { return Err(format!("asked for {allocated:?}").into()) };
    assert_eq!(asked.freed.into_inner()?, [(address, upstream_bytes)], "upstream gets back what it gave");
    Ok((upstream_bytes, pointer))
}

#[test]
fn small_blocks_and_the_driver_s_alignment_pass_unchanged() -> Outcome {
    for bytes in [3, 65_528] {
        assert_eq!(ask(4096, 65_536, 256, bytes)?, (bytes, 256));
    }
    for bytes in [0, 5, 65_536] {
        assert_eq!(ask(256, 0, 256, bytes)?, (bytes, 256));
    }
    assert_eq!(ask(4096, 0, 256, 0)?, (0, 256));
    Ok(())
}

#[test]
fn upstream_is_asked_for_so_much_that_an_aligned_block_is_within() -> Outcome {
    for (bytes, upstream_bytes) in [(65_536, 69_376), (73_728, 77_568), (77_800, 81_664)] {
        assert_eq!(ask(4096, 65_536, 4096, bytes)?, (upstream_bytes, 4096));
    }
    Ok(())
}

#[test]
fn a_pointer_that_is_not_aligned_is_rounded_up() -> Outcome {
    for (address, aligned) in [(256, 4096), (131_584, 135_168), (263_168, 266_240)] {
        assert_eq!(ask(4096, 65_536, address, 65_536)?, (69_376, aligned));
    }
    Ok(())
}

#[test]
fn books_above_see_what_was_asked_for_and_those_below_what_was_padded() -> Outcome {
    let device = device()?;
    let below = Tracked::new(CudaMemory);
    let above = Tracked::new(Aligned::new(&below, 4096, 0)?);
    let pointer = above.allocate(5000, &device.stream)?;
    assert_eq!(pointer % 4096, 0);
    assert_eq!((above.allocated_bytes(), below.allocated_bytes()), (5000, 8192 + 4096 - 256));
    free(&above, pointer, 5000, &device.stream)?;
    assert_eq!((above.allocated_bytes(), below.allocated_bytes()), (0, 0));
    Ok(())
}
