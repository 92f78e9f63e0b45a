//! A tracked allocation that does not fit: the program's callback frees something, and the allocation succeeds.

#![expect(unsafe_code, reason = "cudarc's allocations of unset memory")]

use std::sync::{Arc, Mutex, PoisonError};

use crate::support::{DEVICE, Outcome, Turn, live, scope, totals};
use cudarc::driver::{DriverError, sys::CUresult};
use memprof_core::Space;
use memprof_cuda::{Action, Error, TrackedSlice, TrackedStream, on_out_of_memory};

const MEBIBYTE: u32 = 1 << 20;
const FORTY: usize = 40 * MEBIBYTE as usize;
const FIFTY: usize = 50 * MEBIBYTE as usize;

/// What the callback is told: bytes wanted, bytes attributed, open scopes.
type Told = (u64, i64, Vec<String>);

#[test]
fn memory_that_the_program_gives_up_makes_room_for_the_allocation() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let cache: Arc<Mutex<Option<TrackedSlice<u8>>>> = Arc::default();
    let asked: Arc<Mutex<Vec<Told>>> = Arc::default();
    let (held, said) = (Arc::clone(&cache), Arc::clone(&asked));
    on_out_of_memory(move |problem| {
        let scopes = problem.open_scopes.clone();
        said.lock().unwrap_or_else(PoisonError::into_inner).push((problem.bytes, problem.attributed, scopes));
        let evicted = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if evicted.is_some() { Action::Retry } else { Action::GiveUp }
    });
    for stream in turn.streams()? {
        sim.set_memory_limit(64 * u64::from(MEBIBYTE));
        *cache.lock().map_err(|_| "poisoned")? = Some(stream.alloc_zeros(FORTY)?);
        let wanted = scope("step", || stream.alloc_zeros::<u8>(FIFTY))?;
        assert_eq!(live(DEVICE), (50 * i64::from(MEBIBYTE), 1));
        let once = (50 * u64::from(MEBIBYTE), 40 * i64::from(MEBIBYTE), vec!["step".to_owned()]);
        assert_eq!(std::mem::take(&mut *asked.lock().map_err(|_| "poisoned")?), [once]);
        assert_eq!(totals(DEVICE).failed, 1, "the attempt that failed is counted");

        let refused = stream.alloc_zeros::<u8>(FIFTY).map(drop).err().ok_or("there was room")?;
        assert!(refused.is_out_of_memory());
        assert_eq!(DriverError::from(refused), DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
        assert_eq!((live(DEVICE).1, totals(DEVICE).failed), (1, 2));
        drop(wanted);
        // The pool lets go of what it has in reserve.
        stream.synchronize()?;
        asked.lock().map_err(|_| "poisoned")?.clear();
        memprof_core::reset();
    }
    Ok(())
}

/// Every way to allocate: its name, its space, and its error when it wants as many bytes.
fn attempts(stream: &TrackedStream, bytes: usize) -> Vec<(&'static str, Space, Option<Error>)> {
    let values = vec![0_u8; bytes];
    // SAFETY: nobody reads it.
    let pinned = unsafe { stream.pinned::<u8>(bytes) }.map(drop).err();
    // SAFETY: nobody reads it.
    let managed = unsafe { stream.managed::<u8>(bytes, true) }.map(drop).err();
    vec![
        ("alloc_zeros", stream.space(), stream.alloc_zeros::<u8>(bytes).map(drop).err()),
        ("clone_htod", stream.space(), stream.clone_htod(&values).map(drop).err()),
        ("pinned", Space::PINNED, pinned),
        ("managed", Space::MANAGED, managed),
    ]
}

#[test]
fn the_error_of_a_tracked_allocation_says_who_holds_the_memory() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    on_out_of_memory(|_| Action::GiveUp);
    for stream in turn.streams()? {
        // Ends the bursts that an earlier test has left.
        drop(attempts(&stream, 1));
        sim.set_memory_limit(64 * u64::from(MEBIBYTE));
        let kept = scope("holder", || stream.alloc_zeros::<u8>(FORTY))?;
        let copied = scope("clone", || kept.try_clone()).map(drop).err().ok_or("there was room")?;
        let text = copied.to_string();
        let head = "cannot allocate 41943040 bytes of cuda:0: out_of_memory\n\
                    out of memory in cuda:0: 41,943,040 bytes requested\n";
        assert!(text.starts_with(head), "{text}");
        let holder = "largest owners of cuda:0, live bytes and blocks:\n    41,943,040 1 holder\n\
                      scopes open on this thread, innermost first:\n    clone";
        assert!(text.ends_with(holder), "{text}");
        drop(kept);
        for function in ["cuMemAllocAsync", "cuMemAlloc_v2", "cuMemHostAlloc", "cuMemAllocManaged"] {
            // The device's memory is asked for twice.
            sim.fail_next(function, CUresult::CUDA_ERROR_OUT_OF_MEMORY as u32, 2);
        }
        let mut said = Vec::new();
        for (name, space, error) in attempts(&stream, 100) {
            let error = error.ok_or_else(|| format!("{name}: there was room"))?;
            said.push((name, error.to_string().contains(&format!("out of memory in {space}: 100 bytes requested"))));
        }
        // The second failure in `cuda:0` is of the burst of the first, of `clone`.
        assert_eq!(said, [("alloc_zeros", false), ("clone_htod", false), ("pinned", true), ("managed", true)]);
        sim.reset();
        drop((stream.alloc_zeros::<u8>(1)?, attempts(&stream, 1)));
        stream.synchronize()?;
        memprof_core::reset();
    }
    Ok(())
}
