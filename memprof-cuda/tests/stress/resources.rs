//! Eight threads on two devices allocate through resources, hand over, free and fail, while interception begins and ends,
//! at quiet points or at any time. Blocks live across that: who is in charge when one comes and when it goes differs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use cudarc::driver::CudaStream;
use memprof_core::Space;
use memprof_cuda::resource::{
    Aligned, CudaAsyncMemory, CudaMemory, DeviceMemory, ManagedMemory, PinnedHostMemory, Tracked,
};
use memprof_cuda::{Error, Intercepted};
use memprof_cuda_sim::Sim;

use super::ground::{Tried, alone, differences, live, totals};
use super::work::{Numbers, REFUSED, UNKNOWN};
use super::{SPACES, THREADS};

const ROUNDS: usize = 20;
const STEPS: usize = 60;
const ALIGNMENT: usize = 4_096;
/// The most bytes that are asked of the driver for one aligned block, whatever its bytes here.
const PADDED: i64 = 4_096 + 4_096 - 256;

type Resource = Tracked<Box<dyn DeviceMemory>>;

/// Resources over the driver's.
struct Resources {
    stream: Arc<CudaStream>,
    all: [Resource; KINDS],
}

const KINDS: usize = 7;
/// The kinds from here on are in the device's books as the driver has them only if they came under interception.
const UNLIKE_THE_DRIVER: usize = 5;
const ALIGNED: usize = 5;
const REPORTED_ELSEWHERE: usize = 6;

impl Resources {
    fn new(ordinal: usize, own: Space) -> Tried<Self> {
        let stream = memprof_cuda::context(ordinal)?.new_stream()?;
        let tracked = |upstream: Box<dyn DeviceMemory>| Tracked::new(upstream);
        let in_own = |upstream: Box<dyn DeviceMemory>| Tracked::in_space(upstream, own);
        let all = [
            tracked(Box::new(CudaMemory)),
            tracked(Box::new(CudaAsyncMemory)),
            tracked(Box::new(ManagedMemory)),
            tracked(Box::new(PinnedHostMemory)),
            in_own(Box::new(Tracked::new(CudaMemory))),
            tracked(Box::new(Aligned::new(CudaMemory, ALIGNMENT, 0)?)),
            in_own(Box::new(CudaMemory)),
        ];
        Ok(Self { stream, all })
    }
}

struct Held {
    device: usize,
    kind: usize,
    pointer: u64,
    bytes: usize,
    /// Bytes and blocks that the driver has of it, and the device's books do not.
    beside: (i64, i64),
}

/// When interception begins and ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    AtQuietPoints,
    AtAnyTime,
}

/// What the threads share.
struct Ground {
    sim: Sim,
    /// How many of the kinds of resources are used.
    kinds: usize,
    changes: Changes,
    own: Space,
    resources: [Resources; 2],
    interception: Mutex<Option<Intercepted>>,
    quiet: Barrier,
    exchange: Mutex<Vec<Held>>,
    /// By device; exact at quiet points, if interception changes only there.
    beside: Mutex<[(i64, i64); 2]>,
    problems: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signed(count: usize) -> i64 {
    (count as u64).cast_signed()
}

impl Ground {
    fn new(sim: Sim, kinds: usize, changes: Changes) -> Tried<Self> {
        let own = Space::named("resources");
        Ok(Self {
            sim,
            kinds,
            changes,
            own,
            resources: [Resources::new(0, own)?, Resources::new(1, own)?],
            interception: Mutex::default(),
            quiet: Barrier::new(THREADS),
            exchange: Mutex::default(),
            beside: Mutex::default(),
            problems: Mutex::default(),
        })
    }

    fn work(&self, thread: usize) {
        let mut numbers = Numbers(thread as u64 + 1);
        let mut own = Vec::new();
        for _ in 0..ROUNDS {
            for _ in 0..STEPS {
                match numbers.below(10) {
                    0..5 => own.extend(self.allocate(&mut numbers)),
                    5 | 6 => own = self.free(own),
                    7 => lock(&self.exchange).extend(own.pop()),
                    8 => {
                        let handed_over: Vec<Held> = lock(&self.exchange).pop().into_iter().collect();
                        own.extend(self.free(handed_over));
                    }
                    _ => self.sabotage(&mut numbers),
                }
            }
            self.quiet.wait();
            if thread == 0 {
                self.compare();
                if self.changes == Changes::AtQuietPoints {
                    let changed = self.change();
                    lock(&self.problems).extend(changed.err().map(|error| error.to_string()));
                }
            }
            self.quiet.wait();
        }
        lock(&self.exchange).append(&mut own);
    }

    /// Interception begins if it is off, and else ends.
    fn change(&self) -> Result<(), Error> {
        let mut interception = lock(&self.interception);
        *interception = if interception.is_some() { None } else { Some(memprof_cuda::intercept()?) };
        Ok(())
    }

    /// Has a call of whichever thread comes next fail.
    fn sabotage(&self, numbers: &mut Numbers) {
        let (function, status) = match numbers.below(6) {
            0 => ("cuMemFree_v2", REFUSED),
            1 => ("cuMemFreeAsync", REFUSED),
            2 => ("cuMemFreeHost", REFUSED),
            3 => ("cuMemAlloc_v2", UNKNOWN),
            4 => ("cuMemAllocAsync", UNKNOWN),
            _ => ("cuMemAllocManaged", UNKNOWN),
        };
        self.sim.fail_next(function, status, 1);
    }

