//! Eight threads on two devices allocate, hand over, free and fail: at every quiet point memprof's live bytes and
//! blocks are those of the simulator's own ledger, space by space, and at the end so are the totals.
#![expect(unsafe_code, reason = "the driver's functions are unsafe to call")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use cudarc::driver::{CudaContext, CudaStream, DriverError, result, sys};
use memprof_core::{Scope, Site, Space};
use memprof_cuda::{TrackedExt as _, TrackedStream};
use memprof_cuda_sim::{BlockSpace, Sim};

mod intercept_ground;
use intercept_ground::{self as ground, Tried, agree, alone, differences, live, totals};

const THREADS: usize = 8;
const ROUNDS: usize = 12;
const STEPS: usize = 60;
const REFUSED: u32 = 700;
const UNKNOWN: u32 = 999;

/// Memory that any thread may free.
enum Held {
    Raw(Raw),
    /// Of a tracked type: freed by its drop.
    Tracked(Kind, Box<dyn Send>),
}

struct Raw {
    kind: Kind,
    address: u64,
    device: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Async,
    Plain,
    Managed,
    Pinned,
    Array,
    Physical,
}

const KINDS: [Kind; 6] = [Kind::Async, Kind::Plain, Kind::Managed, Kind::Pinned, Kind::Array, Kind::Physical];

impl Kind {
    /// What a request for as many bytes asks of the driver.
    fn bytes(self, bytes: usize) -> usize {
        match self {
            // Elements of two 32-bit channels.
            Self::Array => bytes * 8,
            Self::Physical => ground::GRANULARITY,
            _ => bytes,
        }
    }
}

/// The next number of a sequence that a seed begins.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What a thread has of a device.
struct Device {
    context: Arc<CudaContext>,
    plain: Arc<CudaStream>,
    tracked: TrackedStream,
}

impl Device {
    fn new(ordinal: usize) -> Tried<Self> {
        let context = memprof_cuda::context(ordinal)?;
        Ok(Self { plain: context.new_stream()?, tracked: context.new_stream()?.tracked(), context })
    }

    fn allocate(&self, kind: Kind, bytes: usize) -> Result<Raw, DriverError> {
        self.context.bind_to_thread()?;
        let device = self.context.ordinal();
        let address = match kind {
            // SAFETY: nobody uses the memory.
            Kind::Async => unsafe { result::malloc_async(self.plain.cu_stream(), bytes) }?,
            Kind::Plain => ground::allocate(bytes)?,
            // SAFETY: nobody uses the memory.
            Kind::Managed => unsafe { result::malloc_managed(bytes, sys::CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL) }?,
            Kind::Pinned => ground::pinned(bytes)?.expose_provenance() as u64,
            Kind::Array => ground::array3d(bytes, 1, 1)?.expose_provenance() as u64,
            Kind::Physical => ground::physical(i32::try_from(device).unwrap_or(0), ground::GRANULARITY)?,
        };
        Ok(Raw { kind, address, device })
    }

    /// Frees what was allocated on this device, now and then by another function than the one of its kind.
    fn free(&self, raw: &Raw, other: bool) -> Result<(), DriverError> {
        self.context.bind_to_thread()?;
        let pointer = || std::ptr::with_exposed_provenance_mut(usize::try_from(raw.address).unwrap_or(0));
        match raw.kind {
            Kind::Async | Kind::Plain if other => ground::free_async(raw.address, self.plain.cu_stream()),
            Kind::Async | Kind::Plain | Kind::Managed => ground::free(raw.address),
            Kind::Pinned => ground::free_pinned(pointer()),
            Kind::Array => ground::destroy_array(pointer().cast()),
            Kind::Physical => ground::release_physical(raw.address),
        }
    }

    fn allocate_tracked(&self, kind: Kind, bytes: usize) -> Result<Box<dyn Send>, DriverError> {
        Ok(match kind {
            // SAFETY: nobody reads it.
            Kind::Pinned => Box::new(unsafe { self.tracked.pinned::<u8>(bytes) }?),
            // SAFETY: nobody reads it.
            Kind::Managed => Box::new(unsafe { self.tracked.managed::<u8>(bytes, true) }?),
            _ => Box::new(self.tracked.alloc_zeros::<u8>(bytes)?),
        })
    }
}

/// What the threads share.
struct Ground {
    sim: Sim,
    route: Route,
    quiet: Barrier,
    exchange: Mutex<Vec<Held>>,
    /// What differed at quiet points.
    problems: Mutex<Vec<String>>,
    /// Bytes of the allocations that succeeded, by space.
    requested: [AtomicU64; 4],
    /// Frees that the driver refused, where that can be told.
    refusals: AtomicU64,
    /// Allocations that failed, as their callers saw it.
    failures: AtomicU64,
}

