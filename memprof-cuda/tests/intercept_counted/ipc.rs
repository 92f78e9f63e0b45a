//! Memory of another process that is opened here: a block of 0 bytes, of the path that opened it, until it is closed as
//! often as it was opened. The simulator lets a process open its own handles.

use cudarc::driver::CudaContext;
use memprof_core::{Space, Totals};

use crate::ground::{self, Tried, agree, alone, live, measured, totals};

const DEVICE: fn() -> Space = || Space::device(0);
const UNKNOWN: u32 = 999;

/// What the path of this name owns on the device: bytes and blocks.
fn owned_by(name: &str) -> (i64, i64) {
    let snapshot = memprof_core::snapshot();
    let of_name = snapshot.records(DEVICE()).iter().find(|record| record.name == name);
    of_name.map_or((0, 0), |record| (record.live, record.live_blocks))
}

/// Frees of blocks that nobody knew, and that nobody saw.
fn odd_frees(totals: &Totals) -> (u64, u64) {
    (totals.unknown_frees, totals.missed_frees)
}

#[test]
fn opened_memory_is_a_block_of_no_bytes_of_the_path_that_opened_it() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let before = totals(DEVICE());
    let (opened, recorded) = measured("importer", || ground::open_ipc(exported));
    let opened = opened?;
    let counters = recorded.counters(DEVICE());
    assert_eq!((counters.current_bytes, counters.current_blocks), (0, 1));
    assert_eq!((counters.total_bytes, counters.total_blocks), (0, 1));
    assert_eq!(owned_by("importer"), (0, 1));
    assert_eq!(live(DEVICE()), (128, 2));
    agree(sim);
    ground::close_ipc(opened)?;
    assert_eq!(owned_by("importer"), (0, 0));
    assert_eq!(live(DEVICE()), (128, 1));
    agree(sim);
    let after = totals(DEVICE());
    assert_eq!((after.total, after.blocks_total), (before.total, before.blocks_total + 1));
    assert_eq!(odd_frees(&after), odd_frees(&before));
    ground::free(exported)?;
    Ok(())
}

#[test]
fn the_host_is_not_charged_for_what_is_kept_of_it() -> Tried {
    let (_alone, _sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let mut exported = [0; 64];
    for address in &mut exported {
        *address = ground::allocate(16)?;
    }
    // cudarc looks functions up when they are first called.
    ground::close_ipc(ground::open_ipc(exported[0])?)?;
    let (opened, recorded) = measured("books", || -> Tried<_> {
        let mut opened = exported;
        for address in &mut opened {
            *address = ground::open_ipc(*address)?;
            ground::close_ipc(*address)?;
        }
        for (address, exported) in opened.iter_mut().zip(exported) {
            *address = ground::open_ipc(exported)?;
        }
        Ok(opened)
    });
    assert_eq!(recorded.counters(DEVICE()).current_blocks, 64);
    assert_eq!(recorded.counters(Space::HOST).total_blocks, 0);
    opened?.into_iter().try_for_each(ground::close_ipc)?;
    exported.into_iter().try_for_each(ground::free)?;
    Ok(())
}

#[test]
fn it_counts_on_the_device_of_the_context_that_opened_it() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let (zero, one) = (CudaContext::new(0)?, CudaContext::new(1)?);
    zero.bind_to_thread()?;
    let exported = ground::allocate(128)?;
    one.bind_to_thread()?;
    let opened = ground::open_ipc(exported)?;
    assert_eq!((live(DEVICE()), live(Space::device(1))), ((128, 1), (0, 1)));
    agree(sim);
    ground::close_ipc(opened)?;
    assert_eq!(live(Space::device(1)), (0, 0));
    zero.bind_to_thread()?;
    ground::free(exported)?;
    Ok(())
}

#[test]
fn opened_twice_it_is_one_block_until_it_is_closed_twice() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let before = totals(DEVICE());
    let (opened, _) = measured("the first", || ground::open_ipc(exported));
    let opened = opened?;
    let (again, _) = measured("the second", || ground::open_ipc(exported));
    assert_eq!(again?, opened, "the simulator gives the same address, as CUDA does");
    assert_eq!((owned_by("the first"), owned_by("the second")), ((0, 1), (0, 0)));
    for refused in [true, false] {
        sim.fail_next("cuIpcCloseMemHandle", UNKNOWN, u64::from(refused));
        assert_eq!(ground::close_ipc(opened).is_err(), refused);
        assert_eq!(owned_by("the first"), (0, 1));
        agree(sim);
    }
    ground::close_ipc(opened)?;
    assert_eq!(live(DEVICE()), (128, 1));
    agree(sim);
    let after = totals(DEVICE());
    assert_eq!((after.blocks_total, odd_frees(&after)), (before.blocks_total + 1, odd_frees(&before)));
    ground::free(exported)?;
    Ok(())
}

