//! Allocations and frees that the driver refuses: an error that says what, and nothing lost from the books.

#![expect(unsafe_code, reason = "cudarc's allocations of unset memory")]

use crate::support::{DEVICE, Outcome, Turn, live, record, scope, totals};
use cudarc::driver::{DevicePtr as _, DriverError, result, sys, sys::CUresult};
use memprof_core::{Space, counters};
use memprof_cuda::TrackedStream;
use memprof_cuda_sim::Sim;

const INVALID_VALUE: u32 = CUresult::CUDA_ERROR_INVALID_VALUE as u32;
const PEBIBYTE: usize = 1 << 50;

/// The functions by which this stream allocates and frees.
pub(crate) fn calls(stream: &TrackedStream) -> (&'static str, &'static str) {
    if stream.context().has_async_alloc() {
        ("cuMemAllocAsync", "cuMemFreeAsync")
    } else {
        ("cuMemAlloc_v2", "cuMemFree_v2")
    }
}

#[test]
fn a_refused_allocation_is_one_failure_and_nothing_else() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    for (stream, name) in turn.streams()?.into_iter().zip(["pooled", "plain"]) {
        sim.fail_next(calls(&stream).0, INVALID_VALUE, 1);
        let refused = scope(name, || stream.alloc_zeros::<u8>(10)).map(drop).err().ok_or("it was allocated")?;
        assert_eq!(refused.to_string(), "cannot allocate 10 bytes of cuda:0: CUDA_ERROR_INVALID_VALUE");
        assert_eq!(refused.code(), Some(CUresult::CUDA_ERROR_INVALID_VALUE));
        let row = record(DEVICE, name).ok_or("no row")?;
        assert_eq!((row.failed, row.memory_total, row.live), (1, 0, 0));
    }
    let totals = totals(DEVICE);
    assert_eq!((totals.failed, totals.total, totals.live), (2, 0, 0));
    Ok(())
}

#[test]
fn a_pebibyte_does_not_fit_and_is_counted_in_every_space() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        memprof_core::reset();
        let no_memory = Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
        // SAFETY: nobody reads it.
        assert_eq!(unsafe { stream.alloc::<u8>(PEBIBYTE) }.map(drop).map_err(DriverError::from), no_memory);
        // SAFETY: nobody reads it.
        assert_eq!(unsafe { stream.pinned::<u8>(PEBIBYTE) }.map(drop).map_err(DriverError::from), no_memory);
        // So much managed memory can hang a GPU: it is asked of the simulator only.
        let managed = u64::from(turn.driver.simulator().is_some());
        if managed > 0 {
            // SAFETY: nobody reads it.
            let said = unsafe { stream.managed::<u8>(PEBIBYTE, true) }.map(drop).map_err(DriverError::from);
            assert_eq!(said, no_memory);
        }
        // SAFETY: nobody reads it.
        let mapped = unsafe { stream.map::<u8>(PEBIBYTE) };
        let mapped = mapped.map(drop).err().ok_or("a pebibyte was mapped")?;
        assert!(mapped.is_out_of_memory(), "{mapped}");
        assert!(
            mapped.to_string().starts_with("cannot allocate 1125899906842624 bytes of cuda:0: out_of_memory"),
            "{mapped}"
        );
        for (space, failed) in [(Space::device(0), 2), (Space::PINNED, 1), (Space::MANAGED, managed)] {
            let totals = totals(space);
            assert_eq!((totals.failed, totals.total, totals.live), (failed, 0, 0), "{space}");
        }
        drop(stream.alloc_zeros::<u8>(1)?);
    }
    Ok(())
}

#[test]
fn more_elements_than_an_address_space_holds_are_refused_before_they_wrap() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        // One element more would wrap to 8 bytes.
        let many = (usize::MAX / 8) + 2;
        let no_memory = |space: &str| format!("cannot allocate {many} values of 8 bytes in {space}: out_of_memory");
        let said = stream.alloc_zeros::<u64>(many).map(drop).map_err(|error| error.to_string());
        assert_eq!(said, Err(no_memory("cuda:0")));
        // SAFETY: nobody reads it.
        let said = unsafe { stream.pinned::<u64>(many) }.map(drop).map_err(|error| error.to_string());
        assert_eq!(said, Err(no_memory("pinned")));
    }
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}

