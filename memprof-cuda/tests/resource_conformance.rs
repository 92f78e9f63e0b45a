//! What every device resource must do, written once and run for each: the driver's four, and every adaptor over each.
//! RMM's suites for resources, restated. As they report themselves, and again while the process is intercepted. On a GPU
//! where there is one, and on the simulator otherwise.

#![expect(unsafe_code, reason = "frees device memory")]

use std::sync::{Arc, mpsc};
use std::thread;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;

use memprof_cuda_sim::Sim;

use self::resource::{
    Device, GIB, KIB, MIB, PIB, Random, Resource, all_resources, books, device, driver_resources, free, skipped,
};

mod resource;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs `check` for every resource, as it reports itself and again while the process is intercepted.
fn for_every_resource(check: impl Fn(&str, &Resource, &Device) -> Outcome) -> Outcome {
    let device = device()?;
    leaves_the_books_as_they_were(&device, &check)?;
    match memprof_cuda::intercept() {
        Ok(_guard) => {
            leaves_the_books_as_they_were(&device, &check).map_err(|error| format!("intercepted: {error}").into())
        }
        Err(error) if device.driver.is_real() => {
            skipped(&error.to_string());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Compares memprof's books, and the driver's if that is the simulator, with those before: nothing may be left, and
/// nothing freed that was not known.
fn leaves_the_books_as_they_were(device: &Device, check: impl Fn(&str, &Resource, &Device) -> Outcome) -> Outcome {
    for (name, resource) in all_resources()? {
        let space = resource.space(&device.stream);
        let before = books(space);
        let driver_before = device.driver.simulator().map(Sim::blocks);
        check(&name, &resource, device).map_err(|error| format!("{name}: {error}"))?;
        device.context.synchronize()?;
        assert_eq!(books(space), before, "{name}: memprof's books of {space}");
        assert_eq!(device.driver.simulator().map(Sim::blocks), driver_before, "{name}: the driver's books");
    }
    Ok(())
}

/// On the default stream, and on one of its own.
fn on_streams(device: &Device, check: impl Fn(&Arc<CudaStream>) -> Outcome) -> Outcome {
    check(&device.stream)?;
    check(&device.context.new_stream()?)
}

/// On four threads at once, on the default stream and on one of each thread's own.
fn on_threads(
    device: &Device,
    check: impl Fn(u64, &Arc<CudaStream>) -> Result<(), memprof_cuda::Error> + Sync,
) -> Outcome {
    for own_stream in [false, true] {
        let mut streams = Vec::new();
        for _ in 0..4 {
            streams.push(if own_stream { device.context.new_stream()? } else { Arc::clone(&device.stream) });
        }
        let check = &check;
        thread::scope(|scope| -> Outcome {
            let threads: Vec<_> =
                (1..).zip(&streams).map(|(seed, stream)| scope.spawn(move || check(seed, stream))).collect();
            threads.into_iter().try_for_each(|thread| Ok(thread.join().map_err(|_| "a thread panicked")??))
        })?;
    }
    Ok(())
}

#[test]
fn two_blocks_differ_and_are_aligned() -> Outcome {
    for_every_resource(|name, resource, device| {
        on_streams(device, |stream| {
            let [one, other] = [resource.allocate(8, stream)?, resource.allocate(8, stream)?];
            assert_ne!(one, other, "{name}");
            for pointer in [one, other] {
                assert_ne!(pointer, 0, "{name}");
                assert_eq!(pointer % resource.alignment() as u64, 0, "{name}");
                free(resource, pointer, 8, stream)?;
            }
            Ok(())
        })
    })
}

#[test]
fn nothing_to_a_gigabyte_is_allocated_and_freed() -> Outcome {
    for_every_resource(|name, resource, device| {
        on_streams(device, |stream| {
            for bytes in [0, 4, KIB, MIB, GIB] {
                let pointer = resource.allocate(bytes, stream)?;
                assert_eq!(pointer == 0, bytes == 0, "{name}: {bytes} bytes");
                free(resource, pointer, bytes, stream)?;
            }
            Ok(())
        })
    })
}

/// Managed memory beyond what a card has free is asked of the simulator only: it can hang a GPU.
fn may_hang(resource: &Resource, device: &Device) -> bool {
    let hangs = device.driver.is_real() && resource.space(&device.stream) == memprof_core::Space::MANAGED;
    if hangs {
        skipped("so much managed memory is asked of the simulator only");
    }
    hangs
}

#[test]
fn a_petabyte_is_out_of_memory_and_changes_nothing() -> Outcome {
    for_every_resource(|name, resource, device| {
        if may_hang(resource, device) {
            return Ok(());
        }
        on_streams(device, |stream| {
            let error = resource.allocate(PIB, stream).err().ok_or("a petabyte was allocated")?;
            assert!(error.is_out_of_memory(), "{name}: {error}");
            assert!(error.to_string().contains("out_of_memory"), "{name}: {error}");
            Ok(())
        })
    })
}

#[test]
fn more_than_an_address_space_is_an_error() -> Outcome {
    for_every_resource(|name, resource, device| {
        if may_hang(resource, device) {
            return Ok(());
        }
        for bytes in [usize::MAX, usize::MAX - 255, isize::MAX as usize] {
            assert!(resource.allocate(bytes, &device.stream).is_err(), "{name}: {bytes} bytes");
        }
        Ok(())
    })
}

/// The most bytes of a random block: what RMM takes, and less where the memory is the host's.
fn most(device: &Device) -> usize {
    if device.driver.simulator().is_some() { 256 * KIB } else { 5 * MIB }
}

/// Of `all` random blocks or steps, how many there are: all on a GPU, and on the simulator where the compiler optimises (`.ci/run`); else a fifth.
fn rounds(device: &Device, all: usize) -> usize {
    if cfg!(debug_assertions) && device.driver.simulator().is_some() { all / 5 } else { all }
}

/// 100 blocks ([`rounds`]) of random bytes, all live at once, and then freed.
fn random_blocks(
    resource: &Resource,
    device: &Device,
    seed: u64,
    stream: &Arc<CudaStream>,
) -> Result<(), memprof_cuda::Error> {
    let mut random = Random::new(seed);
    let (mut blocks, most) = (Vec::new(), most(device));
    for _ in 0..rounds(device, 100) {
        let bytes = 1 + random.below(most);
        blocks.push((resource.allocate(bytes, stream)?, bytes));
    }
    blocks.into_iter().try_for_each(|(pointer, bytes)| free(resource, pointer, bytes, stream))
}

#[test]
fn random_blocks_live_at_once() -> Outcome {
    for_every_resource(|_, resource, device| {
        on_streams(device, |stream| Ok(random_blocks(resource, device, 7, stream)?))
    })
}

#[test]
fn random_blocks_on_each_of_four_threads() -> Outcome {
    for_every_resource(|_, resource, device| {
        on_threads(device, |seed, stream| random_blocks(resource, device, seed, stream))
    })
}

/// 200 steps ([`rounds`]), of which 53 in 100 allocate and the others free any live block.
fn mixed_steps(
    resource: &Resource,
    device: &Device,
    seed: u64,
    stream: &Arc<CudaStream>,
) -> Result<(), memprof_cuda::Error> {
    let mut random = Random::new(seed);
    let (mut blocks, most) = (Vec::<(CUdeviceptr, usize)>::new(), most(device));
    for _ in 0..rounds(device, 200) {
        if blocks.is_empty() || random.below(100) < 53 {
            let bytes = 1 + random.below(most);
            blocks.push((resource.allocate(bytes, stream)?, bytes));
        } else {
            let (pointer, bytes) = blocks.swap_remove(random.below(blocks.len()));
            free(resource, pointer, bytes, stream)?;
        }
    }
    blocks.into_iter().try_for_each(|(pointer, bytes)| free(resource, pointer, bytes, stream))
}

#[test]
fn mixed_steps_of_random_blocks() -> Outcome {
    for_every_resource(|_, resource, device| {
        on_streams(device, |stream| Ok(mixed_steps(resource, device, 11, stream)?))
    })
}

#[test]
fn mixed_steps_on_each_of_four_threads() -> Outcome {
    for_every_resource(|_, resource, device| {
        on_threads(device, |seed, stream| mixed_steps(resource, device, seed, stream))
    })
}

#[test]
fn blocks_are_freed_by_another_thread() -> Outcome {
    for_every_resource(|_, resource, device| {
        let streams = [Arc::clone(&device.stream), device.context.per_thread_stream(), device.context.new_stream()?];
        for freeing in streams {
            let (send, blocks) = mpsc::channel();
            thread::scope(|scope| -> Outcome {
                let freed = scope.spawn(|| {
                    // It ends with the sender.
                    blocks.into_iter().try_for_each(|(pointer, bytes)| free(resource, pointer, bytes, &freeing))
                });
                let mut random = Random::new(13);
                for _ in 0..rounds(device, 100) {
                    let bytes = 1 + random.below(most(device));
                    send.send((resource.allocate(bytes, &device.stream)?, bytes))?;
                }
                drop(send);
                Ok::<_, Box<dyn std::error::Error>>(freed.join().map_err(|_| "the freeing thread panicked")??)
            })?;
        }
        Ok(())
    })
}

#[test]
fn null_is_freed_with_nothing_and_refused_with_bytes() -> Outcome {
    let device = device()?;
    for (name, resource) in all_resources()? {
        let space = resource.space(&device.stream);
        let live = books(space).live_blocks;
        free(&resource, 0, 0, &device.stream)?;
        let error = free(&resource, 0, 100, &device.stream).err().ok_or("null was freed")?;
        assert_eq!(error.to_string(), format!("cannot free 100 bytes of {} at a null pointer", upstream_space(&name)));
        assert_eq!(books(space).live_blocks, live, "{name}");
    }
    Ok(())
}

/// The space of the driver's own resource at the bottom.
fn upstream_space(name: &str) -> &'static str {
    match name {
        name if name.ends_with("ManagedMemory") => "managed",
        name if name.ends_with("PinnedHostMemory") => "pinned",
        _ => "cuda:0",
    }
}

#[test]
fn double_and_foreign_frees_are_errors_that_change_no_live_block() -> Outcome {
    let device = device()?;
    for (name, resource) in all_resources()? {
        let space = resource.space(&device.stream);
        let kept = resource.allocate(100, &device.stream)?;
        let freed = resource.allocate(100_000, &device.stream)?;
        free(&resource, freed, 100_000, &device.stream)?;
        device.context.synchronize()?;
        let live = books(space);
        for (what, pointer) in [("double", freed), ("foreign", 0x1000)] {
            let error = free(&resource, pointer, 100_000, &device.stream).err().ok_or("it was freed")?;
            assert!(error.code().is_some(), "{name}, {what}: {error}");
            assert!(!error.is_out_of_memory(), "{name}, {what}: {error}");
        }
        let after = books(space);
        assert_eq!((after.live, after.live_blocks), (live.live, live.live_blocks), "{name}");
        free(&resource, kept, 100, &device.stream)?;
    }
    Ok(())
}

#[test]
fn a_free_that_the_driver_refuses_leaves_the_books_and_succeeds_later() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    for (name, resource) in all_resources()? {
        let space = resource.space(&device.stream);
        let pointer = resource.allocate(MIB, &device.stream)?;
        let (live, driver) = (books(space), sim.blocks());
        for function in ["cuMemFree_v2", "cuMemFreeAsync", "cuMemFreeHost"] {
            sim.fail_next(function, 999, 1);
        }
        assert!(free(&resource, pointer, MIB, &device.stream).is_err(), "{name}");
        assert_eq!(books(space), live, "{name}");
        assert_eq!(sim.blocks(), driver, "{name}");
        sim.reset();
        sim.set_memory_limit(4 * GIB as u64);
        free(&resource, pointer, MIB, &device.stream)?;
    }
    Ok(())
}

#[test]
fn an_asynchronous_resource_without_pools_says_so() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    sim.use_pools(false);
    let stream = cudarc::driver::CudaContext::new(0)?.default_stream();
    let (name, resource) = driver_resources().remove(1);
    let error = resource.allocate(100, &stream).err().ok_or("it allocated")?;
    assert_eq!(name, "CudaAsyncMemory");
    assert_eq!(error.to_string(), "cannot allocate 100 bytes of cuda:0: CUDA_ERROR_NOT_SUPPORTED");
    Ok(())
}
