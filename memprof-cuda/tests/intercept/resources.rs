//! Resources whose blocks live while interception begins or ends: each is counted once in each space, and goes off the
//! books with its free, to the byte.
#![expect(unsafe_code, reason = "device memory")]

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaStream;
use memprof_core::Space;
use memprof_cuda::resource::{Aligned, CudaAsyncMemory, CudaMemory, DeviceMemory, FailureCallback, Limiting, Tracked};
use memprof_cuda::{Error, Intercepted};

use crate::ground::{self, Tried, agree, alone, live, totals};

const DEVICE: fn() -> Space = || Space::device(0);
const ALIGNMENT: usize = 1 << 16;
/// What is asked of the driver for 1,000 bytes that are aligned to that: 65,536, and 65,280 to find the place.
const PADDED: i64 = 130_816;
const BLOCK: usize = 1 << 20;

fn stream() -> Tried<Arc<CudaStream>> {
    Ok(memprof_cuda::context(0)?.default_stream())
}

fn free(resource: &impl DeviceMemory, pointer: u64, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
    // SAFETY: nobody uses the memory; where a test frees what it may not, the driver refuses.
    unsafe { resource.deallocate(pointer, bytes, stream) }
}

/// Whether interception is on while a block is allocated, and while it is freed.
const WAYS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// Begins or ends interception.
fn switch(guard: &mut Option<Intercepted>, on: bool) -> Tried {
    if guard.is_some() != on {
        *guard = None;
        *guard = if on { Some(memprof_cuda::intercept()?) } else { None };
    }
    Ok(())
}

/// Unknown and missed frees of the device so far.
fn lost() -> (u64, u64) {
    let totals = totals(DEVICE());
    (totals.unknown_frees, totals.missed_frees)
}

/// Blocks of 1,000 bytes through `resource`, allocated and freed each way. While they live, the device and `own` have so
/// many bytes as `expected` says, by whether they were allocated under interception; afterwards nothing is left and no
/// free was unknown or missed.
fn cross(resource: &impl DeviceMemory, own: Space, expected: impl Fn(bool) -> ((i64, i64), (i64, i64))) -> Tried {
    let stream = stream()?;
    let before = (live(DEVICE()), live(own), lost());
    for (at_first, at_last) in WAYS {
        let way = format!("allocated under interception: {at_first}, freed: {at_last}");
        let mut guard = None;
        switch(&mut guard, at_first)?;
        let pointers = [resource.allocate(1_000, &stream)?, resource.allocate(1_000, &stream)?];
        switch(&mut guard, at_last)?;
        let (device, in_own) = expected(at_first);
        assert_eq!((live(DEVICE()), live(own)), (device, in_own), "{way}");
        for pointer in pointers {
            free(resource, pointer, 1_000, &stream)?;
        }
        assert_eq!((live(DEVICE()), live(own), lost()), before, "{way}");
    }
    Ok(())
}

/// A resource of a program's own that calls the driver itself.
struct Raw;

impl DeviceMemory for Raw {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<u64, Error> {
        stream.context().bind_to_thread()?;
        Ok(ground::allocate(bytes)?)
    }

    unsafe fn deallocate(&self, pointer: u64, _bytes: usize, _stream: &Arc<CudaStream>) -> Result<(), Error> {
        Ok(ground::free(pointer)?)
    }
}

/// A resource of a program's own that hands out parts of one block, from its first byte on. Unless it keeps that, it gives
/// it back with the last part.
struct Parts<R> {
    upstream: R,
    bytes: usize,
    keeps: bool,
    block: Mutex<Block>,
}

#[derive(Default)]
struct Block {
    pointer: Option<u64>,
    taken: usize,
    parts: usize,
}

impl<R: DeviceMemory> Parts<R> {
    fn new(upstream: R) -> Self {
        Self { upstream, bytes: BLOCK, keeps: false, block: Mutex::default() }
    }

    fn keeping(upstream: R, bytes: usize) -> Self {
        Self { bytes, keeps: true, ..Self::new(upstream) }
    }

    fn give_back(&self, stream: &Arc<CudaStream>) -> Result<(), Error> {
        let block = std::mem::take(&mut *self.block.lock().unwrap_or_else(PoisonError::into_inner));
        block.pointer.map_or(Ok(()), |pointer| free(&self.upstream, pointer, self.bytes, stream))
    }
}

impl<R: DeviceMemory> DeviceMemory for Parts<R> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<u64, Error> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        let start = match block.pointer {
            Some(start) => start,
            None => *block.pointer.insert(self.upstream.allocate(self.bytes, stream)?),
        };
        let part = start + block.taken as u64;
        block.taken += bytes.next_multiple_of(256);
        block.parts += 1;
        Ok(part)
    }

    unsafe fn deallocate(&self, _pointer: u64, _bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        let parts = {
            let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
            block.parts -= 1;
            block.parts
        };
        if parts == 0 && !self.keeps { self.give_back(stream) } else { Ok(()) }
    }

    fn space(&self, stream: &CudaStream) -> Space {
        self.upstream.space(stream)
    }
}

