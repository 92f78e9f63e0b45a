//! Whole-process interception: plain cudarc code, without one type of memprof-cuda, is attributed by scope.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::sync::mpsc;
use std::thread;

use cudarc::driver::{CudaContext, DriverError, result, sys};
use memprof_core::{Context, Scope, Site, Space};

use crate::ground::{self, GRANULARITY, Tried, agree, alone, live, measured, totals};

const DEVICE: fn() -> Space = || Space::device(0);

#[test]
fn what_streams_allocate_is_the_scopes() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = CudaContext::new(0)?.new_stream()?;
    let (slices, recorded) = measured("streams", || -> Tried<_> {
        let zeros = stream.alloc_zeros::<f32>(1_000)?;
        let given = stream.clone_htod(&[1_u8; 300])?;
        drop(stream.alloc_zeros::<u64>(50)?);
        Ok((zeros.try_clone()?, zeros, given))
    });
    let counters = recorded.counters(DEVICE());
    assert_eq!((counters.current_bytes, counters.current_blocks), (8_300, 3));
    assert_eq!((counters.total_bytes, counters.total_blocks), (8_700, 4));
    assert_eq!(sim.calls("cuMemAllocAsync"), 4);
    agree(sim);
    drop(slices);
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn without_pools_it_is_the_same() -> Tried {
    let (_alone, sim) = alone()?;
    sim.use_pools(false);
    let _guard = memprof_cuda::intercept()?;
    let stream = CudaContext::new(0)?.default_stream();
    let (slice, recorded) = measured("no pools", || stream.alloc_zeros::<u16>(77));
    assert_eq!(recorded.counters(DEVICE()).current_bytes, 154);
    assert_eq!((sim.calls("cuMemAllocAsync"), sim.calls("cuMemAlloc_v2")), (0, 1));
    agree(sim);
    drop(slice?);
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn pinned_and_managed_memory_have_spaces_of_their_own() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let context = CudaContext::new(0)?;
    let (held, recorded) = measured("host side", || -> Tried<_> {
        // SAFETY: plain numbers that nobody reads.
        let pinned = unsafe { context.alloc_pinned::<u32>(25) }?;
        // SAFETY: plain numbers that nobody reads.
        let managed = unsafe { context.alloc_unified::<u32>(11, true) }?;
        Ok((pinned, managed, ground::pinned(33)?))
    });
    let held = held?;
    assert_eq!(recorded.counters(Space::PINNED).current_bytes, 133);
    assert_eq!(recorded.counters(Space::PINNED).current_blocks, 2);
    assert_eq!(recorded.counters(Space::MANAGED).current_bytes, 44);
    assert_eq!(recorded.counters(DEVICE()).total_blocks, 0);
    agree(sim);
    ground::free_pinned(held.2)?;
    drop(held);
    assert_eq!((live(Space::PINNED), live(Space::MANAGED)), ((0, 0), (0, 0)));
    Ok(())
}

#[test]
fn a_pool_of_another_device_counts_there() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = CudaContext::new(0)?.default_stream();
    let pool = ground::pool(1)?;
    let (address, recorded) = measured("pool", || ground::allocate_from(pool, 4_000, stream.cu_stream()));
    assert_eq!(recorded.counters(Space::device(1)).current_bytes, 4_000);
    assert_eq!(recorded.counters(DEVICE()).total_blocks, 0);
    agree(sim);
    ground::free_async(address?, stream.cu_stream())?;
    assert_eq!(live(Space::device(1)), (0, 0));
    // SAFETY: a pool that is not used any more.
    unsafe { result::mem_pool::destroy(pool) }?;
    Ok(())
}

