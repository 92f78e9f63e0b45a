//! `Limiting`: exact to the byte, under threads and under failures.

use std::sync::Barrier;
use std::thread;

use memprof_cuda::resource::{CudaMemory, DeviceMemory, Limiting};

use super::Outcome;
use super::resource::{MIB, device, free};

#[test]
fn more_than_the_limit_is_out_of_memory() -> Outcome {
    let device = device()?;
    let resource = Limiting::new(CudaMemory, 5 * MIB);
    let error = resource.allocate(5 * MIB + 1, &device.stream).err().ok_or("it was allocated")?;
    assert!(error.is_out_of_memory());
    assert_eq!(error.code(), None, "the driver was not asked");
    assert_eq!(
        error.to_string(),
        "cannot allocate 5242881 bytes of cuda:0: 0 of 5242880 bytes are allocated, the limit of this resource: \
         out_of_memory"
    );
    assert_eq!((resource.allocated_bytes(), resource.allocation_limit()), (0, 5 * MIB));
    Ok(())
}

#[test]
fn the_lower_of_two_limits_holds() -> Outcome {
    let device = device()?;
    let inner = Limiting::new(CudaMemory, 2 * MIB);
    let outer = Limiting::new(&inner, 5 * MIB);
    assert!(outer.allocate(4 * MIB, &device.stream).is_err_and(|error| error.is_out_of_memory()));
    assert_eq!((inner.allocated_bytes(), outer.allocated_bytes()), (0, 0), "rolled back in both");
    Ok(())
}

#[test]
fn the_limit_itself_can_be_reached() -> Outcome {
    let device = device()?;
    let (resource, stream) = (Limiting::new(CudaMemory, 10 * MIB), &device.stream);
    let one = resource.allocate(4 * MIB, stream)?;
    let two = resource.allocate(4 * MIB, stream)?;
    assert!(resource.allocate(3 * MIB, stream).is_err());
    assert_eq!(resource.allocated_bytes(), 8 * MIB);
    free(&resource, one, 4 * MIB, stream)?;
    let three = resource.allocate(6 * MIB, stream)?;
    assert_eq!(resource.allocated_bytes(), 10 * MIB);
    assert!(resource.allocate(1, stream).is_err());
    free(&resource, two, 4 * MIB, stream)?;
    free(&resource, three, 6 * MIB, stream)?;
    assert_eq!(resource.allocated_bytes(), 0);
    Ok(())
}

#[test]
fn bytes_count_as_multiples_of_the_alignment() -> Outcome {
    let device = device()?;
    let stream = &device.stream;
    let resource = Limiting::new(CudaMemory, MIB);
    let halves = [resource.allocate(MIB / 2, stream)?, resource.allocate(MIB / 2, stream)?];
    assert!(resource.allocate(1, stream).is_err());
    free(&resource, halves[0], MIB / 2, stream)?;
    let one = resource.allocate(1, stream)?;
    assert_eq!(resource.allocated_bytes(), MIB / 2 + 256);
    free(&resource, one, 1, stream)?;
    free(&resource, halves[1], MIB / 2, stream)?;

    let to_the_byte = Limiting::with_alignment(CudaMemory, 100, 1)?;
    let pointer = to_the_byte.allocate(99, stream)?;
    assert_eq!(to_the_byte.allocated_bytes(), 99);
    assert!(to_the_byte.allocate(2, stream).is_err());
    free(&to_the_byte, pointer, 99, stream)?;
    let error = Limiting::with_alignment(CudaMemory, 100, 3).err().ok_or("3 was taken")?;
    assert_eq!(error.to_string(), "cannot count in multiples of 3 bytes: not a power of two");
    Ok(())
}

#[test]
fn what_upstream_refuses_is_rolled_back() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    let resource = Limiting::new(CudaMemory, MIB);
    for code in [2, 999] {
        sim.fail_next("cuMemAlloc_v2", code, 1);
        assert!(resource.allocate(1000, &device.stream).is_err());
        assert_eq!(resource.allocated_bytes(), 0);
    }
    let pointer = resource.allocate(1000, &device.stream)?;
    sim.fail_next("cuMemFree_v2", 999, 1);
    assert!(free(&resource, pointer, 1000, &device.stream).is_err());
    assert_eq!(resource.allocated_bytes(), 1024);
    free(&resource, pointer, 1000, &device.stream)?;
    assert_eq!(resource.allocated_bytes(), 0);
    Ok(())
}

#[test]
fn foreign_frees_and_wrong_bytes_change_nothing_in_the_count() -> Outcome {
    let device = device()?;
    let resource = Limiting::new(CudaMemory, MIB);
    let pointer = resource.allocate(1000, &device.stream)?;
    assert!(free(&resource, 0x1000, 512, &device.stream).is_err());
    let foreign = CudaMemory.allocate(512, &device.stream)?;
    free(&resource, foreign, 512, &device.stream)?;
    assert_eq!(resource.allocated_bytes(), 1024);
    free(&resource, pointer, 1, &device.stream)?;
    assert_eq!(resource.allocated_bytes(), 0);
    Ok(())
}

#[test]
fn as_many_blocks_as_fit_succeed_on_eight_threads() -> Outcome {
    let device = device()?;
    let (stream, start) = (&device.stream, Barrier::new(8));
    let resource = Limiting::new(CudaMemory, 100 * 256);
    for _ in 0..10 {
        let blocks: Vec<u64> = thread::scope(|scope| {
            let allocate = || {
                start.wait();
                (0..20).filter_map(|_| resource.allocate(256, stream).ok()).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(allocate)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
        });
        assert_eq!(blocks.len(), 100, "160 were asked for, and 100 fit");
        assert_eq!(resource.allocated_bytes(), 100 * 256);
        for pointer in blocks {
            free(&resource, pointer, 256, stream)?;
        }
        assert_eq!(resource.allocated_bytes(), 0);
    }
    Ok(())
}
