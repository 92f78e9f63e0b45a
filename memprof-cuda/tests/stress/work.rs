//! What each thread does, step by step, and how its work is compared and disturbed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};

use memprof_core::{Scope, Site};
use memprof_cuda_sim::Sim;

use super::device::{Device, Held, KINDS, Kind};
use super::ground::differences;
use super::{Route, SPACES};

const ROUNDS: usize = 12;
const STEPS: usize = 60;
pub(super) const REFUSED: u32 = 700;
pub(super) const UNKNOWN: u32 = 999;

/// The next number of a sequence that a seed begins.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What the threads share.
pub(super) struct Ground {
    pub(super) sim: Sim,
    pub(super) route: Route,
    pub(super) quiet: Barrier,
    pub(super) exchange: Mutex<Vec<Held>>,
    /// What differed at quiet points.
    pub(super) problems: Mutex<Vec<String>>,
    /// Bytes of the allocations that succeeded, by space.
    pub(super) requested: [AtomicU64; 4],
    /// Frees that the driver refused, where that can be told.
    pub(super) refusals: AtomicU64,
    /// Allocations that failed, as their callers saw it.
    pub(super) failures: AtomicU64,
}

impl Ground {
    pub(super) fn exchange(&self) -> MutexGuard<'_, Vec<Held>> {
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

    pub(super) fn work(&self, thread: usize, of_threads: &[[Device; 2]], raw: bool) {
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
