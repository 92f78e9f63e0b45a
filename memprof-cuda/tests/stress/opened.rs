//! Eight threads open and close the same few handles: which of them is the first to open one and which the last to close
//! it, no thread knows, and the last close of one meets the next opening of another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use cudarc::driver::CudaContext;
use memprof_core::Space;
use memprof_cuda_sim::Sim;

use super::ground::{self, Tried, agree, alone, differences, totals};
use super::work::{Numbers, UNKNOWN};

const THREADS: u64 = 8;
const ROUNDS: usize = 12;
/// More where the compiler optimises (`.ci/run`).
const STEPS: usize = if cfg!(debug_assertions) { 100 } else { 500 };

/// What the threads share.
struct Ground {
    sim: Sim,
    contexts: [Arc<CudaContext>; 2],
    /// Blocks of the first device, whose handles are opened on both.
    exported: [u64; 2],
    quiet: Barrier,
    failures: AtomicU64,
    problems: Mutex<Vec<String>>,
}

/// An address that was opened on the device of this index.
type Opened = (usize, u64);

impl Ground {
    /// Kept until the end: a panic would leave the others waiting.
    fn problems(&self) -> MutexGuard<'_, Vec<String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, thread: u64) {
        let mut numbers = Numbers(thread + 1);
        let mut own = None;
        for _ in 0..ROUNDS {
            for _ in 0..STEPS {
                if numbers.below(20) == 0 {
                    self.sim.fail_next("cuIpcOpenMemHandle_v2", UNKNOWN, 1);
                }
                // One at a time, so that often nobody has a handle open.
                match own.take() {
                    Some(opened) => self.close(opened),
                    None => own = self.open(&mut numbers),
                }
            }
            self.quiet.wait();
            if thread == 0 {
                self.problems().extend(differences(self.sim));
            }
            self.quiet.wait();
        }
        if let Some(opened) = own {
            self.close(opened);
        }
    }

    fn open(&self, numbers: &mut Numbers) -> Option<Opened> {
        let (device, exported) = (numbers.below(2) as usize, self.exported[numbers.below(2) as usize]);
        let opened = self.contexts[device].bind_to_thread().and_then(|()| ground::open_ipc(exported));
        if opened.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        Some((device, opened.ok()?))
    }

    fn close(&self, (device, opened): Opened) {
        let closed = self.contexts[device].bind_to_thread().and_then(|()| ground::close_ipc(opened));
        self.problems().extend(closed.err().map(|error| error.to_string()));
    }
}

#[test]
fn handles_that_many_threads_open_are_one_block_each_until_the_last_close() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let contexts = [CudaContext::new(0)?, CudaContext::new(1)?];
    contexts[0].bind_to_thread()?;
    let exported = [ground::allocate(64)?, ground::allocate(128)?];
    let both = || [0, 1].map(|device| totals(Space::device(device)));
    let before = both();
    let quiet = Barrier::new(THREADS as usize);
    let ground = Ground { sim, contexts, exported, quiet, failures: AtomicU64::new(0), problems: Mutex::default() };
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let ground = &ground;
            threads.spawn(move || ground.work(thread));
        }
    });
    assert_eq!(*ground.problems(), Vec::<String>::new());
    // No failure that was ordered waits any more.
    sim.reset();
    agree(sim);
    for (before, after) in before.iter().zip(&both()) {
        assert_eq!((after.live_blocks, after.total), (before.live_blocks, before.total));
        assert_eq!((after.unknown_frees, after.missed_frees), (before.unknown_frees, before.missed_frees));
    }
    let failed: u64 = before.iter().zip(&both()).map(|(before, after)| after.failed - before.failed).sum();
    assert_eq!(failed, ground.failures.load(Ordering::Relaxed));
    exported.into_iter().try_for_each(ground::free)?;
    Ok(())
}
