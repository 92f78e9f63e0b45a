//! The rules of interception: frees that the driver refuses, failures, contexts that end, the guard, wrappers beside it.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use cudarc::driver::{CudaContext, result};
use memprof_core::Space;

mod intercept_ground;
use intercept_ground::{self as ground, Tried, agree, alone, free_all, live, measured, totals};

const DEVICE: fn() -> Space = || Space::device(0);
const OUT_OF_MEMORY: u32 = 2;

#[test]
fn a_failed_allocation_is_counted_as_failed_and_not_as_live() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let before = totals(DEVICE());
    assert!(ground::allocate(1 << 50).is_err());
    sim.fail_next("cuMemAlloc_v2", OUT_OF_MEMORY, 1);
    assert!(ground::allocate(100).is_err());
    sim.fail_next("cuMemAllocHost_v2", OUT_OF_MEMORY, 1);
    let pinned_before = totals(Space::PINNED).failed;
    assert!(ground::pinned(100).is_err());
    let after = totals(DEVICE());
    assert_eq!(after.failed - before.failed, 2);
    assert_eq!(totals(Space::PINNED).failed - pinned_before, 1);
    assert_eq!((after.live, after.total), (before.live, before.total));
    agree(sim);
    Ok(())
}

#[test]
fn a_free_that_the_driver_refuses_is_taken_back() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let (address, recorded) = measured("refused", || -> Tried<_> {
        let address = ground::allocate(64)?;
        sim.fail_next("cuMemFree_v2", 700, 2);
        assert!(ground::free(address).is_err());
        assert!(ground::free(address).is_err());
        Ok(address)
    });
    let counters = recorded.counters(DEVICE());
    assert_eq!((counters.current_bytes, counters.total_bytes, counters.peak_bytes), (64, 64, 64));
    agree(sim);
    ground::free(address?)?;
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn frees_of_unknown_addresses_are_counted_once_the_driver_has_done_them() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let (address, pinned) = (ground::allocate(64)?, ground::pinned(10)?);
    let guard = memprof_cuda::intercept()?;
    let (before, pinned_before) = (totals(DEVICE()), totals(Space::PINNED));
    sim.fail_next("cuMemFree_v2", 700, 1);
    assert!(ground::free(address).is_err());
    ground::free(0)?;
    assert_eq!(totals(DEVICE()).unknown_frees, before.unknown_frees);
    ground::free(address)?;
    assert_eq!(totals(DEVICE()).unknown_frees, before.unknown_frees + 1);
    assert!(ground::free(address).is_err(), "a double free");
    assert_eq!(totals(DEVICE()).unknown_frees, before.unknown_frees + 1);
    ground::free_pinned(pinned)?;
    assert_eq!(totals(Space::PINNED).unknown_frees, pinned_before.unknown_frees + 1);
    assert_eq!(live(DEVICE()), (0, 0));
    drop(guard);
    Ok(())
}

#[test]
fn a_reset_frees_all_blocks_of_the_context_and_no_other() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let other = CudaContext::new(1)?;
    let kept = other.default_stream().alloc_zeros::<u8>(7)?;
    let context = CudaContext::new(0)?;
    let (plain, _pinned) = (ground::allocate(100)?, ground::pinned(50)?);
    let slice = context.default_stream().alloc_zeros::<u8>(25)?;
    sim.fail_next("cuDevicePrimaryCtxReset_v2", 999, 1);
    assert!(ground::reset_primary(0).is_err());
    ground::reset_primary(0)?;
    assert_eq!((live(DEVICE()), live(Space::PINNED)), ((25, 1), (0, 0)), "a pool's block belongs to no context");
    assert_eq!(live(Space::device(1)), (7, 1));
    agree(sim);
    // The driver refuses these, so they are no unknown frees.
    let before = totals(DEVICE()).unknown_frees;
    drop(slice);
    assert!(ground::free(plain).is_err());
    assert_eq!((totals(DEVICE()).unknown_frees, live(DEVICE())), (before, (25, 1)));
    drop(kept);
    agree(sim);
    free_all(sim, 0)?;
    assert_eq!((totals(DEVICE()).unknown_frees, live(DEVICE())), (before, (0, 0)));
    Ok(())
}