#[test]
fn a_close_that_the_driver_refuses_is_taken_back() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let (opened, _) = measured("refused", || ground::open_ipc(exported));
    let opened = opened?;
    let before = totals(DEVICE());
    sim.fail_next("cuIpcCloseMemHandle", UNKNOWN, 2);
    assert!(ground::close_ipc(opened).is_err());
    assert!(ground::close_ipc(opened).is_err());
    assert_eq!(owned_by("refused"), (0, 1));
    agree(sim);
    ground::close_ipc(opened)?;
    assert!(ground::close_ipc(opened).is_err(), "closed twice");
    assert_eq!(owned_by("refused"), (0, 0));
    let after = totals(DEVICE());
    assert_eq!((after.live_blocks, odd_frees(&after)), (1, odd_frees(&before)));
    ground::free(exported)?;
    agree(sim);
    Ok(())
}

#[test]
fn a_close_of_an_unknown_address_is_counted_once_the_driver_has_done_it() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let opened = ground::open_ipc(exported)?;
    let _guard = memprof_cuda::intercept()?;
    let before = totals(DEVICE()).unknown_frees;
    sim.fail_next("cuIpcCloseMemHandle", UNKNOWN, 1);
    assert!(ground::close_ipc(opened).is_err());
    assert_eq!(totals(DEVICE()).unknown_frees, before);
    ground::close_ipc(opened)?;
    assert_eq!(totals(DEVICE()).unknown_frees, before + 1);
    assert!(ground::close_ipc(opened).is_err(), "closed twice");
    assert_eq!(totals(DEVICE()).unknown_frees, before + 1);
    ground::free(exported)?;
    Ok(())
}

#[test]
fn the_functions_of_one_kind_do_not_free_the_other() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let opened = ground::open_ipc(exported)?;
    ground::open_ipc(exported)?;
    let before = totals(DEVICE());
    assert!(ground::free(opened).is_err());
    assert!(ground::close_ipc(exported).is_err());
    assert_eq!(live(DEVICE()), (128, 2));
    ground::close_ipc(opened)?;
    assert_eq!(live(DEVICE()), (128, 2), "opened twice, and closed once");
    ground::close_ipc(opened)?;
    ground::free(exported)?;
    let after = totals(DEVICE());
    assert_eq!(((after.live, after.live_blocks), odd_frees(&after)), ((0, 0), odd_frees(&before)));
    agree(sim);
    Ok(())
}

#[test]
fn a_context_that_ends_closes_what_was_opened_in_it() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let opened = ground::open_ipc(exported)?;
    ground::open_ipc(exported)?;
    let before = totals(DEVICE()).unknown_frees;
    sim.fail_next("cuDevicePrimaryCtxReset_v2", UNKNOWN, 1);
    assert!(ground::reset_primary(0).is_err());
    assert_eq!(live(DEVICE()), (128, 2));
    ground::close_ipc(opened)?;
    assert_eq!(live(DEVICE()), (128, 2), "opened twice, and closed once");
    agree(sim);
    ground::reset_primary(0)?;
    assert_eq!(live(DEVICE()), (0, 0));
    agree(sim);
    assert!(ground::close_ipc(opened).is_err());
    assert_eq!(totals(DEVICE()).unknown_frees, before);
    Ok(())
}

#[test]
fn a_handle_that_cannot_be_opened_is_counted_as_failed_and_not_as_live() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _context = CudaContext::new(0)?;
    let exported = ground::allocate(128)?;
    let before = totals(DEVICE());
    sim.fail_next("cuIpcOpenMemHandle_v2", UNKNOWN, 1);
    assert!(ground::open_ipc(exported).is_err());
    let after = totals(DEVICE());
    assert_eq!((after.failed - before.failed, after.blocks_total - before.blocks_total), (1, 0));
    agree(sim);
    ground::free(exported)?;
    Ok(())
}

#[test]
fn what_is_open_when_interception_ends_is_known_to_the_next() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = CudaContext::new(0)?;
    let guard = memprof_cuda::intercept()?;
    let exported = ground::allocate(128)?;
    let opened = ground::open_ipc(exported)?;
    drop(guard);
    let _again = memprof_cuda::intercept()?;
    let before = totals(DEVICE());
    ground::close_ipc(opened)?;
    let after = totals(DEVICE());
    assert_eq!((after.live_blocks, odd_frees(&after)), (1, odd_frees(&before)));
    agree(sim);
    ground::free(exported)?;
    Ok(())
}
