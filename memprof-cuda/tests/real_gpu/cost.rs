//! What interception and questions cost here.

use std::time::Instant;

use memprof_cuda::TrackedExt as _;

use crate::ground::calls;
use crate::ground::{Gpu, Outcome, saw};

/// Nanoseconds of one of so many runs, at best of five rounds.
fn nanoseconds(runs: u32, mut work: impl FnMut() -> Outcome) -> Result<u128, Box<dyn std::error::Error>> {
    let mut best = u128::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        for _ in 0..runs {
            work()?;
        }
        best = best.min(begun.elapsed().as_nanos() / u128::from(runs));
    }
    Ok(best)
}

#[test]
fn a_callback_and_a_question_cost_what_is_said() -> Outcome {
    let gpu = Gpu::take()?;
    let stream = gpu.context.new_stream()?;
    // What they take on the simulator is of no interest.
    let runs = if gpu.is_real() { 1_000 } else { 50 };
    let pair = || -> Outcome { Ok(calls::free(calls::allocate(4096)?)?) };
    let plain = nanoseconds(runs, pair)?;
    let pooled = nanoseconds(runs, || Ok(stream.alloc_zeros::<u8>(4096).map(drop)?))?;
    let tracked_stream = gpu.context.new_stream()?.tracked();
    let tracked = nanoseconds(runs, || Ok(tracked_stream.alloc_zeros::<u8>(4096).map(drop)?))?;
    let guard = memprof_cuda::intercept()?;
    let intercepted = nanoseconds(runs, pair)?;
    let pooled_intercepted = nanoseconds(runs, || Ok(stream.alloc_zeros::<u8>(4096).map(drop)?))?;
    drop(guard);
    let ask = nanoseconds(100, || {
        memprof_core::snapshot();
        Ok(())
    })?;
    saw(format!(
        "ns: cuMemAlloc and its free {plain}, intercepted {intercepted}; alloc_zeros and its drop {pooled}, intercepted \
         {pooled_intercepted}, tracked {tracked}; a snapshot, which asks, {ask}"
    ));
    assert!(ask > 0);
    Ok(())
}