#[test]
fn the_last_release_of_a_primary_context_frees_its_blocks_also_if_it_was_there_before() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let second = CudaContext::new(0)?;
    ground::allocate(100)?;
    drop(second);
    assert_eq!(live(DEVICE()), (100, 1));
    agree(sim);
    drop(context);
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn a_context_that_cannot_be_destroyed_keeps_its_blocks() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _primary = CudaContext::new(0)?;
    let created = ground::create_context(0)?;
    ground::allocate(100)?;
    sim.fail_next("cuCtxDestroy_v2", 999, 1);
    assert!(ground::destroy_context(created).is_err());
    assert_eq!(live(DEVICE()), (100, 1));
    ground::destroy_context(created)?;
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn a_second_interception_is_refused_and_the_first_goes_on() -> Tried {
    let (_alone, _sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let guard = memprof_cuda::intercept()?;
    let refusal = memprof_cuda::intercept().err().ok_or("a second interception was installed")?;
    assert_eq!(
        refusal.to_string(),
        "cannot intercept CUDA allocations: it is active in this process already: keep the one guard for as long as it \
         is needed"
    );
    let address = ground::allocate(5)?;
    assert_eq!(live(DEVICE()), (5, 1));
    ground::free(address)?;
    drop(guard);
    Ok(())
}

#[test]
fn another_subscriber_is_named_as_what_it_is() -> Tried {
    let (_alone, sim) = alone()?;
    let other = ground::Subscribed::to(sim)?;
    let refusal = memprof_cuda::intercept().err().ok_or("interception was installed beside another subscriber")?;
    let said = refusal.to_string();
    assert!(said.starts_with("cannot intercept CUDA allocations: another tool is subscribed to CUPTI"), "{said}");
    assert!(said.contains("CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED (39)"), "{said}");
    assert!(said.contains("nsys"), "{said}");
    drop(other);
    drop(memprof_cuda::intercept()?);
    Ok(())
}

#[test]
fn beside_a_subscriber_that_allows_others_it_works() -> Tried {
    let (_alone, sim) = alone()?;
    let other = ground::Subscribed::sharing(sim)?;
    let _context = CudaContext::new(0)?;
    let guard = memprof_cuda::intercept()?;
    let address = ground::allocate(5)?;
    assert_eq!(live(DEVICE()), (5, 1));
    drop(other);
    ground::free(address)?;
    assert_eq!(live(DEVICE()), (0, 0));
    // And the other way round: who comes later may share with memprof.
    let later = ground::Subscribed::sharing(sim)?;
    assert!(ground::Subscribed::to(sim).is_err(), "one that shares with nobody");
    drop((guard, later));
    let alone = ground::Subscribed::to(sim)?;
    let said = memprof_cuda::intercept().err().ok_or("beside one that shares with nobody")?.to_string();
    assert!(said.contains("subscribed to CUPTI in this process (\"CUPTI for somebody\"): "), "{said}");
    drop(alone);
    Ok(())
}

#[test]
fn it_ends_with_its_guard_and_begins_again() -> Tried {
    let (_alone, _sim) = alone()?;
    let _context = CudaContext::new(0)?;
    for _ in 0..3 {
        let guard = memprof_cuda::intercept()?;
        let address = ground::allocate(10)?;
        assert_eq!(live(DEVICE()), (10, 1));
        ground::free(address)?;
        drop(guard);
        let unseen = ground::allocate(20)?;
        assert_eq!(live(DEVICE()), (0, 0));
        ground::free(unseen)?;
    }
    Ok(())
}

#[test]
fn a_library_that_is_named_is_the_one_that_is_used() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let guard = memprof_cuda::intercept_with(sim.path())?;
    let address = ground::allocate(10)?;
    assert_eq!(live(DEVICE()), (10, 1));
    ground::free(address)?;
    drop(guard);
    let refusal = memprof_cuda::intercept_with("no such folder/libcupti.so").err().ok_or("a file that is not there")?;
    let said = refusal.to_string();
    assert!(said.starts_with("cannot intercept CUDA allocations: cannot load no such folder/libcupti.so: "), "{said}");
    assert!(said.ends_with("No such file or directory"), "{said}");
    Ok(())
}

#[test]
fn a_block_that_outlives_interception_is_known_to_the_next() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let guard = memprof_cuda::intercept()?;
    let address = ground::allocate(10)?;
    drop(guard);
    let _again = memprof_cuda::intercept()?;
    let unknown = totals(DEVICE()).unknown_frees;
    ground::free(address)?;
    assert_eq!((live(DEVICE()), totals(DEVICE()).unknown_frees), ((0, 0), unknown));
    agree(sim);
    Ok(())
}

#[test]
fn an_address_whose_free_was_missed_is_given_back_when_it_comes_again() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let guard = memprof_cuda::intercept()?;
    let address = ground::allocate(48)?;
    drop(guard);
    ground::free(address)?;
    assert_eq!(live(DEVICE()), (48, 1));
    let _again = memprof_cuda::intercept()?;
    let missed = totals(DEVICE()).missed_frees;
    // SAFETY: nobody uses the memory.
    let second = unsafe { result::malloc_sync(48) }?;
    assert_eq!(second, address, "the simulator gives a freed address out first");
    assert_eq!((live(DEVICE()), totals(DEVICE()).missed_frees), ((48, 1), missed + 1));
    ground::free(second)?;
    agree(sim);
    drop(context);
    Ok(())
}

