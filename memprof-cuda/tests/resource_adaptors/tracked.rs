//! `Tracked`: its own books, and memprof's.

use std::sync::Arc;

use cudarc::driver::sys::CUdeviceptr;
use memprof_core::{Scope, Site, Space};
use memprof_cuda::Error;
use memprof_cuda::resource::{CudaMemory, DeviceMemory, Limiting, Tracked};

use super::Outcome;
use super::resource::{Books, Device, MIB, books, device, free};

const CUDA: fn() -> Space = || Space::device(0);

fn allocate(
    resource: &dyn DeviceMemory,
    times: usize,
    bytes: usize,
    device: &Device,
) -> Result<Vec<CUdeviceptr>, Error> {
    (0..times).map(|_| resource.allocate(bytes, &device.stream)).collect()
}

fn free_all(resource: &dyn DeviceMemory, pointers: &[CUdeviceptr], bytes: usize, device: &Device) -> Result<(), Error> {
    pointers.iter().try_for_each(|pointer| free(resource, *pointer, bytes, &device.stream))
}

#[test]
fn an_empty_one_holds_nothing() {
    let resource = Tracked::new(CudaMemory);
    assert_eq!(resource.allocated_bytes(), 0);
    assert_eq!(resource.outstanding_allocations().len(), 0);
    assert_eq!(resource.outstanding_allocations_str(), "");
}

#[test]
fn all_that_is_freed_is_gone() -> Outcome {
    let device = device()?;
    let resource = Tracked::new(CudaMemory);
    let pointers = allocate(&resource, 10, 10 * MIB, &device)?;
    assert_eq!(resource.allocated_bytes(), 100 * MIB);
    free_all(&resource, &pointers, 10 * MIB, &device)?;
    assert_eq!((resource.allocated_bytes(), resource.outstanding_allocations().len()), (0, 0));
    Ok(())
}

#[test]
fn what_is_left_is_listed_in_the_order_of_pointers() -> Outcome {
    let device = device()?;
    let resource = Tracked::new(CudaMemory);
    let pointers = allocate(&resource, 10, 10 * MIB, &device)?;
    let (mut freed, mut left) = (Vec::new(), Vec::new());
    for (index, pointer) in pointers.into_iter().enumerate() {
        if index % 2 == 0 { &mut freed } else { &mut left }.push(pointer);
    }
    free_all(&resource, &freed, 10 * MIB, &device)?;
    left.sort_unstable();
    let listed: Vec<_> = resource.outstanding_allocations().iter().map(|block| (block.pointer, block.bytes)).collect();
    assert_eq!(listed, left.iter().map(|pointer| (*pointer, 10 * MIB)).collect::<Vec<_>>());
    assert_eq!(resource.allocated_bytes(), 50 * MIB);
    let text = resource.outstanding_allocations_str();
    let lines: Vec<_> = left.iter().map(|pointer| format!("{pointer:#x}: 10485760 B")).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    assert!(text.ends_with('\n'));
    assert!(resource.outstanding_allocations().iter().all(|block| block.stack.is_none()), "nobody asked for stacks");
    free_all(&resource, &left, 10 * MIB, &device)?;
    Ok(())
}

/// Allocates under a name that a stack shows.
#[inline(never)]
fn the_one_who_allocates(resource: &dyn DeviceMemory, device: &Device) -> Result<Vec<CUdeviceptr>, Error> {
    allocate(resource, 10, 10 * MIB, device)
}

