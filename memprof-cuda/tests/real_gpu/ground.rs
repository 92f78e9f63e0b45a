//! The device under test, and the lines of the table.
#![expect(clippy::print_stderr, reason = "the lines of the table")]

use std::error::Error;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::{CudaContext, result};
use memprof_core::{Device, Space};
use memprof_cuda_sim::Driver;

#[expect(unsafe_code, reason = "the ground's driver calls")]
#[path = "../intercept_ground/mod.rs"]
pub(crate) mod calls;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

pub(crate) const MIB: usize = 1 << 20;

/// The first device, for one check at a time; memprof measures, with empty records.
pub(crate) struct Gpu {
    pub(crate) context: Arc<CudaContext>,
    pub(crate) driver: Driver,
    pub(crate) _alone: MutexGuard<'static, ()>,
}

impl Gpu {
    pub(crate) fn take() -> Result<Self, Box<dyn Error>> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let driver = memprof_cuda_sim::load()?;
        if let Some(sim) = driver.simulator() {
            sim.reset();
            sim.set_memory_limit(1 << 30);
            skipped("no GPU (what follows is the simulator's)");
        }
        memprof_core::enable();
        memprof_core::reset();
        Ok(Self { context: memprof_cuda::context(0)?, driver, _alone: alone })
    }

    /// Whether the driver is NVIDIA's: for what the simulator does not have.
    pub(crate) fn is_real(&self) -> bool {
        self.driver.is_real()
    }

    /// Bytes in use on the device, by `cuMemGetInfo`, after all work is done.
    pub(crate) fn used(&self) -> Result<usize, Box<dyn Error>> {
        self.context.synchronize()?;
        let (free, total) = result::mem_get_info()?;
        Ok(total - free)
    }
}

/// Says that a check was not made. The table has the reason.
pub(crate) fn skipped(why: impl Display) {
    eprintln!("skipped: {why}");
}

/// Says what a check saw: the numbers in the table.
pub(crate) fn saw(what: impl Display) {
    eprintln!("saw: {what}");
}

/// The space of the first device.
pub(crate) fn device() -> Space {
    Space::device(0)
}

/// What the driver says of the first device, beside what is attributed.
pub(crate) fn reconciled() -> Result<Device, Box<dyn Error>> {
    let devices = memprof_core::snapshot();
    let device = devices.devices().iter().find(|device| device.space == "cuda:0");
    Ok(device.cloned().ok_or("the snapshot has no cuda:0")?)
}
