//! What the tests of tracked allocations share: a driver, one test at a time, and a look at the books.

#![expect(unsafe_code, reason = "a pool of the driver")]

use std::error::Error;
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys;
use memprof_core::{Record, Scope, Site, Space, Totals};
use memprof_cuda::{TrackedExt as _, TrackedStream};
use memprof_cuda_sim::{Driver, Sim};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// What stands in the books of `cuda:0` is everybody's, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// The driver, for one test: the machine's own where it has a device, else the simulator.
pub(crate) struct Turn {
    pub(crate) driver: Driver,
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    /// Begins a test with empty records.
    pub(crate) fn begin() -> Result<Self, Box<dyn Error>> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let driver = memprof_cuda_sim::load()?;
        if let Some(sim) = driver.simulator() {
            sim.reset();
        }
        memprof_core::enable();
        memprof_core::reset();
        Ok(Self { driver, _turn: turn })
    }

    /// The simulator, for what a real driver does not do on demand.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub(crate) fn simulator(&self) -> Option<Sim> {
        if self.driver.is_real() {
            eprintln!("skipped: this needs the simulator, and a real driver is there");
        }
        self.driver.simulator()
    }

    /// A tracked default stream for each way that cudarc allocates: from the device's pool, and without pools. A real
    /// device has one of them.
    pub(crate) fn streams(&self) -> Result<Vec<TrackedStream>, Box<dyn Error>> {
        let Some(sim) = self.driver.simulator() else { return Ok(vec![stream()?]) };
        let mut streams = Vec::new();
        for pools in [true, false] {
            sim.use_pools(pools);
            streams.push(stream()?);
            assert_eq!(streams[streams.len() - 1].context().has_async_alloc(), pools);
        }
        sim.use_pools(true);
        Ok(streams)
    }
}

impl Drop for Turn {
    /// The next test finds no memory of this one.
    fn drop(&mut self) {
        if let Some(sim) = self.driver.simulator()
            && !std::thread::panicking()
        {
            assert_eq!(sim.blocks(), [], "every test gives back what it allocated");
        }
    }
}

/// A tracked default stream of the first device.
pub(crate) fn stream() -> Result<TrackedStream, Box<dyn Error>> {
    Ok(memprof_cuda::context(0)?.default_stream().tracked())
}

/// The name of the first device's space.
pub(crate) const DEVICE: &str = "cuda:0";

/// The row of the run-time name `name`; zeros if there is none.
pub(crate) fn record(space: impl AsRef<str>, name: &str) -> Option<Record> {
    memprof_core::snapshot().records(space).iter().find(|record| record.name == name).cloned()
}

pub(crate) fn totals(space: impl AsRef<str>) -> Totals {
    memprof_core::snapshot().totals(space)
}

/// Live bytes and blocks of a space.
pub(crate) fn live(space: impl AsRef<str>) -> (i64, i64) {
    let totals = totals(space);
    (totals.live, totals.live_blocks)
}

/// Runs `work` in a scope of this name.
pub(crate) fn scope<R>(name: &str, work: impl FnOnce() -> R) -> R {
    let _scope = Scope::enter(Site::named(name));
    work()
}

/// That what `make` makes is one block of `bytes` in `space`, owned by the scope that it was made in; and that nothing
/// is live once it is dropped.
pub(crate) fn one_block<R, E>(name: &str, space: Space, bytes: u64, make: impl FnOnce() -> Result<R, E>) -> Outcome
where
    Box<dyn Error>: From<E>,
{
    let before = totals(space);
    let made = scope(name, make)?;
    let row = record(space, name).ok_or_else(|| format!("{name} has no row in {space}"))?;
    let signed = i64::try_from(bytes)?;
    assert_eq!((row.live, row.live_blocks), (signed, 1), "{name}: live");
    assert_eq!((row.memory_total, row.blocks_total), (bytes, 1), "{name}: total");
    assert_eq!((row.memory_peak, row.failed), (bytes, 0), "{name}: peak, failed");
    let now = totals(space);
    assert_eq!((now.live - before.live, now.live_blocks - before.live_blocks), (signed, 1), "{name}: the space's live");
    assert_eq!(now.total - before.total, bytes, "{name}: the space's total");
    drop(made);
    let row = record(space, name).ok_or_else(|| format!("{name} has lost its row in {space}"))?;
    assert_eq!((row.live, row.live_blocks), (0, 0), "{name}: live after the drop");
    let now = totals(space);
    assert_eq!((now.live, now.live_blocks), (before.live, before.live_blocks), "{name}: the space after the drop");
    assert_eq!((now.unknown_frees, now.missed_frees), (0, 0), "{name}: unknown and missed frees");
    Ok(())
}

/// A memory pool of this device.
pub(crate) fn pool(device: u32) -> Result<sys::CUmemoryPool, Box<dyn Error>> {
    let mut properties = MaybeUninit::<sys::CUmemPoolProps>::zeroed();
    // Pinned memory, no handles to share it by, on a device: this one.
    // SAFETY: the first four words of the properties.
    unsafe { properties.as_mut_ptr().cast::<[u32; 4]>().write([1, 0, 1, device]) };
    let mut pool = std::ptr::null_mut();
    // SAFETY: a place for the result, and properties.
    unsafe { sys::cuMemPoolCreate(&raw mut pool, properties.as_ptr()) }.result()?;
    Ok(pool)
}
