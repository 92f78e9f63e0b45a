//! Interception of the driver's own functions, over the CUPTI that the machine has.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::thread;

use cudarc::driver::{CudaContext, result, sys};
use memprof_core::Space;

use crate::ground::calls::{self, GRANULARITY, live, measured};
use crate::ground::{Gpu, MIB, Outcome, device, saw};

#[test]
fn the_driver_and_its_device_are_known() -> Outcome {
    let gpu = Gpu::take()?;
    let mut version = 0;
    // SAFETY: a place for the number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    let total = gpu.context.total_mem()?;
    saw(format!("{}, CUDA {}.{}, {total} bytes", gpu.context.name()?, version / 1000, version % 1000 / 10));
    Ok(())
}

#[test]
fn a_cupti_library_is_found_and_works_with_the_driver() -> Outcome {
    let _gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let loaded = maps.lines().filter_map(|line| line.split_once('/'));
    let cupti = loaded.map(|(_, path)| path).find(|path| path.contains("libcupti"));
    saw(cupti.map_or_else(|| "the process's own symbols".to_owned(), |path| format!("/{path}")));
    Ok(())
}

#[test]
fn every_kind_of_memory_is_charged_to_its_scope_in_its_space_and_freed() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let stream = gpu.context.new_stream()?;
    let mut seen = Vec::new();
    let mut check = |what: &str, space: Space, bytes: i64, work: &dyn Fn() -> Outcome| -> Outcome {
        let (outcome, recorded) = measured(what, work);
        outcome.map_err(|error| format!("{what}: {error}"))?;
        gpu.context.synchronize()?;
        let counters = recorded.counters(space);
        assert_eq!(counters.total_bytes, bytes, "{what}: allocated in {space}");
        assert_eq!((counters.total_blocks, live(space)), (1, (0, 0)), "{what}: blocks, and what is live afterwards");
        seen.push(format!("{what} {bytes}"));
        Ok(())
    };
    check("alloc_zeros", device(), 1000, &|| Ok(stream.alloc_zeros::<u8>(1000).map(drop)?))?;
    check("clone_htod", device(), 4096, &|| Ok(stream.clone_htod(&[1.0_f32; 1024]).map(drop)?))?;
    check("cuMemAlloc", device(), 1001, &|| Ok(calls::free(calls::allocate(1001)?)?))?;
    check("cuMemAllocPitch", device(), 300, &|| Ok(calls::free(calls::pitched(100, 3)?)?))?;
    check("cuArrayCreate", device(), 64 * 32 * 2, &|| Ok(calls::destroy_array(calls::array(64, 32)?)?))?;
    check("cuMemAllocHost", Space::PINNED, 5000, &|| Ok(calls::free_pinned(calls::pinned(5000)?)?))?;
    // SAFETY: the memory is not read.
    check("cuMemHostAlloc", Space::PINNED, 600, &|| Ok(unsafe { gpu.context.alloc_pinned::<u8>(600) }.map(drop)?))?;
    check("cuMemAllocManaged", Space::MANAGED, 700, &|| {
        // SAFETY: nobody uses the memory.
        let address = unsafe { result::malloc_managed(700, sys::CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL) }?;
        Ok(calls::free(address)?)
    })?;
    check("cuMemCreate", device(), 2 << 20, &|| {
        let (physical, address) = (calls::physical(0, GRANULARITY)?, calls::reserve(GRANULARITY)?);
        calls::map(address, GRANULARITY, physical)?;
        calls::release_physical(physical)?;
        calls::unmap(address, GRANULARITY)?;
        // SAFETY: reserved above, and nothing is mapped there any more.
        Ok(unsafe { sys::cuMemAddressFree(address, GRANULARITY) }.result()?)
    })?;
    check("cuMemAllocFromPoolAsync", device(), 800, &|| {
        let pool = calls::pool(0)?;
        calls::free_async(calls::allocate_from(pool, 800, stream.cu_stream())?, stream.cu_stream())?;
        stream.synchronize()?;
        // SAFETY: a pool of our own, whose blocks are freed.
        Ok(unsafe { sys::cuMemPoolDestroy(pool) }.result()?)
    })?;
    saw(format!("bytes: {}", seen.join(", ")));
    Ok(())
}

/// A number that looks random, from 1 to 100,000.
fn bytes_of(step: usize) -> usize {
    1 + step.wrapping_mul(48_271) % 100_000
}

