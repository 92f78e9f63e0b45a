//! Calls of tracked types that are under way while interception begins or ends: recorded once, by whom their beginning
//! found in charge.
#![expect(unsafe_code, reason = "memory is allocated without being set")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cudarc::driver::{CudaStream, sys::CUdeviceptr};
use memprof_core::Space;
use memprof_cuda::resource::{CudaMemory, DeviceMemory, Tracked};
use memprof_cuda::{Error, Intercepted, TrackedExt as _};

use crate::ground::{self, Tried, agree, alone, live, totals};

const DEVICE: fn() -> Space = || Space::device(0);

/// What happens to interception within a call.
#[derive(Clone, Copy, Debug, Default)]
enum Moment {
    #[default]
    Never,
    BeforeTheDriver,
    AfterTheDriver,
}

/// The driver's plain memory, and interception that begins, or ends, in the midst of its calls.
#[derive(Default)]
struct Switching {
    moment: Mutex<Moment>,
    guard: Mutex<Option<Intercepted>>,
}

impl Switching {
    fn at(&self, moment: Moment) {
        *self.moment.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    /// Begins interception if it is off, and else ends it.
    fn switch(&self) -> Result<(), Error> {
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        *guard = if guard.is_some() { None } else { Some(memprof_cuda::intercept()?) };
        Ok(())
    }

    fn around<R>(&self, call: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
        let moment = *self.moment.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(moment, Moment::BeforeTheDriver) {
            self.switch()?;
        }
        let done = call()?;
        if matches!(moment, Moment::AfterTheDriver) {
            self.switch()?;
        }
        Ok(done)
    }
}

impl DeviceMemory for &Switching {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        self.around(|| CudaMemory.allocate(bytes, stream))
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        // SAFETY: the caller's promises.
        self.around(|| unsafe { CudaMemory.deallocate(pointer, bytes, stream) })
    }
}

/// Blocks allocated since, frees missed and frees of unknown blocks.
fn since(before: &memprof_core::Totals) -> (u64, u64, u64) {
    let now = totals(DEVICE());
    let missed = now.missed_frees - before.missed_frees;
    (now.blocks_total - before.blocks_total, missed, now.unknown_frees - before.unknown_frees)
}

#[test]
fn a_call_in_which_interception_begins_or_ends_is_recorded_once() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = memprof_cuda::context(0)?.default_stream();
    for moment in [Moment::BeforeTheDriver, Moment::AfterTheDriver] {
        for intercepted in [false, true] {
            let switching = Switching::default();
            let tracked = Tracked::new(&switching);
            let before = totals(DEVICE());
            if intercepted {
                switching.switch()?;
            }
            switching.at(moment);
            let pointer = tracked.allocate(100, &stream)?;
            assert_eq!(live(DEVICE()), (100, 1), "{moment:?} of an allocation, intercepted: {intercepted}");
            agree(sim);
            switching.at(Moment::Never);
            // SAFETY: nobody uses it.
            unsafe { tracked.deallocate(pointer, 100, &stream) }?;
            assert_eq!((live(DEVICE()), since(&before)), ((0, 0), (1, 0, 0)), "{moment:?}, {intercepted}");

            let pointer = tracked.allocate(100, &stream)?;
            switching.at(moment);
            // SAFETY: nobody uses it.
            unsafe { tracked.deallocate(pointer, 100, &stream) }?;
            assert_eq!(live(DEVICE()), (0, 0), "{moment:?} of a free, intercepted: {intercepted}");
            assert_eq!(since(&before), (2, 0, 0), "{moment:?} of a free, intercepted: {intercepted}");
            agree(sim);
        }
    }
    Ok(())
}

#[test]
fn interception_that_ended_within_a_call_lets_go_of_cupti_and_can_begin_again() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = memprof_cuda::context(0)?.default_stream();
    let switching = Switching::default();
    let tracked = Tracked::new(&switching);
    switching.switch()?;
    switching.at(Moment::BeforeTheDriver);
    let pointer = tracked.allocate(100, &stream)?;
    drop(ground::Subscribed::to(sim)?);
    // Begins within one call, and ends within the next.
    // SAFETY: nobody uses it.
    unsafe { tracked.deallocate(pointer, 100, &stream) }?;
    let pointer = tracked.allocate(100, &stream)?;
    drop(ground::Subscribed::to(sim)?);
    switching.at(Moment::Never);
    // SAFETY: nobody uses it.
    unsafe { tracked.deallocate(pointer, 100, &stream) }?;
    agree(sim);
    Ok(())
}

#[test]
fn threads_that_allocate_while_it_begins_and_ends_are_counted_to_the_block() -> Tried {
    const THREADS: u64 = 3;
    const TURNS: u64 = 3_000;
    let (_alone, sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let before = totals(DEVICE());
    let at_work = AtomicBool::new(true);
    thread::scope(|scope| -> Tried {
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                let context = &context;
                scope.spawn(move || {
                    let stream = context.new_stream()?.tracked();
                    (0..TURNS).try_for_each(|_| {
                        // SAFETY: nobody reads it.
                        unsafe { stream.alloc::<u8>(64) }.map(drop)
                    })
                })
            })
            .collect();
        let switching = scope.spawn(|| {
            while at_work.load(Ordering::Relaxed) {
                drop(memprof_cuda::intercept()?);
                thread::yield_now();
            }
            Ok::<_, Error>(())
        });
        for worker in workers {
            worker.join().map_err(|_| "a thread panicked")??;
        }
        at_work.store(false, Ordering::Relaxed);
        switching.join().map_err(|_| "interception panicked")??;
        Ok(())
    })?;
    assert_eq!((live(DEVICE()), since(&before)), ((0, 0), (THREADS * TURNS, 0, 0)));
    agree(sim);
    Ok(())
}
