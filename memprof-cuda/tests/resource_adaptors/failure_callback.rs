//! `FailureCallback`: retry or report.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use memprof_cuda::resource::{Aligned, CudaMemory, DeviceMemory, FailureCallback, Limiting};

use super::Outcome;
use super::resource::{MIB, PIB, device, free};

#[test]
fn it_is_asked_until_it_says_no() -> Outcome {
    let device = device()?;
    let asked = Mutex::new(Vec::new());
    let resource = FailureCallback::new(CudaMemory, |bytes| {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(bytes);
        asked.len() < 2
    });
    let error = resource.allocate(PIB, &device.stream).err().ok_or("it was allocated")?;
    assert!(error.is_out_of_memory());
    assert_eq!(*asked.lock().unwrap_or_else(PoisonError::into_inner), [PIB, PIB]);
    Ok(())
}

#[test]
fn one_that_frees_something_lets_the_allocation_succeed() -> Outcome {
    let device = device()?;
    let stream = &device.stream;
    let limiting = Arc::new(Limiting::new(CudaMemory, 10 * MIB));
    let cached = Mutex::new(Some(limiting.allocate(8 * MIB, stream)?));
    let resource = FailureCallback::new(Arc::clone(&limiting), |bytes| {
        assert_eq!(bytes, 4 * MIB);
        let evicted = cached.lock().unwrap_or_else(PoisonError::into_inner).take();
        evicted.is_some_and(|pointer| free(&limiting, pointer, 8 * MIB, stream).is_ok())
    });
    let pointer = resource.allocate(4 * MIB, stream)?;
    assert_eq!(limiting.allocated_bytes(), 4 * MIB);
    free(&resource, pointer, 4 * MIB, stream)?;
    Ok(())
}

#[test]
fn only_want_of_memory_is_asked_about() -> Outcome {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(()) };
    let resource = FailureCallback::new(CudaMemory, |_| panic!("this is not asked about"));
    sim.fail_next("cuMemAlloc_v2", 999, 1);
    let error = resource.allocate(100, &device.stream).err().ok_or("it was allocated")?;
    assert!(!error.is_out_of_memory());
    Ok(())
}

#[test]
fn alignment_is_upstream_s() -> Outcome {
    let device = device()?;
    let resource = FailureCallback::new(Aligned::new(CudaMemory, 512, 0)?, |_| false);
    assert_eq!(resource.alignment(), 512);
    let pointer = resource.allocate(1024, &device.stream)?;
    assert_eq!(pointer % 512, 0);
    free(&resource, pointer, 1024, &device.stream)?;
    Ok(())
}

#[test]
fn a_panic_of_the_callback_is_the_caller_s_and_breaks_nothing() -> Outcome {
    let device = device()?;
    let limiting = Limiting::new(CudaMemory, MIB);
    let resource = FailureCallback::new(&limiting, |_| std::panic::panic_any("spilling failed"));
    let outcome = catch_unwind(AssertUnwindSafe(|| resource.allocate(2 * MIB, &device.stream)));
    let payload = outcome.err().and_then(|payload| payload.downcast_ref::<&str>().copied());
    assert_eq!(payload, Some("spilling failed"));
    assert_eq!(limiting.allocated_bytes(), 0);
    let pointer = resource.allocate(1000, &device.stream)?;
    free(&resource, pointer, 1000, &device.stream)?;
    Ok(())
}