#[test]
fn pitched_memory_counts_what_was_asked_for() -> Tried {
    let (_alone, _sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let (address, recorded) = measured("pitched", || ground::pitched(100, 7));
    assert_eq!(recorded.counters(DEVICE()).current_bytes, 700);
    ground::free(address?)?;
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn arrays_count_their_elements() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let (arrays, recorded) =
        measured("arrays", || -> Tried<_> { Ok([ground::array(10, 4)?, ground::array3d(3, 4, 5)?]) });
    assert_eq!(recorded.counters(DEVICE()).current_bytes, 80 + 480);
    agree(sim);
    for array in arrays? {
        ground::destroy_array(array)?;
    }
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn physical_memory_lives_until_handle_and_mapping_are_gone() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let held = (i64::try_from(GRANULARITY)?, 1);
    let address = ground::reserve(2 * GRANULARITY)?;
    let (handle, recorded) = measured("physical", || ground::physical(1, GRANULARITY));
    let handle = handle?;
    assert_eq!(recorded.counters(Space::device(1)).current_bytes, held.0);
    ground::map(address, GRANULARITY, handle)?;
    ground::release_physical(handle)?;
    assert_eq!(live(Space::device(1)), held);
    agree(sim);
    let again = ground::retain_physical(address)?;
    ground::unmap(address, GRANULARITY)?;
    assert_eq!(live(Space::device(1)), held);
    agree(sim);
    ground::release_physical(again)?;
    assert_eq!(live(Space::device(1)), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn physical_memory_that_the_driver_keeps_stays_in_the_books() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let handle = ground::physical(0, GRANULARITY)?;
    let address = ground::reserve(GRANULARITY)?;
    ground::map(address, GRANULARITY, handle)?;
    sim.fail_next("cuMemRelease", 999, 1);
    assert!(ground::release_physical(handle).is_err());
    ground::release_physical(handle)?;
    agree(sim);
    sim.fail_next("cuMemUnmap", 999, 1);
    assert!(ground::unmap(address, GRANULARITY).is_err());
    agree(sim);
    assert_eq!(live(DEVICE()).1, 1);
    ground::unmap(address, GRANULARITY)?;
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn imported_memory_is_neither_counted_nor_unknown() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let context = CudaContext::new(0)?;
    let before = totals(DEVICE());
    // SAFETY: an opaque handle, which the simulator takes for memory of its size.
    let imported = unsafe { context.import_external_memory(std::fs::File::open("Cargo.toml")?, 4_096) }?;
    let mapped = imported.map_all()?;
    assert_eq!(sim.live().foreign.blocks, 1);
    drop(mapped);
    assert_eq!(sim.live().foreign.blocks, 0);
    let after = totals(DEVICE());
    assert_eq!((after.blocks_total, after.unknown_frees), (before.blocks_total, before.unknown_frees));
    Ok(())
}

#[test]
fn each_device_has_its_space_whichever_context_is_used() -> Tried {
    let (_alone, sim) = alone()?;
    let before = CudaContext::new(1)?;
    let _guard = memprof_cuda::intercept()?;
    let after = CudaContext::new(0)?;
    let (first, second) = (after.default_stream(), before.default_stream());
    let slices = (first.alloc_zeros::<u8>(10)?, second.alloc_zeros::<u8>(20)?);
    assert_eq!((live(Space::device(0)), live(Space::device(1))), ((10, 1), (20, 1)));
    let created = ground::create_context(1)?;
    let address = ground::allocate(40)?;
    assert_eq!(live(Space::device(1)), (60, 2));
    agree(sim);
    ground::free(address)?;
    ground::destroy_context(created)?;
    drop(slices);
    agree(sim);
    Ok(())
}

#[test]
fn other_threads_have_their_own_scopes_and_hand_over_what_they_free() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let context = CudaContext::new(0)?;
    let stream = context.default_stream();
    let (send, receive) = mpsc::channel();
    let (consumed, produced) = thread::scope(|threads| {
        let consumer = threads.spawn(|| {
            let scope = Scope::enter(Site::named("consumer"));
            // Without a context of the thread's own the driver refuses to free on the default stream.
            context.bind_to_thread()?;
            receive.into_iter().for_each(drop);
            Ok::<_, DriverError>(scope.finish())
        });
        let scope = Scope::enter(Site::named("producer"));
        for bytes in [100, 200, 300] {
            let Ok(slice) = stream.alloc_zeros::<u8>(bytes) else { break };
            let _received = send.send(slice);
        }
        drop(send);
        let consumed = consumer.join();
        (consumed, scope.finish())
    });
    let consumed = consumed.map_err(|_| "the consumer panicked")??;
    let produced = produced.counters(DEVICE());
    assert_eq!((produced.total_bytes, produced.current_bytes), (600, 0));
    let consumed = consumed.counters(DEVICE());
    assert_eq!((consumed.total_blocks, consumed.current_bytes), (0, 0));
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    Ok(())
}

#[test]
fn work_under_a_context_reaches_the_scope_that_captured_it() -> Tried {
    let (_alone, _sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = CudaContext::new(0)?.default_stream();
    let (slice, recorded) = measured("captured", || {
        let context = Context::current();
        let stream = stream.clone();
        thread::spawn(move || context.run(|| stream.alloc_zeros::<u8>(512))).join()
    });
    assert_eq!(recorded.counters(DEVICE()).current_bytes, 512);
    drop(slice.map_err(|_| "the worker panicked")??);
    assert_eq!(live(DEVICE()), (0, 0));
    Ok(())
}

#[test]
fn a_block_may_be_freed_by_another_function_than_its_own() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = CudaContext::new(0)?.default_stream();
    // SAFETY: nobody uses the memory.
    let from_pool = unsafe { result::malloc_async(stream.cu_stream(), 10) }?;
    // SAFETY: nobody uses the memory.
    let managed = unsafe { result::malloc_managed(20, sys::CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL) }?;
    let plain = ground::allocate(30)?;
    ground::free(from_pool)?;
    ground::free(managed)?;
    ground::free_async(plain, stream.cu_stream())?;
    assert_eq!((live(DEVICE()), live(Space::MANAGED)), ((0, 0), (0, 0)));
    agree(sim);
    Ok(())
}

#[test]
fn the_host_is_not_charged_for_what_interception_keeps() -> Tried {
    let (_alone, _sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    // cudarc looks functions up when they are first called.
    ground::free(ground::allocate(16)?)?;
    let (addresses, recorded) = measured("books", || -> Tried<_> {
        drop(vec![0_u8; 4_096]);
        let mut addresses = [0; 64];
        for address in &mut addresses {
            *address = ground::allocate(16)?;
            ground::free(*address)?;
            *address = ground::allocate(16)?;
        }
        Ok(addresses)
    });
    assert_eq!(recorded.counters(DEVICE()).current_blocks, 64);
    let host = recorded.counters(Space::HOST);
    assert_eq!((host.total_blocks, host.total_bytes), (1, 4_096));
    for address in addresses? {
        ground::free(address)?;
    }
    Ok(())
}
