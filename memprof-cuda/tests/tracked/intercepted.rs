//! Tracked allocations while interception records what the driver does: nothing is counted twice, and a block that one
//! of them saw come is seen to go by the other.

#![expect(unsafe_code, reason = "cudarc's allocations of unset memory")]

use std::any::Any;

use crate::support::{Outcome, Turn, live, one_block, totals};
use memprof_core::Space;
use memprof_cuda::TrackedStream;

/// A block, with its space and bytes.
type Block = (Box<dyn Any>, Space, u64);

/// One block of each kind.
fn blocks(stream: &TrackedStream) -> Result<Vec<Block>, Box<dyn std::error::Error>> {
    let device = stream.space();
    // SAFETY: nobody reads it.
    let pinned = unsafe { stream.pinned::<u8>(20) }?;
    // SAFETY: nobody reads it.
    let managed = unsafe { stream.managed::<u8>(30, true) }?;
    // SAFETY: nobody reads it.
    let mapped = unsafe { stream.map::<u8>(40) }?;
    let bytes = mapped.mapped_bytes() as u64;
    Ok(vec![
        (Box::new(stream.alloc_zeros::<u8>(10)?), device, 10),
        (Box::new(pinned), Space::PINNED, 20),
        (Box::new(managed), Space::MANAGED, 30),
        (Box::new(mapped), device, bytes),
    ])
}

fn nothing_is_live(when: &str) {
    for space in [Space::device(0), Space::PINNED, Space::MANAGED] {
        let totals = totals(space);
        assert_eq!((totals.live, totals.live_blocks), (0, 0), "{space} {when}");
        assert_eq!((totals.unknown_frees, totals.missed_frees), (0, 0), "{space} {when}");
    }
}

#[test]
fn a_tracked_block_is_counted_once_whoever_sees_it() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    for stream in turn.streams()? {
        let guard = memprof_cuda::intercept_with(sim.path())?;
        memprof_core::reset();
        one_block("intercepted", stream.space(), 10, || stream.alloc_zeros::<u8>(10))?;
        // SAFETY: nobody reads it.
        one_block("intercepted", Space::PINNED, 20, || unsafe { stream.pinned::<u8>(20) })?;
        sim.fail_next("cuMemAllocAsync", 1, 1);
        sim.fail_next("cuMemAlloc_v2", 1, 1);
        assert!(stream.alloc_zeros::<u8>(10).is_err());
        assert_eq!(totals(stream.space()).failed, 1);
        drop(guard);
        sim.reset();

        memprof_core::reset();
        let before = blocks(&stream)?;
        let guard = memprof_cuda::intercept_with(sim.path())?;
        for (block, space, bytes) in before {
            let live_before = live(space);
            drop(block);
            assert_eq!(live(space), (live_before.0 - i64::try_from(bytes)?, live_before.1 - 1), "{space}");
        }
        nothing_is_live("after what was tracked is freed while intercepted");

        let during = blocks(&stream)?;
        assert_eq!(live(Space::PINNED), (20, 1));
        drop(guard);
        drop(during);
        nothing_is_live("after what was intercepted is freed while tracked");
    }
    Ok(())
}