#[test]
fn as_many_bytes_as_an_address_space_holds_never_reach_the_driver() -> Outcome {
    const MANY: usize = isize::MAX.unsigned_abs();
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    let said = |outcome: Result<(), memprof_cuda::Error>| outcome.map_err(|error| error.to_string());
    let no_memory = |space| Err(format!("cannot allocate {MANY} values of 1 bytes in {space}: out_of_memory"));
    assert_eq!(said(stream.alloc_zeros::<u8>(MANY).map(drop)), no_memory("cuda:0"));
    // SAFETY: nobody reads it.
    assert_eq!(said(unsafe { stream.pinned::<u8>(MANY) }.map(drop)), no_memory("pinned"));
    // SAFETY: nobody reads it.
    assert_eq!(said(unsafe { stream.managed::<u8>(MANY, true) }.map(drop)), no_memory("managed"));
    for (space, call) in [("cuda:0", "cuMemAllocAsync"), ("pinned", "cuMemHostAlloc"), ("managed", "cuMemAllocManaged")]
    {
        assert_eq!((totals(space).failed, sim.calls(call)), (1, 0), "{space}");
    }
    // One byte less is for the driver to refuse.
    // SAFETY: nobody reads it.
    assert!(unsafe { stream.pinned::<u8>(MANY - 1) }.is_err_and(|error| error.is_out_of_memory()));
    assert_eq!((totals(Space::PINNED).failed, sim.calls("cuMemHostAlloc")), (2, 1));
    Ok(())
}

#[test]
fn a_refused_free_leaves_the_books_as_they_were() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    for (stream, name) in turn.streams()?.into_iter().zip(["pooled", "plain"]) {
        let slice = scope(name, || stream.alloc_zeros::<u8>(100))?;
        let other = stream.alloc_zeros::<u8>(1)?;
        let before = counters(Space::device(0));
        refuse(&stream, sim, calls(&stream).1, || drop(slice))?;
        assert_eq!(counters(Space::device(0)), before);
        assert_eq!(record(DEVICE, name).map(|row| (row.live, row.live_blocks)), Some((100, 1)));
        assert_eq!(live(DEVICE), (101, 2));
        assert_eq!(sim.live().devices[0].bytes, 101);
        drop(other);
        free_leftover(&stream, sim)?;
        assert_eq!(live(DEVICE), (0, 0));
    }
    Ok(())
}

#[test]
fn refused_frees_of_pinned_and_managed_memory_leave_the_books_as_they_were() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    // SAFETY: nobody reads it.
    let pinned = unsafe { stream.pinned::<u8>(7) }?;
    refuse(&stream, sim, "cuMemFreeHost", || drop(pinned))?;
    assert_eq!((live(Space::PINNED), sim.live().pinned.bytes), ((7, 1), 7));
    // SAFETY: nobody reads it.
    let managed = unsafe { stream.managed::<u8>(9, true) }?;
    refuse(&stream, sim, "cuMemFree_v2", || drop(managed))?;
    assert_eq!((live(Space::MANAGED), sim.live().managed.bytes), ((9, 1), 9));
    for block in sim.blocks() {
        let space = if block.bytes == 7 { Space::PINNED } else { Space::MANAGED };
        memprof_core::record_free(space, block.address);
    }
    assert_eq!((live(Space::PINNED), live(Space::MANAGED)), ((0, 0), (0, 0)));
    Ok(())
}

