//! A tracked allocation that does not fit: the program's callback frees something, and the allocation succeeds.

mod tracked_support;

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{DriverError, sys::CUresult};
use memprof_cuda::{Action, TrackedSlice, on_out_of_memory};
use tracked_support::{DEVICE, Outcome, Turn, live, scope, totals};

const MEBIBYTE: usize = 1 << 20;

#[test]
fn memory_that_the_program_gives_up_makes_room_for_the_allocation() -> Outcome {
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let cache: Arc<Mutex<Option<TrackedSlice<u8>>>> = Arc::default();
    let asked: Arc<Mutex<Vec<(u64, i64, Vec<String>)>>> = Arc::default();
    let (held, said) = (Arc::clone(&cache), Arc::clone(&asked));
    on_out_of_memory(move |problem| {
        let scopes = problem.open_scopes.clone();
        said.lock().unwrap_or_else(PoisonError::into_inner).push((problem.bytes, problem.attributed, scopes));
        let evicted = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if evicted.is_some() { Action::Retry } else { Action::GiveUp }
    });
    for stream in turn.streams()? {
        sim.set_memory_limit(64 * MEBIBYTE as u64);
        *cache.lock().map_err(|_| "poisoned")? = Some(stream.alloc_zeros(40 * MEBIBYTE)?);
        let wanted = scope("step", || stream.alloc_zeros::<u8>(50 * MEBIBYTE))?;
        assert_eq!(live(DEVICE), (50 * MEBIBYTE as i64, 1));
        let once = (50 * MEBIBYTE as u64, 40 * MEBIBYTE as i64, vec!["step".to_owned()]);
        assert_eq!(std::mem::take(&mut *asked.lock().map_err(|_| "poisoned")?), [once]);
        assert_eq!(totals(DEVICE).failed, 1, "the attempt that failed is counted");

        let refused = stream.alloc_zeros::<u8>(50 * MEBIBYTE).map(drop);
        assert_eq!(refused, Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)));
        assert_eq!((live(DEVICE).1, totals(DEVICE).failed), (1, 2));
        drop(wanted);
        // The pool lets go of what it has in reserve.
        stream.synchronize()?;
        asked.lock().map_err(|_| "poisoned")?.clear();
        memprof_core::reset();
    }
    Ok(())
}