#[test]
fn what_is_left_has_the_stacks_of_those_who_allocated_it() -> Outcome {
    let device = device()?;
    let resource = Tracked::new(CudaMemory).capture_stacks();
    let pointers = the_one_who_allocates(&resource, &device)?;
    let (mut freed, mut left) = (Vec::new(), Vec::new());
    for (index, pointer) in pointers.into_iter().enumerate() {
        if index % 2 == 0 { &mut freed } else { &mut left }.push(pointer);
    }
    free_all(&resource, &freed, 10 * MIB, &device)?;
    assert_eq!((resource.allocated_bytes(), resource.outstanding_allocations().len()), (50 * MIB, 5));
    assert!(resource.outstanding_allocations().iter().all(|block| block.stack.is_some()));
    left.sort_unstable();
    let text = resource.outstanding_allocations_str();
    let blocks: Vec<_> = text.split_terminator("\n\n").collect();
    assert_eq!(blocks.len(), 5, "each ends with a blank line: {text}");
    for (block, pointer) in blocks.iter().zip(&left) {
        let mut lines = block.lines();
        assert_eq!(lines.next(), Some(format!("{pointer:#x}: 10485760 B : callstack:").as_str()));
        let frames: Vec<_> = lines.collect();
        assert!((1..=64).contains(&frames.len()), "{block}");
        assert!(frames.iter().zip(0..).all(|(frame, number)| frame.starts_with(&format!("#{number} in "))), "{block}");
        assert!(frames.iter().any(|frame| frame.contains("tracked::the_one_who_allocates")), "{block}");
    }
    free_all(&resource, &left, 10 * MIB, &device)?;
    assert_eq!(resource.outstanding_allocations_str(), "");
    Ok(())
}

#[test]
fn what_a_stack_takes_is_in_no_number() -> Outcome {
    let device = device()?;
    let resource = Tracked::new(CudaMemory).capture_stacks();
    // cudarc looks up each function at its first call, and allocates for that.
    let first = resource.allocate(100, &device.stream)?;
    free(&resource, first, 100, &device.stream)?;
    let scope = Scope::enter(Site::named("stacks"));
    let pointer = resource.allocate(100, &device.stream)?;
    drop(resource.outstanding_allocations_str());
    free(&resource, pointer, 100, &device.stream)?;
    let counters = scope.finish().counters(Space::HOST);
    assert_eq!((counters.total_bytes, counters.current_bytes), (0, 0), "the text was hidden too");
    Ok(())
}

#[test]
fn the_list_is_written_to_stderr() -> Outcome {
    const TEST: &str = "tracked::the_list_is_written_to_stderr";
    const CHILD: &str = "OUTSTANDING_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let device = device()?;
        let resource = Tracked::new(CudaMemory);
        resource.log_outstanding_allocations();
        let pointer = resource.allocate(1000, &device.stream)?;
        resource.log_outstanding_allocations();
        return Ok(free(&resource, pointer, 1000, &device.stream)?);
    }
    let mut child = std::process::Command::new(std::env::current_exe()?);
    let output = child.args(["--exact", TEST, "--nocapture"]).env(CHILD, "1").output()?;
    let text = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{text}");
    let lines: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("memprof: Outstanding Allocations:")).collect();
    let [nothing, one] = lines[..] else { return Err(text.into()) };
    assert_eq!(nothing, "");
    assert!(one.starts_with(" 0x") && one.ends_with(": 1000 B"), "{one}");
    Ok(())
}

#[test]
fn the_upper_of_two_counts_what_came_through_it() -> Outcome {
    let device = device()?;
    let inner = Tracked::new(CudaMemory);
    let below = allocate(&inner, 10, 1000, &device)?;
    free_all(&inner, &below[..5], 1000, &device)?;
    assert_eq!(inner.allocated_bytes(), 5000);
    let outer = Tracked::new(&inner);
    let above = allocate(&outer, 2, 1000, &device)?;
    assert_eq!((outer.allocated_bytes(), inner.allocated_bytes()), (2000, 7000));
    free_all(&outer, &above, 1000, &device)?;
    free_all(&inner, &below[5..], 1000, &device)?;
    assert_eq!((outer.allocated_bytes(), inner.allocated_bytes()), (0, 0));
    assert_eq!((outer.outstanding_allocations_str(), inner.outstanding_allocations_str()), Default::default());
    let pointer = outer.allocate(8 * MIB, &device.stream)?;
    assert_eq!((outer.allocated_bytes(), inner.allocated_bytes()), (8 * MIB, 8 * MIB));
    free(&outer, pointer, 8 * MIB, &device.stream)?;
    assert_eq!((outer.allocated_bytes(), inner.allocated_bytes()), (0, 0));
    Ok(())
}