#[test]
fn a_mapping_that_stays_mapped_or_unreleased_stays_on_the_books() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    let before = sim.live().devices[0].bytes;
    let mut mappings = Vec::new();
    for (times, call) in ["cuMemUnmap", "cuMemRelease"].into_iter().enumerate() {
        // SAFETY: nobody reads it.
        let mapping = unsafe { stream.map::<u8>(1) }?;
        let bytes = mapping.mapped_bytes();
        mappings.push((mapping.device_ptr(&stream).0, bytes));
        refuse(&stream, sim, call, || drop(mapping))?;
        let stayed = (times + 1) * bytes;
        assert_eq!(live(DEVICE), (i64::try_from(stayed)?, i64::try_from(times + 1)?), "{call}");
        assert_eq!(sim.live().devices[0].bytes - before, stayed as u64, "{call}");
    }
    // SAFETY: the first one, whose unmapping was refused.
    unsafe { sys::cuMemUnmap(mappings[0].0, mappings[0].1) }.result()?;
    for block in sim.blocks() {
        // The books know physical memory by its handle, past all addresses.
        memprof_core::record_free(Space::device(0), block.address | 1 << 63);
        // SAFETY: physical memory that nobody owns after its release was refused.
        unsafe { sys::cuMemRelease(block.address) }.result()?;
    }
    assert_eq!((live(DEVICE), sim.live().devices[0].blocks), ((0, 0), 0));
    Ok(())
}

#[test]
fn a_mapping_that_fails_half_way_leaves_nothing_behind() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    let before = (sim.live(), live(DEVICE));
    for (failures, call) in ["cuMemAddressReserve", "cuMemCreate", "cuMemMap", "cuMemSetAccess"].into_iter().enumerate()
    {
        sim.fail_next(call, INVALID_VALUE, 1);
        // SAFETY: nobody reads it.
        let refused = unsafe { stream.map::<u8>(1) }.map(drop);
        assert_eq!(refused.map_err(|error| error.code()), Err(Some(CUresult::CUDA_ERROR_INVALID_VALUE)), "{call}");
        assert_eq!((sim.live().devices[0].bytes, live(DEVICE)), (before.0.devices[0].bytes, before.1), "{call}");
        assert_eq!(totals(DEVICE).failed, failures as u64 + 1, "{call}");
    }
    // SAFETY: nobody reads it.
    let nothing = unsafe { stream.map::<u8>(0) }.map(drop);
    assert_eq!(
        nothing.map_err(|error| error.to_string()),
        Err("cannot map 0 bytes: the driver maps whole pages".into())
    );
    Ok(())
}

#[test]
#[expect(clippy::print_stderr, reason = "why there are panic messages in the output")]
fn memory_for_which_there_is_no_event_goes_back_to_the_driver() -> Outcome {
    const ILLEGAL_STATE: CUresult = CUresult::CUDA_ERROR_ILLEGAL_STATE;
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let _started = crate::support::stream()?;
    let pool = crate::support::pool(0)?;
    eprintln!("cudarc panics next:");
    for intercepted in [false, true] {
        for stream in turn.streams()? {
            memprof_core::reset();
            let guard = intercepted.then(|| memprof_cuda::intercept_with(sim.path())).transpose()?;
            let refused = |error: memprof_cuda::Error| (error.to_string(), error.code());
            let expected = |bytes: u32| {
                Err((format!("cannot allocate {bytes} bytes of cuda:0: {ILLEGAL_STATE:?}"), Some(ILLEGAL_STATE)))
            };
            // A slice has two events.
            for good in [0, 1] {
                let fail = || sim.fail_after(good, "cuEventCreate", ILLEGAL_STATE as u32, 2);
                fail();
                assert_eq!(stream.alloc_zeros::<u8>(10).map(drop).map_err(refused), expected(10));
                fail();
                // SAFETY: the pool is there; nobody reads the memory.
                let pooled = unsafe { stream.alloc_from_pool::<u8>(pool, 20) };
                assert_eq!(pooled.map(drop).map_err(refused), expected(20));
                fail();
                // SAFETY: nobody reads it.
                assert_eq!(unsafe { stream.map::<u8>(30) }.map(drop).map_err(refused), expected(2 << 20));
            }
            let totals = totals(DEVICE);
            assert_eq!((totals.failed, totals.live, totals.live_blocks, totals.unknown_frees), (6, 0, 0, 0));
            assert_eq!(sim.live().devices[0].blocks, 0);
            drop(stream.alloc_zeros::<u8>(10)?);
            drop(guard);
        }
    }
    // SAFETY: made above, and empty.
    unsafe { result::mem_pool::destroy(pool) }?;
    Ok(())
}

