//! When a device's primary context ends: at its last release, which is the driver's to say, and at a reset, which releases nothing; each where
//! CUPTI tells of contexts' ends and where it does not.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use cudarc::driver::{CudaContext, result, sys};
use memprof_core::Space;
use memprof_cuda::Intercepted;
use memprof_cuda_sim::Sim;

use crate::ground::{self, Tried, agree, alone, live};

const DEVICE: fn() -> Space = || Space::device(0);
const NOTHING: (i64, i64) = (0, 0);

/// Begins interception; with `is_told`, CUPTI tells of contexts' ends.
fn intercept(sim: Sim, is_told: bool) -> Tried<Intercepted> {
    if !is_told {
        const INVALID_PARAMETER: u32 = 1;
        /// The ends of contexts are asked for before two others.
        const FROM_THE_LAST: u64 = 3;
        let before = sim.calls("cuptiEnableCallback");
        drop(memprof_cuda::intercept()?);
        let all = sim.calls("cuptiEnableCallback") - before;
        sim.fail_after(all - FROM_THE_LAST, "cuptiEnableCallback", INVALID_PARAMETER, 1);
    }
    Ok(memprof_cuda::intercept()?)
}

/// Takes one more reference to the primary context, which is current then.
fn retain() -> Tried {
    // SAFETY: the first device.
    let context = unsafe { result::primary_ctx::retain(0) }?;
    // SAFETY: retained just now.
    Ok(unsafe { result::ctx::set_current(context) }?)
}

fn release() -> Result<(), cudarc::driver::DriverError> {
    // SAFETY: the first device; one release too many is refused.
    unsafe { result::primary_ctx::release(0) }
}

/// What is live on the device, in memprof's books and the simulator's.
#[track_caller]
fn holds(sim: Sim, expected: (i64, i64), when: &str) {
    assert_eq!(live(DEVICE()), expected, "{when}");
    agree(sim);
}

/// "Resetting the primary context does not release it, an application that has retained the primary context should explicitly release its
/// usage" (`cuda.h` 13.5:6530).
#[test]
fn a_reset_takes_no_reference_away_and_only_the_last_release_ends_what_came_since() -> Tried {
    for is_told in [true, false] {
        let (_alone, sim) = alone()?;
        // Else a context of cudarc's does, in whichever test comes first.
        result::init()?;
        let _guard = intercept(sim, is_told)?;
        retain()?;
        retain()?;
        ground::allocate(100)?;
        ground::reset_primary(0)?;
        holds(sim, NOTHING, "reset");
        assert!(ground::allocate(1).is_err(), "inactive until it is retained again");
        retain()?;
        ground::allocate(50)?;
        holds(sim, (50, 1), "three references, and active again");
        release()?;
        holds(sim, (50, 1), "two");
        release()?;
        holds(sim, (50, 1), "one");
        sim.fail_next("cuDevicePrimaryCtxRelease_v2", 999, 1);
        assert!(release().is_err());
        holds(sim, (50, 1), "a release that was refused");
        release()?;
        holds(sim, NOTHING, "none");
        assert!(release().is_err(), "released as often as it was retained");
        // The count is as at first: one reference and its release are all again.
        retain()?;
        ground::allocate(25)?;
        ground::reset_primary(0)?;
        release()?;
        holds(sim, NOTHING, "reset, and then released by its one holder");
        retain()?;
        ground::allocate(10)?;
        holds(sim, (10, 1), "retained anew");
        release()?;
        holds(sim, NOTHING, "released");
    }
    Ok(())
}

#[test]
fn a_primary_context_from_before_interception_ends_with_its_last_release() -> Tried {
    for is_told in [true, false] {
        let (_alone, sim) = alone()?;
        let context = CudaContext::new(0)?;
        let _guard = intercept(sim, is_told)?;
        let second = CudaContext::new(0)?;
        ground::allocate(100)?;
        drop(second);
        holds(sim, (100, 1), "somebody holds it");
        drop(context);
        holds(sim, NOTHING, "nobody");
    }
    Ok(())
}

/// Whether the next allocation has the context retained by a tool, whose own calls CUPTI does not show.
static RETAINS: AtomicBool = AtomicBool::new(false);

unsafe extern "C" fn retaining(_user: *mut c_void, _domain: u32, _number: u32, _data: *const c_void) {
    if RETAINS.swap(false, Ordering::AcqRel) {
        let mut context = std::ptr::null_mut();
        // SAFETY: a place for the result.
        let _retained = unsafe { sys::cuDevicePrimaryCtxRetain(&raw mut context, 0) };
    }
}

#[test]
fn a_primary_context_that_somebody_holds_unseen_does_not_end_with_the_last_release_that_is_seen() -> Tried {
    const ALLOCATION: u32 = 243;
    for is_told in [true, false] {
        let (_alone, sim) = alone()?;
        let tool = ground::Subscribed::sharing_with(sim, retaining)?;
        tool.enable(ALLOCATION)?;
        let _guard = intercept(sim, is_told)?;
        let context = CudaContext::new(0)?;
        RETAINS.store(true, Ordering::Release);
        let address = ground::allocate(100)?;
        assert!(!RETAINS.load(Ordering::Acquire), "the tool has retained it");
        drop(context);
        holds(sim, (100, 1), "the tool holds it");
        let context = CudaContext::new(0)?;
        context.bind_to_thread()?;
        ground::free(address)?;
        holds(sim, NOTHING, "its free is known");
        ground::allocate(10)?;
        drop(context);
        holds(sim, (10, 1), "held on");
        release()?;
        holds(sim, NOTHING, "the tool's own reference is gone");
    }
    Ok(())
}
