//! Tracked types beside interception: counted once, and known to the other route when interception begins or ends.
#![expect(unsafe_code, reason = "memory is allocated without being set")]

use memprof_core::Space;
use memprof_cuda::resource::{CudaMemory, DeviceMemory as _, Limiting, Tracked};
use memprof_cuda::{TrackedExt as _, TrackedStream};

mod intercept_ground;
use intercept_ground::{Tried, agree, alone, live, measured, totals};

const DEVICE: fn() -> Space = || Space::device(0);

fn stream() -> Tried<TrackedStream> {
    Ok(memprof_cuda::context(0)?.default_stream().tracked())
}

/// One block of every kind that a tracked stream gives; they live as long as this.
fn one_of_each(stream: &TrackedStream) -> Tried<impl Sized> {
    let slice = stream.alloc_zeros::<u8>(100)?;
    // SAFETY: nobody reads it.
    let pinned = unsafe { stream.pinned::<u8>(200) }?;
    // SAFETY: nobody reads it.
    let managed = unsafe { stream.managed::<u8>(300, true) }?;
    // SAFETY: nobody reads it.
    let mapped = unsafe { stream.map::<u8>(2 << 20) }?;
    Ok((slice, pinned, managed, mapped))
}

const ON_DEVICE: (i64, i64) = (100 + (2 << 20), 2);

fn all_live() -> [(i64, i64); 3] {
    [live(DEVICE()), live(Space::PINNED), live(Space::MANAGED)]
}

#[test]
fn what_a_tracked_type_allocates_is_counted_once() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = stream()?;
    let (held, recorded) = measured("both routes", || one_of_each(&stream));
    let held = held?;
    let counters = recorded.counters(DEVICE());
    assert_eq!((counters.total_bytes, counters.total_blocks), ON_DEVICE);
    assert_eq!(recorded.counters(Space::PINNED).total_bytes, 200);
    assert_eq!(recorded.counters(Space::MANAGED).total_bytes, 300);
    agree(sim);
    drop(held);
    assert_eq!(all_live(), [(0, 0); 3]);
    let totals = [DEVICE(), Space::PINNED, Space::MANAGED].map(totals);
    assert_eq!(totals.map(|totals| (totals.unknown_frees, totals.missed_frees)), [(0, 0); 3]);
    Ok(())
}

#[test]
fn blocks_from_before_interception_are_freed_under_it() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let held = one_of_each(&stream)?;
    assert_eq!(all_live(), [ON_DEVICE, (200, 1), (300, 1)]);
    let guard = memprof_cuda::intercept()?;
    let unknown = [DEVICE(), Space::PINNED, Space::MANAGED].map(|space| totals(space).unknown_frees);
    drop(held);
    assert_eq!(all_live(), [(0, 0); 3]);
    assert_eq!([DEVICE(), Space::PINNED, Space::MANAGED].map(|space| totals(space).unknown_frees), unknown);
    agree(sim);
    drop(guard);
    Ok(())
}

#[test]
fn blocks_from_under_interception_are_freed_after_it() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let guard = memprof_cuda::intercept()?;
    let held = one_of_each(&stream)?;
    drop(guard);
    assert_eq!(all_live(), [ON_DEVICE, (200, 1), (300, 1)]);
    drop(held);
    assert_eq!(all_live(), [(0, 0); 3]);
    agree(sim);
    // The same addresses and handles come again: what interception still had of the old ones is in nobody's way.
    let guard = memprof_cuda::intercept()?;
    let held = one_of_each(&stream)?;
    assert_eq!(all_live(), [ON_DEVICE, (200, 1), (300, 1)]);
    drop(held);
    assert_eq!(all_live(), [(0, 0); 3]);
    drop(guard);
    agree(sim);
    Ok(())
}

#[test]
fn a_refused_free_of_a_block_from_before_is_taken_back() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let slice = stream.alloc_zeros::<u8>(100)?;
    let _guard = memprof_cuda::intercept()?;
    sim.fail_next("cuMemFreeAsync", 700, 1);
    drop(slice);
    assert_eq!(live(DEVICE()), (100, 1));
    agree(sim);
    let address = sim.blocks().first().ok_or("a block that the driver kept")?.address;
    intercept_ground::free(address)?;
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn a_failure_is_counted_once() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = stream()?;
    let before = totals(DEVICE()).failed;
    sim.fail_next("cuMemAllocAsync", 2, 1);
    assert!(stream.alloc_zeros::<u8>(100).is_err());
    assert_eq!(totals(DEVICE()).failed, before + 1);
    Ok(())
}

#[test]
fn a_failure_that_never_reaches_the_driver_is_counted_too() -> Tried {
    let (_alone, _sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = stream()?;
    let before = totals(DEVICE()).failed;
    assert!(stream.alloc_zeros::<u64>(usize::MAX).is_err());
    assert_eq!(totals(DEVICE()).failed, before + 1);
    let limited = Tracked::new(Limiting::new(CudaMemory, 1000));
    assert!(limited.allocate(2000, &stream).is_err());
    assert_eq!(totals(DEVICE()).failed, before + 2);
    Ok(())
}

#[test]
fn blocks_from_before_that_a_reset_released_are_off_the_books_once_they_are_dropped() -> Tried {
    let (_alone, sim) = alone()?;
    sim.use_pools(false);
    let stream = stream()?;
    let held = stream.alloc_zeros::<u8>(100)?;
    let _guard = memprof_cuda::intercept()?;
    intercept_ground::reset_primary(0)?;
    drop(held);
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn a_pools_block_from_before_a_reset_stays_on_the_books_until_somebody_frees_it() -> Tried {
    let (_alone, sim) = alone()?;
    let stream = stream()?;
    let held = stream.alloc_zeros::<u8>(100)?;
    let _guard = memprof_cuda::intercept()?;
    let before = totals(DEVICE()).unknown_frees;
    intercept_ground::reset_primary(0)?;
    drop(held);
    assert_eq!(live(DEVICE()), (100, 1), "the driver keeps it");
    agree(sim);
    intercept_ground::free_all(sim, 0)?;
    assert_eq!((live(DEVICE()), totals(DEVICE()).unknown_frees), ((0, 0), before));
    Ok(())
}
