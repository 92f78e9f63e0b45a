//! cubecl-cuda as it was released calls the driver on threads of its own, where no scope is open. What it takes is
//! attributed all the same: to the ambient scope, to the byte.

use std::error::Error;

use cubecl_core::prelude::Runtime;
use cubecl_cuda::{CudaDevice, CudaRuntime};
use memprof_core::{PathRecord, Scope, Site, Snapshot, Space};
use memprof_cuda_sim::{Sim, load_simulator};

/// cubecl's pool takes pages; one of these holds a block of a megabyte.
const PAGE: i64 = 16 << 20;

/// What the driver has given out on the device: bytes and blocks.
fn given_out(sim: Sim) -> (u64, u64) {
    let device = sim.live().devices[0];
    (device.bytes, device.blocks)
}

/// Live bytes and blocks of a row in `cuda:0`.
fn row(snapshot: &Snapshot, name: &str) -> Option<(i64, i64)> {
    let tree: &[PathRecord] = snapshot.tree(Space::device(0));
    tree.iter().find(|row| row.name == name).map(|row| (row.live, row.live_blocks))
}

#[test]
fn a_page_of_the_framework_is_the_ambient_scope_s_until_it_is_given_back() -> Result<(), Box<dyn Error>> {
    let sim = load_simulator()?;
    memprof_core::enable();
    let _guard = memprof_cuda::intercept()?;
    let train_step = memprof_core::ambient("train step");

    let client = CudaRuntime::client(&CudaDevice::new(0));
    let caller = Scope::enter(Site::named("caller"));
    let handle = client.empty(1_000_000);
    // An answer of the thread that calls the driver: it has done what it was asked before.
    let usage = client.memory_usage()?;
    let snapshot = memprof_core::snapshot();
    assert_eq!(usage.bytes_reserved, PAGE.unsigned_abs());
    assert_eq!(given_out(sim), (PAGE.unsigned_abs(), 1));
    assert_eq!(row(&snapshot, "train step"), Some((PAGE, 1)));
    assert_eq!(row(&snapshot, "caller"), Some((0, 0)), "the driver was called on the caller's thread");
    let totals = snapshot.totals(Space::device(0));
    assert_eq!((totals.live, totals.no_scope_live), (PAGE, 0));

    drop(handle);
    client.memory_cleanup();
    let usage = client.memory_usage()?;
    let snapshot = memprof_core::snapshot();
    assert_eq!(usage.bytes_reserved, 0);
    assert_eq!(given_out(sim), (0, 0));
    assert_eq!(row(&snapshot, "train step"), Some((0, 0)));
    let totals = snapshot.totals(Space::device(0));
    assert_eq!((totals.live, totals.peak, totals.unknown_frees, totals.missed_frees), (0, PAGE.unsigned_abs(), 0, 0));
    drop(caller);
    drop(train_step);
    Ok(())
}
