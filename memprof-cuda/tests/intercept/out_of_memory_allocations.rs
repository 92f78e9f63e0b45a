//! What a program allocates and frees through `Tracked` while it is asked about memory that does not suffice is on the
//! books as anything else.
#![expect(unsafe_code, reason = "device memory")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::CudaStream;
use memprof_core::Space;
use memprof_cuda::resource::{CudaMemory, DeviceMemory, FailureCallback, Tracked};
use memprof_cuda::{Action, Error, TrackedExt as _, on_out_of_memory};

use crate::ground::{self, Tried, agree, alone, live, totals};

const DEVICE: fn() -> Space = || Space::device(0);

fn free(resource: &impl DeviceMemory, pointer: u64, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
    // SAFETY: nobody uses the memory.
    unsafe { resource.deallocate(pointer, bytes, stream) }
}

/// A resource of its own for what is put aside while memory does not suffice, and what it has given.
struct Staging {
    resource: Tracked<CudaMemory>,
    stream: Arc<CudaStream>,
    kept: Mutex<Vec<u64>>,
}

impl Staging {
    fn new() -> Tried<Arc<Self>> {
        let stream = memprof_cuda::context(0)?.default_stream();
        Ok(Arc::new(Self { resource: Tracked::new(CudaMemory), stream, kept: Mutex::default() }))
    }

    fn kept(&self) -> MutexGuard<'_, Vec<u64>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates 500 bytes that stay and 300 that do not. A panic here would be the callback's.
    fn put_aside(&self) -> bool {
        let done = || {
            let passing = self.resource.allocate(300, &self.stream)?;
            self.kept().push(self.resource.allocate(500, &self.stream)?);
            free(&self.resource, passing, 300, &self.stream)
        };
        done().is_ok()
    }

    fn free_all(&self) -> Result<(), Error> {
        self.kept().drain(..).try_for_each(|pointer| free(&self.resource, pointer, 500, &self.stream))
    }
}

/// Blocks allocated so far, unknown and missed frees.
fn counts() -> (u64, u64, u64) {
    let totals = totals(DEVICE());
    (totals.blocks_total, totals.unknown_frees, totals.missed_frees)
}

/// `allocate` runs out of memory once, whereupon `staging` puts 500 bytes aside, and then gives 1,000 bytes; `free` frees
/// them.
fn check(
    staging: &Staging,
    allocate: impl Fn() -> Result<u64, Error>,
    free: impl Fn(u64) -> Result<(), Error>,
) -> Tried {
    let (_blocks, unknown, missed) = counts();
    for intercepted in [false, true] {
        let guard = if intercepted { Some(memprof_cuda::intercept()?) } else { None };
        let (blocks, ..) = counts();
        let pointer = allocate()?;
        assert_eq!(live(DEVICE()), (1_500, 2), "intercepted: {intercepted}");
        assert_eq!(staging.resource.allocated_bytes(), 500);
        free(pointer)?;
        assert_eq!(live(DEVICE()), (500, 1), "intercepted: {intercepted}");
        staging.free_all()?;
        assert_eq!(live(DEVICE()), (0, 0), "intercepted: {intercepted}");
        assert_eq!(counts(), (blocks + 3, unknown, missed), "intercepted: {intercepted}");
        drop(guard);
    }
    Ok(())
}

#[test]
fn within_a_failure_callback_below_a_tracked_resource() -> Tried {
    let (_alone, sim) = alone()?;
    let staging = Staging::new()?;
    // Below it too, so that what is reported around the callback goes on after it.
    let resource = Tracked::new(FailureCallback::new(Tracked::new(CudaMemory), |_| staging.put_aside()));
    let allocate = || {
        sim.fail_next("cuMemAlloc_v2", 2, 1);
        resource.allocate(1_000, &staging.stream)
    };
    check(&staging, allocate, |pointer| free(&resource, pointer, 1_000, &staging.stream))?;
    agree(sim);
    Ok(())
}

#[test]
fn within_on_out_of_memory_for_a_tracked_resource() -> Tried {
    let (_alone, sim) = alone()?;
    let staging = Staging::new()?;
    let asked = Arc::clone(&staging);
    on_out_of_memory(move |_| if asked.put_aside() { Action::Retry } else { Action::GiveUp });
    let resource = Tracked::new(Tracked::new(CudaMemory));
    let allocate = || {
        sim.fail_next("cuMemAlloc_v2", 2, 1);
        resource.allocate(1_000, &staging.stream)
    };
    let checked = check(&staging, allocate, |pointer| free(&resource, pointer, 1_000, &staging.stream));
    on_out_of_memory(|_| Action::GiveUp);
    checked?;
    agree(sim);
    Ok(())
}

#[test]
fn within_on_out_of_memory_for_a_tracked_stream() -> Tried {
    let (_alone, sim) = alone()?;
    let staging = Staging::new()?;
    let asked = Arc::clone(&staging);
    on_out_of_memory(move |_| if asked.put_aside() { Action::Retry } else { Action::GiveUp });
    let stream = staging.stream.tracked();
    let allocate = || {
        sim.fail_next("cuMemAllocAsync", 2, 1);
        Ok(stream.alloc_zeros::<u8>(1_000)?.leak())
    };
    let free = |pointer| {
        // SAFETY: an address that a slice of as many bytes has left behind.
        drop(unsafe { stream.upgrade_device_ptr::<u8>(pointer, 1_000) });
        Ok(())
    };
    let checked = check(&staging, allocate, free);
    on_out_of_memory(|_| Action::GiveUp);
    checked?;
    agree(sim);
    Ok(())
}

#[test]
fn interception_that_begins_within_a_failure_callback_sees_what_that_allocates_and_not_the_call_around_it() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = memprof_cuda::context(0)?.default_stream();
    let begun = Mutex::new(None);
    let resource = Tracked::new(FailureCallback::new(CudaMemory, |_| {
        let Ok(guard) = memprof_cuda::intercept() else { return false };
        let plain = ground::allocate(500).ok();
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        *begun = plain.map(|plain| (guard, plain));
        begun.is_some()
    }));
    let before = totals(DEVICE()).blocks_total;
    sim.fail_next("cuMemAlloc_v2", 2, 1);
    let pointer = resource.allocate(1_000, &stream)?;
    assert_eq!((live(DEVICE()), totals(DEVICE()).blocks_total), ((1_500, 2), before + 2));
    agree(sim);
    free(&resource, pointer, 1_000, &stream)?;
    let (_guard, plain) = begun.into_inner()?.ok_or("the callback was not asked")?;
    ground::free(plain)?;
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}