#[test]
fn of_two_over_one_another_each_keeps_its_books_and_memprof_counts_once() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let inner = Arc::new(Tracked::new(CudaMemory));
    let outer = Tracked::new(Arc::clone(&inner));
    let below = allocate(&inner, 10, 10 * MIB, &device)?;
    let above = allocate(&outer, 5, 10 * MIB, &device)?;
    assert_eq!((inner.outstanding_allocations().len(), inner.allocated_bytes()), (15, 150 * MIB));
    assert_eq!((outer.outstanding_allocations().len(), outer.allocated_bytes()), (5, 50 * MIB));
    let now = books(CUDA());
    assert_eq!((now.live - before.live, now.live_blocks - before.live_blocks), (157_286_400, 15));

    // All 15 through the outer one: 10 of them it does not know.
    free_all(&outer, &below, 10 * MIB, &device)?;
    free_all(&outer, &above, 10 * MIB, &device)?;
    assert_eq!((inner.allocated_bytes(), outer.allocated_bytes()), (0, 0));
    assert_eq!((inner.unknown_frees(), outer.unknown_frees()), (0, 10));
    assert_eq!(books(CUDA()), before);
    Ok(())
}

#[test]
fn a_block_that_is_freed_below_stays_only_in_the_books_above() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let inner = Arc::new(Tracked::new(CudaMemory));
    let outer = Tracked::new(Arc::clone(&inner));
    let pointer = outer.allocate(100, &device.stream)?;
    free(&inner, pointer, 100, &device.stream)?;
    assert_eq!(books(CUDA()), before);
    assert_eq!((inner.allocated_bytes(), outer.allocated_bytes()), (0, 100));
    Ok(())
}

#[test]
fn a_free_through_one_that_did_not_allocate_underflows_nothing() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let inner = Arc::new(Tracked::new(CudaMemory));
    let outer = Tracked::new(Arc::clone(&inner));
    let pointer = inner.allocate(10 * MIB, &device.stream)?;
    free(&outer, pointer, 10 * MIB, &device.stream)?;
    assert_eq!((outer.allocated_bytes(), outer.outstanding_allocations().len(), outer.unknown_frees()), (0, 0, 1));
    assert_eq!((inner.allocated_bytes(), inner.outstanding_allocations().len(), inner.unknown_frees()), (0, 0, 0));
    assert_eq!(books(CUDA()), before);
    Ok(())
}

#[test]
fn a_free_with_wrong_bytes_frees_what_was_allocated() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let limiting = Limiting::new(CudaMemory, 20 * MIB);
    let resource = Tracked::new(&limiting);
    for wrong in [5 * MIB, 0] {
        let pointer = resource.allocate(10 * MIB, &device.stream)?;
        free(&resource, pointer, wrong, &device.stream)?;
        assert_eq!((resource.allocated_bytes(), resource.outstanding_allocations().len()), (0, 0));
        assert_eq!(limiting.allocated_bytes(), 0);
    }
    assert_eq!(resource.mismatched_frees(), 2);
    assert_eq!(books(CUDA()), before);
    Ok(())
}

#[test]
fn double_and_foreign_frees_are_counted_here_and_refused() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let resource = Tracked::new(CudaMemory);
    let pointer = resource.allocate(100, &device.stream)?;
    free(&resource, pointer, 100, &device.stream)?;
    let refused = "cannot free 100 bytes of cuda:0 at 0x1000: CUDA_ERROR_INVALID_VALUE";
    assert!(free(&resource, pointer, 100, &device.stream).is_err());
    assert_eq!(
        free(&resource, 0x1000, 100, &device.stream).err().map(|error| error.to_string()).as_deref(),
        Some(refused)
    );
    assert_eq!(resource.unknown_frees(), 2);
    assert_eq!(books(CUDA()), before, "nothing was freed");
    // One that the driver does.
    let foreign = CudaMemory.allocate(100, &device.stream)?;
    free(&resource, foreign, 100, &device.stream)?;
    assert_eq!(resource.unknown_frees(), 3);
    assert_eq!(books(CUDA()), Books { unknown_frees: before.unknown_frees + 1, ..before });
    Ok(())
}

