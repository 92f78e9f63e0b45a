//! What the tests of device resources share: a device, resources over one another, and books to compare.

#![allow(dead_code, reason = "each test binary uses some of it")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaContext, CudaStream};
use memprof_core::Space;
use memprof_cuda::Error;
use memprof_cuda::resource::{
    Aligned, CudaAsyncMemory, CudaMemory, DeviceMemory, FailureCallback, Limiting, Logging, ManagedMemory,
    PinnedHostMemory, Tracked,
};
use memprof_cuda_sim::{Driver, Sim};

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;
pub(crate) const GIB: usize = 1 << 30;
pub(crate) const PIB: usize = 1 << 50;

/// Any resource.
pub(crate) type Resource = Arc<dyn DeviceMemory>;

/// The device under test, for one test at a time: what it counts is the process's.
pub(crate) struct Device {
    pub(crate) context: Arc<CudaContext>,
    pub(crate) stream: Arc<CudaStream>,
    pub(crate) driver: Driver,
    _alone: MutexGuard<'static, ()>,
}

impl Device {
    /// The simulator, for what a GPU's driver does not do on demand.
    pub(crate) fn simulator(&self) -> Option<Sim> {
        if self.driver.is_real() {
            skipped("this needs the simulator, and a GPU is there");
        }
        self.driver.simulator()
    }
}

/// Says that something was not tested.
#[expect(clippy::print_stderr, reason = "what is not tested is said")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// The first device, simulated where there is none; memprof measures.
pub(crate) fn device() -> Result<Device, Box<dyn std::error::Error>> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let driver = memprof_cuda_sim::load()?;
    if let Some(sim) = driver.simulator() {
        sim.reset();
        sim.set_memory_limit(4 * GIB as u64);
    }
    memprof_core::enable();
    let context = CudaContext::new(0)?;
    let stream = context.default_stream();
    Ok(Device { context, stream, driver, _alone: alone })
}

/// The driver's resources.
pub(crate) fn driver_resources() -> Vec<(&'static str, Resource)> {
    vec![
        ("CudaMemory", Arc::new(CudaMemory)),
        ("CudaAsyncMemory", Arc::new(CudaAsyncMemory)),
        ("ManagedMemory", Arc::new(ManagedMemory)),
        ("PinnedHostMemory", Arc::new(PinnedHostMemory)),
    ]
}

/// Every adaptor over `upstream`, and all of them over one another.
pub(crate) fn adaptors(upstream: &Resource) -> Result<Vec<(&'static str, Resource)>, Error> {
    let base = || Arc::clone(upstream);
    let limit = 3 * GIB;
    let limiting = Limiting::new(Logging::to_writer(base(), std::io::sink()), limit);
    let aligned = Aligned::new(FailureCallback::new(limiting, |_| false), 4 * KIB, 64 * KIB)?;
    Ok(vec![
        ("", base()),
        ("Tracked", Arc::new(Tracked::new(base()))),
        ("Tracked in a space of its own", Arc::new(Tracked::in_space(base(), Space::named("resource")))),
        ("Limiting", Arc::new(Limiting::new(base(), limit))),
        ("Logging", Arc::new(Logging::to_writer(base(), std::io::sink()))),
        ("FailureCallback", Arc::new(FailureCallback::new(base(), |_| false))),
        ("Aligned", Arc::new(Aligned::new(base(), 4 * KIB, 0)?)),
        ("Aligned from a threshold on", Arc::new(Aligned::new(base(), 4 * KIB, 64 * KIB)?)),
        ("all of them", Arc::new(Tracked::new(Box::new(aligned)))),
    ])
}

/// Every resource with every adaptor over it.
pub(crate) fn all_resources() -> Result<Vec<(String, Resource)>, Error> {
    let mut all = Vec::new();
    for (name, upstream) in driver_resources() {
        for (adaptor, resource) in adaptors(&upstream)? {
            all.push((format!("{adaptor} over {name}"), resource));
        }
    }
    Ok(all)
}

/// Live bytes and blocks, unknown and missed frees of a space, as memprof counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) live: i64,
    pub(crate) live_blocks: i64,
    pub(crate) unknown_frees: u64,
    pub(crate) missed_frees: u64,
}

pub(crate) fn books(space: Space) -> Books {
    let totals = memprof_core::snapshot().totals(space);
    let (unknown_frees, missed_frees) = (totals.unknown_frees, totals.missed_frees);
    Books { live: totals.live, live_blocks: totals.live_blocks, unknown_frees, missed_frees }
}

/// Numbers that look random and are the same every time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Frees what a test allocated.
pub(crate) fn free(
    resource: &dyn DeviceMemory,
    pointer: CUdeviceptr,
    bytes: usize,
    stream: &Arc<CudaStream>,
) -> Result<(), Error> {
    // SAFETY: nobody uses the memory; where a test frees what it may not, the driver refuses.
    unsafe { resource.deallocate(pointer, bytes, stream) }
}
