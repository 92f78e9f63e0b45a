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
    let imported = ground::import_physical(ground::export_physical(created)?)?;
    assert_ne!(imported, created);
    assert_eq!(live(DEVICE()), ONE, "counted once");
    agree(sim);
    ground::release_physical(imported)?;
    assert_eq!(live(DEVICE()), ONE);
    ground::release_physical(created)?;
    assert_eq!((live(DEVICE()), totals(DEVICE()).unknown_frees), ((0, 0), unknown));
    agree(sim);
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
