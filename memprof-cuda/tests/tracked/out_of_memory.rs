//! A tracked allocation that does not fit: the program's callback frees something, and the allocation succeeds.

use std::sync::{Arc, Mutex, PoisonError};

use crate::support::{DEVICE, Outcome, Turn, live, scope, totals};
use cudarc::driver::{DriverError, sys::CUresult};
use memprof_cuda::{Action, TrackedSlice, on_out_of_memory};

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

        let refused = stream.alloc_zeros::<u8>(FIFTY).map(drop);
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