#[test]
fn no_bytes_at_the_null_pointer_are_no_block() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = CudaContext::new(0)?.default_stream();
    let before = totals(DEVICE());
    drop([stream.null::<u8>()?, stream.alloc_zeros(0)?, stream.alloc_zeros(0)?]);
    let after = totals(DEVICE());
    assert_eq!((after.live_blocks, after.blocks_total), (before.live_blocks, before.blocks_total));
    assert_eq!((after.unknown_frees, after.missed_frees), (before.unknown_frees, before.missed_frees));
    agree(sim);
    Ok(())
}

#[test]
fn an_asynchronous_block_is_of_its_streams_device_and_outlives_its_streams_context() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let second = Space::device(1);
    let (zero, one) = (CudaContext::new(0)?, CudaContext::new(1)?);
    let stream = one.new_stream()?;
    let pool = ground::pool(1)?;
    zero.bind_to_thread()?;
    // SAFETY: nobody uses the memory.
    let address = unsafe { result::malloc_async(stream.cu_stream(), 100) }?;
    let pooled = ground::allocate_from(pool, 20, stream.cu_stream())?;
    // SAFETY: the device is one that the driver gave.
    let default_pool = unsafe { result::device::get_default_mem_pool(one.cu_device()) }?;
    let unseen = ground::allocate_from(default_pool, 3, stream.cu_stream())?;
    assert_eq!((live(DEVICE()), live(second)), ((0, 0), (123, 3)));
    agree(sim);
    for address in [address, pooled, unseen] {
        ground::free_async(address, stream.cu_stream())?;
    }
    assert_eq!(live(second), (0, 0));
    sim.fail_next("cuMemAllocAsync", OUT_OF_MEMORY, 1);
    let failed = totals(second).failed;
    // SAFETY: nobody uses the memory.
    assert!(unsafe { result::malloc_async(stream.cu_stream(), 100) }.is_err());
    assert_eq!(totals(second).failed - failed, 1);

    let own = ground::create_context(1)?;
    let its_stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
    zero.bind_to_thread()?;
    // SAFETY: nobody uses the memory.
    unsafe { result::malloc_async(its_stream, 1000) }?;
    assert_eq!(live(second), (1000, 1));
    ground::destroy_context(own)?;
    assert_eq!((live(DEVICE()), live(second)), ((0, 0), (1000, 1)));
    agree(sim);
    let unknown = totals(second).unknown_frees;
    free_all(sim, 1)?;
    assert_eq!((live(second), totals(second).unknown_frees), ((0, 0), unknown));
    // SAFETY: made above, and empty.
    unsafe { result::mem_pool::destroy(pool) }?;
    Ok(())
}

#[test]
fn what_a_pool_holds_in_reserve_is_known_from_its_making_to_its_end() -> Tried {
    const CHUNK: u64 = 2 << 20;
    let (_alone, sim) = alone()?;
    let guard = memprof_cuda::intercept()?;
    let context = CudaContext::new(0)?;
    let stream = context.default_stream().cu_stream();
    let pool = ground::pool(0)?;
    ground::free_async(ground::allocate_from(pool, 100, stream)?, stream)?;
    let said = || memprof_core::snapshot().devices().iter().find(|device| device.space == "cuda:0").cloned();
    let reserve = || said().map(|device| (device.pool_reserved, device.pool_used, device.unattributed));
    assert_eq!(reserve(), Some((CHUNK, 0, 0)));
    sim.fail_next("cuMemPoolDestroy", 1, 1);
    // SAFETY: made above; the driver refuses.
    assert!(unsafe { result::mem_pool::destroy(pool) }.is_err());
    assert_eq!(reserve(), Some((CHUNK, 0, 0)), "it is there");
    // SAFETY: made above, and empty.
    unsafe { result::mem_pool::destroy(pool) }?;
    assert_eq!(reserve(), Some((0, 0, 0)));
    let pool = ground::pool(0)?;
    ground::free_async(ground::allocate_from(pool, 100, stream)?, stream)?;
    drop(guard);
    assert_eq!(reserve(), Some((0, 0, CHUNK.cast_signed())), "it may go unseen now, so it is not asked");
    // SAFETY: made above, and empty.
    unsafe { result::mem_pool::destroy(pool) }?;
    Ok(())
}
