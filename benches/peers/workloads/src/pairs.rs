//! (b), (g), (i): blocks of mixed sizes that replace each other, inside a scope.
//!
//! Places and sizes are the same in every run, by a seed a thread; the number of live blocks never changes once each
//! place is filled, so what is timed is an allocation and a free.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::{Numbers, Peer, timed};

/// Blocks that are live at once on each thread.
const LIVE: usize = 256;
/// Between 1 and this many bytes, small ones more often.
const MOST_BYTES: usize = 2048;
/// Between two readings, in the workload `snapshots`.
const PAUSE: Duration = Duration::from_millis(10);

/// `turns` pairs in all, on so many threads.
pub(crate) fn run<P: Peer>(turns: usize, threads: usize) -> u128 {
    if threads == 1 {
        return timed(|| P::scope(|| replace(turns, 0)));
    }
    timed(|| {
        thread::scope(|scope| {
            for seed in 0..threads {
                scope.spawn(move || P::scope(|| replace(turns / threads, seed)));
            }
        });
    })
}

/// All pairs in the innermost of `depth` scopes.
pub(crate) fn run_nested<P: Peer>(turns: usize, depth: usize) -> u128 {
    let mut nanoseconds = 0;
    nest::<P>(depth, &mut || nanoseconds = timed(|| replace(turns, 0)));
    nanoseconds
}

/// Runs `work` inside so many scopes.
fn nest<P: Peer>(depth: usize, work: &mut dyn FnMut()) {
    if depth == 0 {
        work();
    } else {
        P::scope(|| nest::<P>(depth - 1, work));
    }
}

/// Meanwhile all that was measured is read again and again.
pub(crate) fn run_read<P: Peer>(turns: usize) -> u128 {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                P::read();
                thread::sleep(PAUSE);
            }
        });
        let nanoseconds = timed(|| P::scope(|| replace(turns, 0)));
        done.store(true, Ordering::Relaxed);
        nanoseconds
    })
}

fn replace(turns: usize, seed: usize) {
    let mut numbers = Numbers::new(seed as u64);
    let mut blocks: [Vec<u8>; LIVE] = [const { Vec::new() }; LIVE];
    for _ in 0..turns {
        let place = numbers.below(LIVE);
        let bytes = 1 + (numbers.below(MOST_BYTES) >> numbers.below(6));
        blocks[place] = black_box(Vec::with_capacity(bytes));
    }
}
