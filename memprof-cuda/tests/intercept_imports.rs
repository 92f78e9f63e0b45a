//! Physical memory that is exported and imported again, in one process.
#![expect(unsafe_code, reason = "the ground's driver calls")]

use cudarc::driver::CudaContext;
use memprof_core::Space;

mod intercept_ground;
use intercept_ground::{self as ground, GRANULARITY, Tried, agree, alone, live, totals};

const DEVICE: fn() -> Space = || Space::device(0);
const ONE: (i64, i64) = (2_097_152, 1);

#[test]
fn an_import_that_gives_the_creators_handle_holds_its_memory_once_more() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let unknown = totals(DEVICE()).unknown_frees;
    let created = ground::physical(0, GRANULARITY)?;
    let descriptor = ground::export_physical(created)?;
    let imported = [ground::import_physical(descriptor)?, ground::import_physical(descriptor)?];
    assert_eq!(imported, [created; 2]);
    assert_eq!((live(DEVICE()), totals(DEVICE()).missed_frees), (ONE, 0), "its block is not dropped");
    agree(sim);
    for handle in imported {
        ground::release_physical(handle)?;
        assert_eq!(live(DEVICE()), ONE);
        agree(sim);
    }
    ground::release_physical(created)?;
    assert_eq!((live(DEVICE()), totals(DEVICE()).unknown_frees), ((0, 0), unknown));
    assert!(sim.close_exported(descriptor));
    agree(sim);
    Ok(())
}

#[test]
fn an_import_that_gives_a_handle_of_its_own_is_known_and_not_counted() -> Tried {
    let (_alone, sim) = alone()?;
    sim.import_gives_same(false);
    let _context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let unknown = totals(DEVICE()).unknown_frees;
    let created = ground::physical(0, GRANULARITY)?;
    let descriptor = ground::export_physical(created)?;
    let imported = ground::import_physical(descriptor)?;
    assert_ne!(imported, created);
    assert_eq!(live(DEVICE()), ONE, "counted once");
    agree(sim);
    ground::release_physical(imported)?;
    assert_eq!(live(DEVICE()), ONE);
    ground::release_physical(created)?;
    assert_eq!((live(DEVICE()), totals(DEVICE()).unknown_frees), ((0, 0), unknown));
    assert!(sim.close_exported(descriptor));
    agree(sim);
    Ok(())
}

/// What the first device's driver says beside the books, in a snapshot.
fn unattributed() -> Tried<i64> {
    let snapshot = memprof_core::snapshot();
    let device = snapshot.devices().iter().find(|device| device.space == "cuda:0");
    Ok(device.ok_or("the snapshot has no cuda:0")?.unattributed)
}

/// A shareable handle holds the memory until it is closed, which no call of the driver shows: then it is off the books, for this process
/// holds no handle of it any more, and in the device's unattributed bytes for as long as the driver keeps it.
#[test]
fn memory_that_only_a_shareable_handle_holds_is_unattributed() -> Tried {
    for gives_same in [true, false] {
        let (_alone, sim) = alone()?;
        sim.import_gives_same(gives_same);
        let _context = CudaContext::new(0)?;
        let _guard = memprof_cuda::intercept()?;
        let before = totals(DEVICE());
        assert_eq!(unattributed()?, 0);
        let created = ground::physical(0, GRANULARITY)?;
        let descriptor = ground::export_physical(created)?;
        assert_eq!((live(DEVICE()), unattributed()?), (ONE, 0));
        ground::release_physical(created)?;
        assert_eq!((sim.live().devices[0].bytes, live(DEVICE())), (2_097_152, (0, 0)), "the driver keeps it");
        assert_eq!(unattributed()?, 2_097_152);
        // Taken up again it is known, so that its release is none of an unknown block.
        let again = ground::import_physical(descriptor)?;
        ground::release_physical(again)?;
        assert!(sim.close_exported(descriptor));
        assert_eq!((sim.live().devices[0].bytes, unattributed()?), (0, 0), "and gives it back");
        let after = totals(DEVICE());
        assert_eq!((after.unknown_frees, after.missed_frees), (before.unknown_frees, before.missed_frees));
        agree(sim);
    }
    Ok(())
}

#[test]
fn memory_that_does_not_suffice_is_counted_also_where_no_context_is_current() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let _guard = memprof_cuda::intercept()?;
    let before = totals(DEVICE()).failed;
    sim.set_memory_limit(1);
    let refused = std::thread::spawn(|| ground::physical(0, GRANULARITY).is_err()).join();
    assert_eq!((refused.ok(), totals(DEVICE()).failed), (Some(true), before + 1));
    Ok(())
}