#[test]
fn managed_memory_is_not_asked_for_where_there_is_no_event_for_it() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let stream = crate::support::stream()?;
    sim.fail_next("cuEventCreate", INVALID_VALUE, 1);
    // SAFETY: nobody reads it.
    let refused = unsafe { stream.managed::<u8>(10, true) }.map(drop).map_err(|error| error.to_string());
    assert_eq!(refused, Err("cannot allocate 10 bytes of managed: CUDA_ERROR_INVALID_VALUE".into()));
    assert_eq!((totals(Space::MANAGED).failed, live(Space::MANAGED)), (1, (0, 0)));
    assert_eq!((sim.live().managed.bytes, sim.calls("cuMemAllocManaged")), (0, 0));
    Ok(())
}

#[test]
fn an_error_that_waits_in_the_context_neither_stops_a_free_nor_counts_as_a_failure() -> Outcome {
    let turn = Turn::begin()?;
    for stream in turn.streams()? {
        let waiting = Err(DriverError(CUresult::CUDA_ERROR_LAUNCH_FAILED));
        let slice = stream.alloc_zeros::<u8>(10)?;
        stream.context().record_err(waiting);
        drop(slice);
        assert_eq!(live(DEVICE), (0, 0));
        if let Some(sim) = turn.driver.simulator() {
            assert_eq!(sim.live().devices[0].blocks, 0);
        }
        let failed = totals(DEVICE).failed;
        assert_eq!(
            stream.alloc_zeros::<u8>(1).map(drop).map_err(DriverError::from),
            waiting,
            "cudarc says it at the next call"
        );
        assert_eq!(totals(DEVICE).failed, failed);
    }
    Ok(())
}

#[test]
fn an_error_that_waits_in_the_context_waits_on_while_pinned_managed_and_mapped_memory_is_freed() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    let waiting = Err(DriverError(CUresult::CUDA_ERROR_LAUNCH_FAILED));
    // SAFETY: nobody reads it.
    let pinned = unsafe { stream.pinned::<u8>(7) }?;
    // SAFETY: nobody reads it.
    let managed = unsafe { stream.managed::<u8>(7, true) }?;
    // SAFETY: nobody reads it.
    let mapped = unsafe { stream.map::<u8>(7) }?;
    stream.context().record_err(waiting);
    drop((pinned, managed, mapped));
    assert_eq!(stream.context().check_err(), waiting);
    for space in [Space::device(0), Space::PINNED, Space::MANAGED] {
        assert_eq!(live(space), (0, 0), "{space}");
    }
    Ok(())
}

#[test]
#[expect(clippy::print_stderr, reason = "why there is a panic message in the output")]
fn a_copy_into_too_little_is_cudarcs_panic_and_loses_nothing() -> Outcome {
    let _turn = Turn::begin()?;
    let stream = crate::support::stream()?;
    eprintln!("cudarc panics next:");
    let copied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut short = stream.alloc_zeros::<u8>(2)?;
        stream.memcpy_htod(&[1_u8, 2, 3], &mut short)
    }));
    assert!(copied.is_err());
    assert_eq!(live(DEVICE), (0, 0));
    Ok(())
}

/// Has the next call of this function refuse, within `free`, and says that the context then holds the error.
fn refuse(stream: &TrackedStream, sim: Sim, call: &str, free: impl FnOnce()) -> Outcome {
    sim.fail_next(call, INVALID_VALUE, 1);
    free();
    let said = stream.context().check_err();
    if said != Err(DriverError(CUresult::CUDA_ERROR_INVALID_VALUE)) {
        return Err(format!("{call} was refused, and the context says {said:?}").into());
    }
    Ok(())
}

/// Frees what a refused free has left in the simulator, as an owner who tries again would.
pub(crate) fn free_leftover(stream: &TrackedStream, sim: Sim) -> Outcome {
    for block in sim.blocks() {
        // SAFETY: a live block, which nobody owns after its free was refused.
        drop(unsafe { stream.upgrade_device_ptr::<u8>(block.address, usize::try_from(block.bytes)?) });
    }
    Ok(())
}
