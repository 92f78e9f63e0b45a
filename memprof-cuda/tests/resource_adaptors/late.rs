//! A free must be in the books before the memory goes back: another thread can get the address at once. These tests hold
//! a free open between the driver's call and its return, and allocate on another thread meanwhile. A deliberately late
//! adaptor must be caught by them.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::Space;
use memprof_cuda::Error;
use memprof_cuda::resource::{CudaMemory, DeviceMemory, Limiting, Tracked};

use super::Outcome;
use super::resource::{Device, device, free, skipped};

/// Calls `after_free` when the driver has freed, before the adaptors above know it.
struct Slow<F>(F);

impl<F: Fn() + Send + Sync> DeviceMemory for Slow<F> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        CudaMemory.allocate(bytes, stream)
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        // SAFETY: the caller's promises.
        let freed = unsafe { CudaMemory.deallocate(pointer, bytes, stream) };
        (self.0)();
        freed
    }
}

/// Records a free when the memory has gone back already.
struct Late<R> {
    upstream: R,
    space: Space,
}

impl<R: DeviceMemory> DeviceMemory for Late<R> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        let pointer = self.upstream.allocate(bytes, stream)?;
        memprof_core::record_alloc(self.space, pointer, bytes as u64);
        Ok(pointer)
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        // SAFETY: the caller's promises.
        let freed = unsafe { self.upstream.deallocate(pointer, bytes, stream) };
        memprof_core::record_free(self.space, pointer);
        freed
    }
}

/// What a race showed.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    missed_frees: u64,
    live: i64,
    live_blocks: i64,
}

/// One thread frees a block, and before that call returns another one allocates as many bytes. What memprof says then,
/// while that second block is live; `None` where the driver gave another address.
fn race<R: DeviceMemory>(
    device: &Device,
    space: Space,
    bytes: usize,
    make: impl FnOnce(Slow<Box<dyn Fn() + Send + Sync>>) -> R,
) -> Result<Option<Shown>, Box<dyn std::error::Error>> {
    let (freed, wait_for_free) = mpsc::channel::<()>();
    let (allocated, wait_for_allocation) = mpsc::channel::<()>();
    let wait_for_allocation = Mutex::new(wait_for_allocation);
    let first_free = Mutex::new(Some(freed));
    let resource = make(Slow(Box::new(move || {
        let Some(freed) = first_free.lock().ok().and_then(|mut freed| freed.take()) else { return };
        let _ = freed.send(());
        let _ = wait_for_allocation.lock().map(|wait| wait.recv());
    })));
    let stream = &device.stream;
    let resource = &resource;
    let one = resource.allocate(bytes, stream)?;
    let other = thread::scope(|scope| {
        let other = scope.spawn(move || {
            let _ = wait_for_free.recv();
            let pointer = resource.allocate(bytes, stream);
            let _ = allocated.send(());
            pointer
        });
        free(resource, one, bytes, stream)?;
        Ok::<_, Box<dyn std::error::Error>>(other.join().map_err(|_| "the other thread panicked")??)
    })?;
    let totals = memprof_core::snapshot().totals(space);
    let shown = Shown { missed_frees: totals.missed_frees, live: totals.live, live_blocks: totals.live_blocks };
    free(resource, other, bytes, stream)?;
    if one != other {
        skipped("the driver did not give the same address again");
        return Ok(None);
    }
    Ok(Some(shown))
}

#[test]
fn a_late_adaptor_is_caught() -> Outcome {
    let device = device()?;
    let space = Space::named("late");
    if let Some(shown) = race(&device, space, 100_000, |upstream| Late { upstream, space })? {
        assert_eq!(shown, Shown { missed_frees: 1, live: 0, live_blocks: 0 }, "the block that is live is lost");
    }
    Ok(())
}

#[test]
fn tracked_closes_its_books_before_the_address_is_reused() -> Outcome {
    let device = device()?;
    for (name, bytes) in [("in time", 100_000), ("in time, 256 bytes", 256), ("in time, 0 bytes", 0)] {
        let space = Space::named(name);
        let tracked = Mutex::new(None);
        let shown = race(&device, space, bytes, |upstream| {
            let resource = Arc::new(Tracked::in_space(upstream, space));
            if let Ok(mut tracked) = tracked.lock() {
                *tracked = Some(Arc::clone(&resource));
            }
            resource
        })?;
        let Some(shown) = shown else { continue };
        assert_eq!(shown, Shown { missed_frees: 0, live: i64::try_from(bytes)?, live_blocks: 1 }, "{name}");
        let tracked = tracked.into_inner()?.ok_or("there is a resource")?;
        assert_eq!((tracked.allocated_bytes(), tracked.outstanding_allocations().len()), (0, 0), "{name}");
        assert_eq!((tracked.unknown_frees(), tracked.missed_frees()), (0, 0), "{name}");
    }
    Ok(())
}

#[test]
fn limiting_keeps_its_books_when_the_address_is_reused() -> Outcome {
    let device = device()?;
    let space = Space::named("limited in time");
    let limiting = Mutex::new(None);
    let shown = race(&device, space, 100_000, |upstream| {
        let resource = Arc::new(Limiting::new(upstream, 300_000));
        if let Ok(mut limiting) = limiting.lock() {
            *limiting = Some(Arc::clone(&resource));
        }
        Tracked::in_space(resource, space)
    })?;
    if shown.is_some() {
        let limiting = limiting.into_inner()?.ok_or("there is a resource")?;
        assert_eq!(limiting.allocated_bytes(), 0);
    }
    Ok(())
}