impl Ground {
    fn exchange(&self) -> MutexGuard<'_, Vec<Held>> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody is at work, has the first thread compare the books, and lets all go on. What differs is kept:
    /// a panic here would leave the others waiting.
    fn quiet_point(&self, thread: usize, of_threads: &[[Device; 2]]) {
        self.quiet.wait();
        if thread == 0 {
            if !self.route.refuse_at_work {
                self.refuse_one(of_threads);
            }
            let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
            problems.extend(differences(self.sim));
            let snapshot = memprof_core::snapshot();
            for space in SPACES() {
                let of_owners: i64 = snapshot.records(space).iter().map(|record| record.live).sum();
                let totals = snapshot.totals(space);
                if of_owners + totals.no_scope_live != totals.live {
                    problems.push(format!("{space}: owners {of_owners}, {totals:?}"));
                }
            }
        }
        self.quiet.wait();
    }

    /// Has the driver refuse the free of one block of a tracked type, while nobody else is at work.
    fn refuse_one(&self, of_threads: &[[Device; 2]]) {
        let Some(Held::Tracked(kind, tracked)) = self.exchange().pop() else { return };
        let function = match kind {
            Kind::Pinned => "cuMemFreeHost",
            Kind::Managed => "cuMemFree_v2",
            _ => "cuMemFreeAsync",
        };
        self.sim.fail_next(function, REFUSED, 1);
        drop(tracked);
        // The error waits in one of the contexts. cudarc would say it after it has allocated, and lose the memory.
        for device in of_threads.iter().flatten() {
            let _said_here = device.context.check_err();
        }
    }

    /// Has something fail: a free or an allocation, of whichever thread comes next.
    fn sabotage(&self, numbers: &mut Numbers) {
        let frees = ["cuMemFreeAsync", "cuMemFree_v2", "cuMemFreeHost", "cuArrayDestroy", "cuMemRelease"];
        let allocations =
            ["cuMemAllocAsync", "cuMemHostAlloc", "cuMemAllocManaged", "cuMemCreate", "cuMemAllocHost_v2"];
        let function = |of: &[&'static str], at: u64| of.get(at as usize).copied().unwrap_or("cuMemFree_v2");
        let first = if self.route.refuse_at_work { 0 } else { 5 };
        match first + numbers.below(10 - first) {
            free @ 0..5 => self.sim.fail_next(function(&frees, free), REFUSED, 1),
            allocation => self.sim.fail_next(function(&allocations, allocation - 5), UNKNOWN, 1),
        }
    }

    fn work(&self, thread: usize, of_threads: &[[Device; 2]], raw: bool) {
        let devices = &of_threads[thread];
        let mut numbers = Numbers(thread as u64 + 1);
        let mut own: Vec<Held> = Vec::new();
        for round in 0..ROUNDS {
            let _round = Scope::enter(Site::named(["even round", "odd round"][round % 2]));
            for _ in 0..STEPS {
                let _step = (numbers.below(3) == 0).then(|| Scope::enter(Site::named("step")));
                match numbers.below(10) {
                    0..5 => own.extend(self.allocate(devices, &mut numbers, raw)),
                    5 | 6 => self.free(devices, &mut numbers, &mut own),
                    7 => self.exchange().extend(own.pop()),
                    8 => {
                        let mut handed_over: Vec<Held> = self.exchange().pop().into_iter().collect();
                        self.free(devices, &mut numbers, &mut handed_over);
                        own.append(&mut handed_over);
                    }
                    _ => self.sabotage(&mut numbers),
                }
            }
            self.quiet_point(thread, of_threads);
        }
        self.exchange().append(&mut own);
        self.quiet_point(thread, of_threads);
    }

    fn allocate(&self, devices: &[Device; 2], numbers: &mut Numbers, raw: bool) -> Option<Held> {
        let device = &devices[usize::from(numbers.below(2) == 0)];
        // Few numbers of bytes, so that addresses come again at once.
        let bytes = 64 << numbers.below(4);
        let allocated = if raw {
            let kind = KINDS[numbers.below(6) as usize];
            device.allocate(kind, bytes).map(|raw| (Held::Raw(raw), kind, kind.bytes(bytes)))
        } else {
            let kind = [Kind::Async, Kind::Async, Kind::Pinned, Kind::Managed][numbers.below(4) as usize];
            device.allocate_tracked(kind, bytes).map(|tracked| (Held::Tracked(kind, tracked), kind, bytes))
        };
        let Ok((held, kind, bytes)) = allocated else {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let space = match kind {
            Kind::Pinned => 2,
            Kind::Managed => 3,
            _ => device.context.ordinal(),
        };
        self.requested[space].fetch_add(bytes as u64, Ordering::Relaxed);
        Some(held)
    }

    /// Frees the one last got. What the driver refuses is put back, if the caller can tell.
    fn free(&self, devices: &[Device; 2], numbers: &mut Numbers, own: &mut Vec<Held>) {
        match own.pop() {
            Some(Held::Raw(raw)) => {
                if devices[raw.device].free(&raw, numbers.below(3) == 0).is_err() {
                    self.refusals.fetch_add(1, Ordering::Relaxed);
                    own.push(Held::Raw(raw));
                }
            }
            tracked => drop(tracked),
        }
    }
}

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