const NOTHING: (i64, i64) = (0, 0);
const TWO: (i64, i64) = (2_000, 2);

#[test]
fn what_the_driver_gave_is_counted_once() -> Tried {
    let (_alone, _sim) = alone()?;
    let own = Space::named("nobody's");
    cross(&Tracked::new(CudaMemory), own, |_| (TWO, NOTHING))?;
    cross(&Tracked::new(CudaAsyncMemory), own, |_| (TWO, NOTHING))?;
    cross(&Tracked::new(Tracked::new(CudaMemory)), own, |_| (TWO, NOTHING))?;
    cross(&Tracked::new(Raw), own, |_| (TWO, NOTHING))
}

#[test]
fn a_space_of_its_own_is_reported_either_way_and_the_device_by_interception() -> Tried {
    let (_alone, _sim) = alone()?;
    let own = Space::named("of its own");
    let with_device = |intercepted| if intercepted { TWO } else { NOTHING };
    cross(&Tracked::in_space(CudaMemory, own), own, |intercepted| (with_device(intercepted), TWO))?;
    cross(&Tracked::in_space(Raw, own), own, |intercepted| (with_device(intercepted), TWO))?;
    cross(&Tracked::in_space(Tracked::new(CudaMemory), own), own, |_| (TWO, TWO))
}

#[test]
fn a_space_that_is_the_driver_s_is_none_of_its_own() -> Tried {
    let (_alone, _sim) = alone()?;
    cross(&Tracked::in_space(CudaMemory, DEVICE()), Space::named("nobody's"), |_| (TWO, NOTHING))
}

#[test]
fn below_an_alignment_the_padded_bytes_are_the_driver_s() -> Tried {
    let (_alone, _sim) = alone()?;
    let own = Space::named("aligned");
    let padded = (2 * PADDED, 2);
    let aligned = || Aligned::new(CudaMemory, ALIGNMENT, 0);
    let driver_s = |intercepted| if intercepted { padded } else { TWO };
    cross(&Tracked::new(aligned()?), own, |intercepted| (driver_s(intercepted), NOTHING))?;
    cross(&Tracked::in_space(aligned()?, own), own, |intercepted| (if intercepted { padded } else { NOTHING }, TWO))?;
    let over_tracked = Aligned::new(Tracked::new(CudaMemory), ALIGNMENT, 0)?;
    cross(&Tracked::in_space(over_tracked, own), own, |_| (padded, TWO))
}

#[test]
fn parts_are_counted_in_their_own_space_and_their_block_in_the_device_s() -> Tried {
    let (_alone, _sim) = alone()?;
    let own = Space::named("parts");
    let block = (1_048_576, 1);
    cross(&Tracked::in_space(Parts::new(Tracked::new(CudaMemory)), own), own, |_| (block, TWO))?;
    let untracked = Tracked::in_space(Parts::new(CudaMemory), own);
    cross(&untracked, own, |intercepted| (if intercepted { block } else { NOTHING }, TWO))?;
    // Without a space of their own: parts, or the block that they are of.
    cross(&Tracked::new(Parts::new(CudaMemory)), own, |intercepted| (if intercepted { block } else { TWO }, NOTHING))
}

#[test]
fn a_block_outlives_its_parts_on_the_books_as_on_the_device() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let own = Space::named("kept parts");
    let upstreams: [(Box<dyn DeviceMemory>, usize); 3] = [
        (Box::new(CudaMemory), BLOCK),
        // A part that is the whole block, for which it might be taken.
        (Box::new(CudaMemory), 1_000),
        (Box::new(Raw), BLOCK),
    ];
    for (upstream, bytes) in upstreams {
        let parts = Arc::new(Parts::keeping(upstream, bytes));
        for tracked in [Tracked::in_space(Arc::clone(&parts), own), Tracked::new(Arc::clone(&parts))] {
            let guard = memprof_cuda::intercept()?;
            let pointer = tracked.allocate(1_000, &stream)?;
            drop(guard);
            free(&tracked, pointer, 1_000, &stream)?;
            assert_eq!((live(DEVICE()), live(own)), ((i64::try_from(bytes)?, 1), NOTHING));
            agree(sim);
            // Seen by interception, for the sake of the one that calls the driver itself.
            let guard = memprof_cuda::intercept()?;
            parts.give_back(&stream)?;
            agree(sim);
            drop(guard);
        }
    }
    Ok(())
}

#[test]
fn a_resource_alone_frees_after_interception_what_it_allocated_under_it() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let guard = memprof_cuda::intercept()?;
    let pointer = CudaMemory.allocate(1_000, &stream)?;
    drop(guard);
    assert_eq!(live(DEVICE()), (1_000, 1));
    sim.fail_next("cuMemFree_v2", 700, 1);
    assert!(free(&CudaMemory, pointer, 1_000, &stream).is_err());
    assert_eq!(live(DEVICE()), (1_000, 1), "the driver refused");
    free(&CudaMemory, pointer, 1_000, &stream)?;
    agree(sim);
    Ok(())
}

