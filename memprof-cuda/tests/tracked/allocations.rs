//! Every allocation of cudarc's: its bytes reach the right space, owner and counter, and are off again after the drop.

#![expect(unsafe_code, reason = "cudarc's allocations of unset memory")]

use crate::support::{DEVICE, Outcome, Turn, live, one_block, record, scope, totals};
use cudarc::driver::{CudaSlice, PinnedHostSlice, UnifiedSlice, result, sys};
use memprof_core::Space;
use memprof_cuda::{TrackedExt as _, TrackedSlice};

fn device() -> Space {
    Space::device(0)
}

#[test]
fn every_allocation_of_a_stream_reaches_its_device() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        let way = if stream.context().has_async_alloc() { "pooled" } else { "plain" };
        let name = |call: &str| format!("{call}, {way}");
        // SAFETY: nobody reads it.
        one_block(&name("alloc"), device(), 4000, || unsafe { stream.alloc::<f32>(1000) })?;
        one_block(&name("alloc_zeros"), device(), 24, || stream.alloc_zeros::<u64>(3))?;
        one_block(&name("clone_htod"), device(), 6, || stream.clone_htod(&[1_u16, 2, 3]))?;
        #[expect(deprecated, reason = "it is there, so it is counted")]
        one_block(&name("memcpy_stod"), device(), 5, || stream.memcpy_stod(&vec![7_u8; 5]))?;
        let source = stream.clone_htod(&[1_u8, 2, 3, 4])?;
        one_block(&name("clone_dtod"), device(), 4, || stream.clone_dtod(&source))?;
        one_block(&name("clone_dtod of a view"), device(), 2, || stream.clone_dtod(&source.slice(1..3)))?;
        one_block(&name("try_clone"), device(), 4, || source.try_clone())?;
        one_block(&name("clone"), device(), 4, || Ok::<_, cudarc::driver::DriverError>(source.clone()))?;
        drop(source);
        assert_eq!(live(DEVICE), (0, 0));
        if let Some(sim) = turn.driver.simulator() {
            assert_eq!(sim.live().devices[0].blocks, 0);
        }
    }
    Ok(())
}

#[test]
fn streams_made_of_tracked_ones_are_tracked() -> Outcome {
    let _turn = Turn::begin()?;
    let context = memprof_cuda::context(0)?.tracked();
    one_block("default", device(), 8, || context.default_stream().alloc_zeros::<u64>(1))?;
    one_block("per thread", device(), 8, || context.per_thread_stream().alloc_zeros::<u64>(1))?;
    let stream = context.new_stream()?;
    one_block("new", device(), 8, || stream.alloc_zeros::<u64>(1))?;
    one_block("fork", device(), 8, || stream.fork()?.alloc_zeros::<u64>(1))?;
    one_block("priority", device(), 8, || context.new_stream_with_priority(0)?.alloc_zeros::<u64>(1))?;
    Ok(())
}

#[test]
fn pinned_memory_reaches_its_space() -> Outcome {
    let turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    let context = stream.context().tracked();
    // SAFETY: nobody reads it.
    one_block("pinned", Space::PINNED, 40, || unsafe { stream.pinned::<f32>(10) })?;
    // SAFETY: nobody reads it.
    one_block("flags", Space::PINNED, 3, || unsafe {
        stream.pinned_with_flags::<u8>(3, sys::CU_MEMHOSTALLOC_PORTABLE)
    })?;
    // SAFETY: nobody reads it.
    one_block("alloc_pinned", Space::PINNED, 16, || unsafe { context.alloc_pinned::<u64>(2) })?;
    if let Some(sim) = turn.driver.simulator() {
        assert_eq!(sim.live().pinned.blocks, 0);
    }
    Ok(())
}

#[test]
fn managed_memory_reaches_its_space() -> Outcome {
    let turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    let context = stream.context().tracked();
    // SAFETY: nobody reads it.
    one_block("managed", Space::MANAGED, 40, || unsafe { stream.managed::<f32>(10, true) })?;
    // SAFETY: nobody reads it.
    one_block("to the host", Space::MANAGED, 4, || unsafe { stream.managed::<f32>(1, false) })?;
    // SAFETY: nobody reads it.
    one_block("alloc_unified", Space::MANAGED, 16, || unsafe { context.alloc_unified::<u64>(2, true) })?;
    assert_eq!(stream.context().check_err(), Ok(()));
    if let Some(sim) = turn.driver.simulator() {
        assert_eq!(sim.live().managed.blocks, 0);
    }
    Ok(())
}