    fn allocate(&self, numbers: &mut Numbers) -> Option<Held> {
        let (device, kind) = (numbers.below(2) as usize, numbers.below(self.kinds as u64) as usize);
        // Few numbers of bytes, so that addresses come again at once.
        let bytes = 64 << numbers.below(4);
        let Resources { stream, all } = &self.resources[device];
        let pointer = all[kind].allocate(bytes, stream).ok()?;
        let beside = match kind {
            _ if self.changes == Changes::AtAnyTime || lock(&self.interception).is_some() => (0, 0),
            ALIGNED => (PADDED - signed(bytes), 0),
            REPORTED_ELSEWHERE => (signed(bytes), 1),
            _ => (0, 0),
        };
        self.add_beside(device, beside);
        Some(Held { device, kind, pointer, bytes, beside })
    }

    /// Frees the one last got; what the driver refuses stays.
    fn free(&self, mut held: Vec<Held>) -> Vec<Held> {
        let Some(last) = held.pop() else { return held };
        let Resources { stream, all } = &self.resources[last.device];
        // SAFETY: nobody uses the memory.
        let freed = unsafe { all[last.kind].deallocate(last.pointer, last.bytes, stream) };
        if freed.is_ok() {
            self.add_beside(last.device, (-last.beside.0, -last.beside.1));
        } else {
            held.push(last);
        }
        held
    }

    fn add_beside(&self, device: usize, (bytes, blocks): (i64, i64)) {
        let beside = &mut lock(&self.beside)[device];
        *beside = (beside.0 + bytes, beside.1 + blocks);
    }

    /// The spaces' books beside the driver's, and those of the resources' own space beside the resources'.
    fn compare(&self) {
        let mut problems = lock(&self.problems);
        let in_own =
            self.resources.iter().flat_map(|resources| [&resources.all[4], &resources.all[REPORTED_ELSEWHERE]]);
        let (bytes, blocks) = in_own.fold((0, 0), |(bytes, blocks), resource| {
            let listed = resource.outstanding_allocations();
            (bytes + signed(resource.allocated_bytes()), blocks + signed(listed.len()))
        });
        if live(self.own) != (bytes, blocks) {
            problems.push(format!("{}: memprof {:?}, resources {:?}", self.own, live(self.own), (bytes, blocks)));
        }
        if self.changes == Changes::AtQuietPoints || self.kinds <= UNLIKE_THE_DRIVER {
            let books = self.sim.live();
            let devices = [books.devices[0], books.devices[1], books.pinned, books.managed];
            let beside = *lock(&self.beside);
            let beside = beside.into_iter().chain([(0, 0); 2]);
            for ((space, driver), beside) in SPACES().into_iter().zip(devices).zip(beside) {
                let expected = (driver.bytes.cast_signed() - beside.0, driver.blocks.cast_signed() - beside.1);
                if live(space) != expected {
                    problems.push(format!("{space}: memprof {:?}, driver {expected:?}", live(space)));
                }
            }
        }
    }
}

fn run(kinds: usize, changes: Changes) -> Tried {
    let (_alone, sim) = alone()?;
    let ground = Ground::new(sim, kinds, changes)?;
    memprof_core::reset();
    let spaces = || SPACES().into_iter().chain([ground.own]).map(totals).collect::<Vec<_>>();
    let before = spaces();
    let at_work = AtomicBool::new(true);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let ground = &ground;
                scope.spawn(move || ground.work(thread))
            })
            .collect();
        if changes == Changes::AtAnyTime {
            scope.spawn(|| {
                while at_work.load(Ordering::Relaxed) {
                    let changed = ground.change();
                    lock(&ground.problems).extend(changed.err().map(|error| error.to_string()));
                    thread::yield_now();
                }
            });
        }
        let ended = workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a thread panicked"));
        at_work.store(false, Ordering::Relaxed);
        ended
    })?;
    // No failure that was ordered waits any more.
    sim.reset();
    let held = std::mem::take(&mut *lock(&ground.exchange));
    assert_ne!(held.len(), 0);
    let left: Vec<Held> = held.into_iter().flat_map(|held| ground.free(vec![held])).collect();
    assert_eq!(left.len(), 0, "the driver refused what nobody had it refuse");
    ground.compare();
    assert_eq!(*lock(&ground.problems), Vec::<String>::new());
    assert_eq!(differences(sim), Vec::<String>::new());
    for (before, after) in before.iter().zip(&spaces()) {
        assert_eq!((after.live, after.live_blocks), (0, 0));
        assert_eq!((after.unknown_frees, after.missed_frees), (before.unknown_frees, before.missed_frees));
    }
    Ok(())
}

#[test]
fn resources_across_interception_are_on_the_books_as_the_driver_has_them() -> Tried {
    run(KINDS, Changes::AtQuietPoints)
}

#[test]
fn resources_are_on_the_books_as_the_driver_has_them_while_interception_begins_and_ends() -> Tried {
    run(UNLIKE_THE_DRIVER, Changes::AtAnyTime)
}

#[test]
fn nothing_of_resources_stays_while_interception_begins_and_ends() -> Tried {
    run(KINDS, Changes::AtAnyTime)
}