#[test]
fn blocks_of_no_bytes_are_blocks_intercepted_or_not() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let resource = Tracked::new(CudaMemory);
    let live = |blocks| Books { live_blocks: before.live_blocks + blocks, ..before.clone() };
    assert_eq!(allocate(&resource, 3, 0, &device)?, [0, 0, 0]);
    assert_eq!(books(CUDA()), live(3));
    free_all(&resource, &[0, 0], 0, &device)?;
    assert_eq!(books(CUDA()), live(1));
    if device.simulator().is_some() {
        let _guard = memprof_cuda::intercept()?;
        assert_eq!(allocate(&resource, 2, 0, &device)?, [0, 0]);
        assert_eq!(books(CUDA()), live(3), "one from before, two from within");
        free_all(&resource, &[0, 0], 0, &device)?;
        assert_eq!(books(CUDA()), live(1));
    }
    free_all(&resource, &[0, 0], 0, &device)?;
    assert_eq!(books(CUDA()), before, "the last free is of no block");
    Ok(())
}

#[test]
fn a_scope_sees_what_it_allocates_and_what_fails() -> Outcome {
    let device = device()?;
    let resource = Tracked::new(Limiting::new(CudaMemory, 2000));
    let scope = Scope::enter(Site::named("resource scope"));
    let pointers = [resource.allocate(1000, &device.stream)?, resource.allocate(24, &device.stream)?];
    assert!(resource.allocate(1000, &device.stream).is_err());
    free(&resource, pointers[0], 1000, &device.stream)?;
    let counters = scope.finish().counters(CUDA());
    assert_eq!((counters.peak_bytes, counters.peak_blocks), (1024, 2));
    assert_eq!((counters.total_bytes, counters.current_bytes), (1024, 24));
    let snapshot = memprof_core::snapshot();
    let records = snapshot.records(CUDA());
    let record = records.iter().find(|record| record.name == "resource scope").ok_or("no record")?;
    assert_eq!((record.failed, record.live, record.live_blocks), (1, 24, 1));
    free(&resource, pointers[1], 24, &device.stream)?;
    Ok(())
}

#[test]
fn a_space_of_its_own_is_counted_apart() -> Outcome {
    let device = device()?;
    let weights = Space::named("weights");
    let outer = Tracked::in_space(Tracked::new(CudaMemory), weights);
    let before = books(CUDA());
    let pointer = outer.allocate(1000, &device.stream)?;
    assert_eq!((books(weights).live, books(CUDA()).live - before.live), (1000, 1000));
    free(&outer, pointer, 1000, &device.stream)?;
    assert_eq!((books(weights).live, books(CUDA()).live - before.live), (0, 0));
    Ok(())
}

#[test]
fn its_own_books_are_kept_while_memprof_is_off() -> Outcome {
    let device = device()?;
    let before = books(CUDA());
    let resource = Tracked::new(CudaMemory);
    memprof_core::disable();
    let pointer = resource.allocate(1000, &device.stream)?;
    let allocated = resource.allocated_bytes();
    memprof_core::enable();
    assert_eq!(allocated, 1000);
    assert_eq!(books(CUDA()), before);
    free(&resource, pointer, 1000, &device.stream)?;
    assert_eq!(resource.allocated_bytes(), 0);
    assert_eq!(books(CUDA()), before, "not unknown: it was allocated while memprof was off");
    Ok(())
}

#[test]
fn while_the_process_is_intercepted_each_block_is_counted_once() -> Outcome {
    let device = device()?;
    if device.simulator().is_none() {
        return Ok(());
    }
    let before = books(CUDA());
    let resource = Tracked::new(CudaMemory);
    let early = resource.allocate(1000, &device.stream)?;
    let guard = memprof_cuda::intercept()?;
    let late = resource.allocate(200, &device.stream)?;
    let now = books(CUDA());
    assert_eq!((now.live - before.live, now.live_blocks - before.live_blocks), (1200, 2));
    assert_eq!(resource.allocated_bytes(), 1200);
    free(&resource, early, 1000, &device.stream)?;
    assert_eq!(books(CUDA()).live - before.live, 200, "allocated before, freed within");
    drop(guard);
    free(&resource, late, 200, &device.stream)?;
    assert_eq!(books(CUDA()), before, "allocated within, freed after");
    assert_eq!(resource.allocated_bytes(), 0);
    Ok(())
}