#[test]
fn memory_of_a_pool_reaches_its_device() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    // SAFETY: a device of the driver's.
    let pool = unsafe { result::device::get_default_mem_pool(stream.context().cu_device()) }?;
    // SAFETY: the device's own pool; nobody reads the memory.
    one_block("pool", device(), 400, || unsafe { stream.alloc_from_pool::<f32>(pool, 100) })?;
    assert_eq!(sim.calls("cuMemAllocFromPoolAsync"), 1);
    assert_eq!(sim.calls("cuMemFreeAsync"), 1);
    assert_eq!(sim.live().devices[0].blocks, 0);
    Ok(())
}

#[test]
fn mapped_memory_is_a_block_of_what_is_mapped() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    // SAFETY: written on the next line.
    let mut mapping = scope("map", || unsafe { stream.map::<u32>(1000) })?;
    stream.memcpy_htod(&[9_u32; 1000], &mut mapping)?;
    assert_eq!(stream.clone_dtoh(&mapping.as_view().slice(998..))?, [9, 9]);
    let bytes = mapping.mapped_bytes();
    assert_eq!(bytes % 4096, 0);
    assert_eq!(sim.live().devices[0].bytes, bytes as u64);
    drop(mapping);
    assert_eq!(sim.live().devices[0].blocks, 0);
    for call in ["cuMemUnmap", "cuMemRelease", "cuMemAddressFree"] {
        assert_eq!(sim.calls(call), 1, "{call}");
    }
    // SAFETY: nobody reads it.
    one_block("map again", device(), bytes as u64, || unsafe { stream.map::<u32>(1000) })
}

#[test]
fn no_elements_are_a_block_of_no_bytes_intercepted_or_not() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    // A device without pools refuses to allocate no bytes.
    let stream = crate::support::stream()?;
    for intercepted in [false, true] {
        let guard = intercepted.then(|| memprof_cuda::intercept_with(sim.path())).transpose()?;
        memprof_core::reset();
        one_block("null", device(), 0, || stream.null::<f32>())?;
        one_block("alloc_zeros", device(), 0, || stream.alloc_zeros::<f32>(0))?;
        one_block("clone_htod", device(), 0, || stream.clone_htod(&[0.0_f32; 0]))?;
        let before = stream.alloc_zeros::<u8>(0)?;
        one_block("try_clone", device(), 0, || before.try_clone())?;
        assert_eq!(live(DEVICE), (0, 1));
        drop(guard);
        drop(before);
        assert_eq!(live(DEVICE), (0, 0));
        assert_eq!(totals(DEVICE).unknown_frees, 0);
    }
    Ok(())
}

#[test]
fn no_elements_are_off_the_books_when_they_are_given_away_or_swapped() -> Outcome {
    let turn = Turn::begin()?;
    let Some(_) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    let inner = stream.alloc_zeros::<u8>(0)?.into_inner();
    assert_eq!(live(DEVICE), (0, 0));
    let again = TrackedSlice::from(inner);
    assert_eq!(live(DEVICE), (0, 1));
    assert_eq!(again.leak(), 0);
    assert_eq!(live(DEVICE), (0, 0));
    let (mut nothing, mut ten) = (stream.alloc_zeros::<u8>(0)?, stream.alloc_zeros::<u8>(10)?);
    std::mem::swap(&mut *nothing, &mut *ten);
    assert_eq!(live(DEVICE), (10, 2));
    drop(nothing);
    drop(ten);
    assert_eq!(live(DEVICE), (0, 0));
    assert_eq!((totals(DEVICE).unknown_frees, totals(DEVICE).missed_frees), (0, 0));
    Ok(())
}