#[test]
fn a_refused_free_is_taken_back_in_every_space_each_way() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let own = Space::named("refused");
    let before = lost();
    let nested = Tracked::in_space(Box::new(Tracked::new(CudaMemory)) as Box<dyn DeviceMemory>, own);
    let over_raw = Tracked::in_space(Box::new(Tracked::new(Raw)) as Box<dyn DeviceMemory>, own);
    for resource in [nested, over_raw] {
        for (at_first, at_last) in WAYS {
            let mut guard = None;
            switch(&mut guard, at_first)?;
            let pointer = resource.allocate(1_000, &stream)?;
            switch(&mut guard, at_last)?;
            sim.fail_next("cuMemFree_v2", 700, 1);
            assert!(free(&resource, pointer, 1_000, &stream).is_err());
            assert_eq!((live(DEVICE()), live(own)), ((1_000, 1), (1_000, 1)), "{at_first}, {at_last}");
            free(&resource, pointer, 1_000, &stream)?;
            assert_eq!((live(DEVICE()), live(own), lost()), (NOTHING, NOTHING, before), "{at_first}, {at_last}");
        }
    }
    Ok(())
}

#[test]
fn a_block_from_while_memprof_was_off_is_no_unknown_one() -> Tried {
    let (_alone, _sim) = alone()?;
    let stream = stream()?;
    let resource = Tracked::new(CudaMemory);
    let before = lost();
    memprof_core::disable();
    let pointer = resource.allocate(1_000, &stream)?;
    memprof_core::enable();
    let _guard = memprof_cuda::intercept()?;
    free(&resource, pointer, 1_000, &stream)?;
    assert_eq!((live(DEVICE()), lost()), (NOTHING, before));
    Ok(())
}

#[test]
fn a_foreign_free_is_unknown_if_the_driver_does_it_intercepted_or_not() -> Tried {
    let (_alone, _sim) = alone()?;
    let stream = stream()?;
    for intercepted in [false, true] {
        let resource = Tracked::new(CudaMemory);
        let foreign = ground::allocate(1_000)?;
        let before = totals(DEVICE()).unknown_frees;
        let mut guard = None;
        switch(&mut guard, intercepted)?;
        assert!(free(&resource, 0x1234_5600, 1_000, &stream).is_err());
        assert_eq!(totals(DEVICE()).unknown_frees, before, "refused, intercepted: {intercepted}");
        free(&resource, foreign, 1_000, &stream)?;
        assert_eq!(totals(DEVICE()).unknown_frees, before + 1, "done, intercepted: {intercepted}");
        assert_eq!(resource.unknown_frees(), 2);
    }
    Ok(())
}

#[test]
fn failures_are_counted_alike_intercepted_or_not() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let own = Space::named("failures");
    let failed = || (totals(DEVICE()).failed, totals(own).failed);
    for intercepted in [false, true] {
        let mut guard = None;
        switch(&mut guard, intercepted)?;
        let before = failed();

        // Each failure that is tried again, and the one that is not.
        let retried = Tracked::new(FailureCallback::new(CudaMemory, |_| true));
        sim.fail_next("cuMemAlloc_v2", 2, 3);
        free(&retried, retried.allocate(1_000, &stream)?, 1_000, &stream)?;
        assert_eq!(failed(), (before.0 + 3, before.1), "intercepted: {intercepted}");

        // One that never reaches the driver.
        let full = Mutex::new(true);
        let give_way = |_| std::mem::take(&mut *full.lock().unwrap_or_else(PoisonError::into_inner));
        let limited = Tracked::new(FailureCallback::new(Limiting::new(CudaMemory, 500), give_way));
        assert!(limited.allocate(1_000, &stream).is_err());
        assert_eq!(failed(), (before.0 + 5, before.1), "intercepted: {intercepted}");

        // And beside one that is the callback's own.
        let calls = |_| {
            sim.fail_next("cuMemAlloc_v2", 999, 1);
            ground::allocate(100).is_ok()
        };
        let beside = Tracked::new(FailureCallback::new(Limiting::new(CudaMemory, 500), calls));
        let before = (failed().0 + u64::from(intercepted), failed().1);
        assert!(beside.allocate(1_000, &stream).is_err());
        assert_eq!(failed(), (before.0 + 1, before.1), "intercepted: {intercepted}");

        // In both spaces, each time.
        let both = Tracked::in_space(Tracked::new(CudaMemory), own);
        sim.fail_next("cuMemAlloc_v2", 999, 1);
        assert!(both.allocate(1_000, &stream).is_err());
        assert_eq!(failed(), (before.0 + 2, before.1 + 1), "intercepted: {intercepted}");
    }
    Ok(())
}
