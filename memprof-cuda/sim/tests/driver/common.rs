//! What the simulator's own tests share.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::CUresult;
use memprof_cuda_sim::{Sim, load_simulator};

pub(crate) type Tested = Result<(), Box<dyn Error>>;

/// The simulator, for one test at a time: they share its ledger.
pub(crate) fn alone() -> Result<(MutexGuard<'static, ()>, Sim), Box<dyn Error>> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sim = load_simulator()?;
    sim.reset();
    Ok((alone, sim))
}

/// The result of a call that must fail.
pub(crate) fn failure<T>(result: Result<T, cudarc::driver::DriverError>) -> Option<CUresult> {
    result.err().map(|error| error.0)
}