#[test]
fn the_books_of_eight_threads_are_exact_at_a_quiet_point() -> Outcome {
    const THREADS: usize = 8;
    const STEPS: usize = 500;
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let kept = thread::scope(|threads| -> Result<Vec<_>, Box<dyn std::error::Error>> {
        let context = &gpu.context;
        let workers = (0..THREADS).map(|worker| {
            threads.spawn(move || {
                let stream = context.new_stream()?;
                let mut kept = Vec::new();
                for step in 0..STEPS {
                    let slice = stream.alloc_zeros::<u8>(bytes_of(worker * STEPS + step))?;
                    if step % 10 == 0 {
                        kept.push(slice);
                    }
                }
                Ok::<_, cudarc::driver::DriverError>(kept)
            })
        });
        let mut kept = Vec::new();
        for worker in workers.collect::<Vec<_>>() {
            kept.extend(worker.join().map_err(|_| "a thread panicked")??);
        }
        Ok(kept)
    })?;
    let bytes: usize = kept.iter().map(cudarc::driver::CudaSlice::num_bytes).sum();
    assert_eq!(live(device()), (i64::try_from(bytes)?, i64::try_from(kept.len())?));
    saw(format!("{bytes} bytes in {} blocks attributed, and so many are held", kept.len()));
    drop(kept);
    let totals = calls::totals(device());
    assert_eq!((totals.live, totals.live_blocks, totals.unknown_frees, totals.missed_frees), (0, 0, 0, 0));
    Ok(())
}

#[test]
fn wrappers_and_interception_count_a_block_once() -> Outcome {
    use memprof_cuda::TrackedExt as _;

    let gpu = Gpu::take()?;
    let stream = gpu.context.default_stream().tracked();
    let before = stream.alloc_zeros::<u8>(MIB)?;
    let guard = memprof_cuda::intercept()?;
    let during = stream.alloc_zeros::<u8>(MIB)?;
    assert_eq!(live(device()), (2 << 20, 2));
    drop(before);
    assert_eq!(live(device()), (1 << 20, 1));
    drop(guard);
    drop(during);
    assert_eq!(live(device()), (0, 0));
    saw("2 blocks of 1048576 bytes, counted once each, freed on the other side of the guard");
    Ok(())
}

#[test]
fn a_context_that_existed_before_is_charged_to_its_device() -> Outcome {
    let _gpu = Gpu::take()?;
    let context = CudaContext::new(0)?;
    let kept = context.default_stream().alloc_zeros::<u8>(10)?;
    let _guard = memprof_cuda::intercept()?;
    let (slice, recorded) = measured("after", || context.default_stream().alloc_zeros::<u8>(1234));
    assert_eq!(recorded.counters(device()).current_bytes, 1234);
    drop((slice?, kept));
    saw("1234 bytes in cuda:0");
    Ok(())
}

#[test]
fn interception_goes_on_and_off_under_eight_threads() -> Outcome {
    use std::sync::atomic::{AtomicBool, Ordering};

    use memprof_cuda::TrackedExt as _;

    let gpu = Gpu::take()?;
    let (is_over, context) = (AtomicBool::new(false), &gpu.context);
    let made = thread::scope(|threads| -> Result<u64, Box<dyn std::error::Error>> {
        let worker = || -> Result<u64, String> {
            let stream = context.new_stream().map_err(|error| error.to_string())?.tracked();
            let mut blocks = 0;
            while !is_over.load(Ordering::Relaxed) || blocks == 0 {
                drop(stream.alloc_zeros::<u8>(1000).map_err(|error| error.to_string())?);
                blocks += 1;
            }
            Ok(blocks)
        };
        let workers: Vec<_> = (0..8).map(|_| threads.spawn(worker)).collect();
        let outcome = (0..50).try_for_each(|_| memprof_cuda::intercept().map(drop));
        is_over.store(true, Ordering::Relaxed);
        let mut blocks = 0;
        for worker in workers {
            blocks += worker.join().map_err(|_| "a thread panicked")??;
        }
        outcome?;
        Ok(blocks)
    })?;
    gpu.context.synchronize()?;
    let totals = calls::totals(device());
    saw(format!("50 times on and off; {} of {made} blocks counted, {:?} live", totals.blocks_total, live(device())));
    // Each was counted once, by whoever it was, and is gone.
    assert_eq!((totals.blocks_total, live(device())), (made, (0, 0)));
    assert_eq!((totals.unknown_frees, totals.missed_frees), (0, 0));
    Ok(())
}

#[test]
fn pools_come_and_go_under_snapshots() -> Outcome {
    use std::sync::atomic::{AtomicBool, Ordering};

    let gpu = Gpu::take()?;
    if !gpu.context.has_async_alloc() {
        crate::ground::skipped("this device has no memory pools");
        return Ok(());
    }
    let _guard = memprof_cuda::intercept()?;
    let is_over = AtomicBool::new(false);
    let snapshots = thread::scope(|threads| -> Result<u64, Box<dyn std::error::Error>> {
        let counting = threads.spawn(|| {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                memprof_core::snapshot();
                count += 1;
            }
            count
        });
        let outcome = (0..200).try_for_each(|_| {
            let pool = calls::pool(0)?;
            // SAFETY: made just now, and empty.
            unsafe { sys::cuMemPoolDestroy(pool) }.result()
        });
        is_over.store(true, Ordering::Relaxed);
        let count = counting.join().map_err(|_| "a snapshot panicked")?;
        outcome?;
        Ok(count)
    })?;
    saw(format!("200 pools made and destroyed, {snapshots} snapshots meanwhile"));
    Ok(())
}
