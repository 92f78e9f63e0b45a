//! Eight threads on two devices allocate, hand over, free and fail: at every quiet point memprof's live bytes and
//! blocks are those of the simulator's own ledger, space by space, and at the end so are the totals.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use cudarc::driver::{CudaContext, DriverError};
use memprof_core::Space;
use memprof_cuda_sim::{BlockSpace, Sim};

#[path = "../intercept_ground/mod.rs"]
mod ground;

mod device;
mod opened;
mod resources;
mod work;

use device::{Device, Held};
use work::Ground;

use ground::{Tried, agree, alone, differences, live, totals};

const THREADS: usize = 8;

const SPACES: fn() -> [Space; 4] = || [Space::device(0), Space::device(1), Space::PINNED, Space::MANAGED];

/// How the threads' work is recorded, and disturbed.
#[derive(Clone, Copy)]
struct Route {
    /// Whether threads work beside each other while frees are refused. cudarc keeps what goes wrong in a drop in the
    /// context, for whoever calls next: with several threads at work, a tracked type cannot tell whose it was.
    refuse_at_work: bool,
    intercepted: bool,
}

/// Frees that the driver refused.
struct Refused {
    /// As their callers saw it.
    told: u64,
    /// Blocks that nobody held any more, so that they stayed.
    leaked: usize,
}

/// Runs the threads: those for which `raw` says so call the driver, the others use tracked types.
fn run(sim: Sim, raw: fn(usize) -> bool, route: Route) -> Tried<Refused> {
    // For as long as blocks may be handed over: with its last holder a context ends, and its blocks with it.
    let devices = [Device::new(0)?, Device::new(1)?];
    memprof_core::reset();
    let ground = Ground {
        sim,
        route,
        quiet: Barrier::new(THREADS),
        exchange: Mutex::default(),
        problems: Mutex::default(),
        requested: Default::default(),
        refusals: AtomicU64::new(0),
        failures: AtomicU64::new(0),
    };
    let of_threads = (0..THREADS).map(|_| Ok([Device::new(0)?, Device::new(1)?])).collect::<Tried<Vec<_>>>()?;
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let (ground, of_threads) = (&ground, &of_threads);
            threads.spawn(move || ground.work(thread, of_threads, raw(thread)));
        }
    });
    assert_eq!(*ground.problems.lock().map_err(|_| "a thread panicked")?, Vec::<String>::new());
    // cudarc says at a later call what went wrong in a drop, so a caller of tracked types cannot tell what failed.
    let told = (0..THREADS).all(raw);
    let books = sim.live();
    let driver = [books.devices[0], books.devices[1], books.pinned, books.managed];
    for ((space, requested), driver) in SPACES().into_iter().zip(&ground.requested).zip(driver) {
        let totals = totals(space);
        if told {
            assert_eq!(totals.total, requested.load(Ordering::Relaxed), "{space}: bytes ever allocated");
        }
        assert_eq!(totals.blocks_total, driver.allocations, "{space}: blocks ever allocated");
        assert_eq!((totals.unknown_frees, totals.missed_frees), (0, 0), "{space}: unknown and missed frees");
    }
    let failed: u64 = SPACES().into_iter().map(|space| totals(space).failed).sum();
    if told {
        assert_eq!(failed, ground.failures.load(Ordering::Relaxed), "failed allocations");
    }
    // No failure that was ordered waits any more.
    sim.reset();
    ground.exchange().drain(..).try_for_each(|held| match held {
        Held::Raw(raw) => devices[raw.device].free(&raw, false),
        Held::Tracked(_, tracked) => {
            drop(tracked);
            Ok(())
        }
    })?;
    agree(sim);
    let leaked = free_leaked(sim, &devices, route.intercepted)?;
    Ok(Refused { told: ground.refusals.load(Ordering::Relaxed), leaked })
}

/// Frees what tracked types could not, and nobody holds any more, and records that where nobody else does.
fn free_leaked(sim: Sim, devices: &[Device; 2], intercepted: bool) -> Tried<usize> {
    let leaked = sim.blocks();
    for block in &leaked {
        let space = match block.space {
            BlockSpace::Device(ordinal) => {
                devices[ordinal as usize].context.bind_to_thread()?;
                Space::device(ordinal)
            }
            BlockSpace::Pinned => Space::PINNED,
            _ => Space::MANAGED,
        };
        if !intercepted {
            memprof_core::record_free(space, block.address);
        }
        if space == Space::PINNED {
            ground::free_pinned(std::ptr::with_exposed_provenance_mut(usize::try_from(block.address)?))?;
        } else {
            ground::free(block.address)?;
        }
    }
    agree(sim);
    assert_eq!(SPACES().map(live), [(0, 0); 4]);
    Ok(leaked.len())
}

#[test]
fn under_interception_the_books_are_the_drivers() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let Refused { told, leaked } = run(sim, |_| true, Route { refuse_at_work: true, intercepted: true })?;
    assert_ne!(told, 0, "no free was refused, so no rollback was tried");
    assert_eq!(leaked, 0);
    Ok(())
}

#[test]
fn with_tracked_types_the_books_are_the_drivers() -> Tried {
    let (_alone, sim) = alone()?;
    let refused = run(sim, |_| false, Route { refuse_at_work: false, intercepted: false })?;
    assert_ne!(refused.leaked, 0, "no free was refused, so no rollback was tried");
    Ok(())
}

#[test]
fn with_both_at_once_nothing_is_counted_twice() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let refused = run(sim, |thread| thread % 2 == 0, Route { refuse_at_work: true, intercepted: true })?;
    assert_ne!(refused.leaked, 0, "no free of a tracked type was refused");
    Ok(())
}

#[test]
fn an_adaptor_that_closes_its_books_late_is_caught() -> Tried {
    let (_alone, sim) = alone()?;
    let context = CudaContext::new(0)?;
    let space = Space::device(0);
    let allocate = || -> Result<u64, DriverError> {
        context.bind_to_thread()?;
        let address = ground::allocate(64)?;
        memprof_core::record_alloc(space, address, 64);
        Ok(address)
    };
    let address = allocate()?;
    agree(sim);
    ground::free(address)?;
    // Between the driver's free and the record of it, another thread is given the address.
    let other = thread::scope(|threads| threads.spawn(allocate).join()).map_err(|_| "the other thread panicked")??;
    memprof_core::record_free(space, address);
    assert_eq!(other, address);
    assert_eq!(differences(sim), ["cuda:0: memprof (0, 0), driver (64, 1)"]);
    ground::free(other)?;
    agree(sim);
    Ok(())
}