#[test]
fn an_inner_slice_is_off_the_books_and_comes_back_onto_them() -> Outcome {
    let turn = Turn::begin()?;
    for (stream, keeper) in turn.streams()?.into_iter().zip(["keeper", "other keeper"]) {
        let tracked = scope("maker", || stream.clone_htod(&[1_u8, 2, 3]))?;
        let inner: CudaSlice<u8> = tracked.into_inner();
        assert_eq!(live(DEVICE), (0, 0));
        one_block(keeper, device(), 3, || Ok::<_, cudarc::driver::DriverError>(TrackedSlice::from(inner)))?;
    }
    // SAFETY: nobody reads it.
    let pinned = unsafe { crate::support::stream()?.pinned::<u8>(3) }?;
    let _pinned: PinnedHostSlice<u8> = pinned.into_inner();
    assert_eq!(live(Space::PINNED), (0, 0));
    // SAFETY: nobody reads it.
    let managed = unsafe { crate::support::stream()?.managed::<u8>(3, true) }?;
    let _managed: UnifiedSlice<u8> = managed.into_inner();
    assert_eq!(live(Space::MANAGED), (0, 0));
    Ok(())
}

#[test]
fn a_leak_stays_with_its_owner_until_somebody_takes_the_address_up() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        let address = scope("leaker", || stream.clone_htod(&[1_u8, 2, 3]))?.leak();
        assert_eq!(record(DEVICE, "leaker").map(|row| (row.live, row.live_blocks)), Some((3, 1)));
        // SAFETY: the address was leaked just now, and has three elements.
        let slice = scope("finder", || unsafe { stream.upgrade_device_ptr::<u8>(address, 2) });
        assert_eq!(record(DEVICE, "leaker").map(|row| row.live), Some(3));
        assert_eq!(record(DEVICE, "finder").map_or(0, |row| row.memory_total), 0);
        assert_eq!(stream.clone_dtoh(&slice)?, [1, 2]);
        drop(slice);
        assert_eq!(live(DEVICE), (0, 0));
        assert_eq!(totals(DEVICE).missed_frees, 0);
    }
    Ok(())
}

#[test]
fn a_slice_that_another_thread_drops_is_handed_over() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        let slice = scope("producer", || stream.alloc_zeros::<u8>(100))?;
        std::thread::spawn(move || scope("consumer", || drop(slice))).join().map_err(|_| "the thread panicked")?;
        assert_eq!(record(DEVICE, "producer").map(|row| (row.live, row.memory_peak)), Some((0, 100)));
        assert_eq!(live(DEVICE), (0, 0));
        assert_eq!(stream.context().check_err(), Ok(()));
        if let Some(sim) = turn.driver.simulator() {
            assert_eq!(sim.live().devices[0].blocks, 0);
        }
    }
    Ok(())
}

#[test]
fn a_slice_without_events_is_freed_on_a_thread_that_has_no_context() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        // SAFETY: there is one stream, so nothing needs events.
        unsafe { stream.context().disable_event_tracking() };
        let slice = stream.alloc_zeros::<u8>(100)?;
        std::thread::spawn(move || drop(slice)).join().map_err(|_| "the thread panicked")?;
        assert_eq!(stream.context().check_err(), Ok(()));
        assert_eq!(live(DEVICE), (0, 0));
        if let Some(sim) = turn.driver.simulator() {
            assert_eq!(sim.live().devices[0].blocks, 0);
        }
    }
    Ok(())
}

#[test]
fn slices_that_are_swapped_inside_free_their_own_blocks() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    let mut small = scope("small", || stream.alloc_zeros::<u8>(1))?;
    let mut large = scope("large", || stream.alloc_zeros::<u8>(1000))?;
    std::mem::swap(&mut *small, &mut *large);
    drop(small);
    assert_eq!(record(DEVICE, "small").map(|row| row.live), Some(1));
    assert_eq!(record(DEVICE, "large").map(|row| row.live), Some(0));
    drop(large);
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}

#[test]
fn what_was_allocated_while_memprof_was_off_changes_nothing() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    memprof_core::disable();
    let unknown = stream.alloc_zeros::<u8>(10);
    memprof_core::enable();
    drop(unknown?);
    let known = stream.alloc_zeros::<u8>(20)?;
    memprof_core::disable();
    drop(known);
    memprof_core::enable();
    let totals = totals(DEVICE);
    assert_eq!((totals.live, totals.total, totals.unknown_frees), (0, 20, 0));
    Ok(())
}
