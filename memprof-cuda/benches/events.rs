//! What an allocation and its free cost over cudarc's own, tracked and intercepted, beside the limit:
//!
//! ```text
//! cargo bench -p memprof-cuda --bench events
//! ```
//!
//! With 1,000,000 live blocks in the books, on one thread and on eight. The driver is the machine's own where it has a
//! device, else the simulator, whose calls take their own time: the difference is memprof's, and where the route is
//! interception, CUPTI's too. Each number is the best of
//! [`ROUNDS`]; a limit that is missed is marked `over`, and nothing fails, as times depend on the machine and on what
//! else runs there.

#![expect(unsafe_code, reason = "cudarc's allocations of unset memory")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use cudarc::driver::{CudaStream, DriverError};
use memprof_core::Space;
use memprof_cuda::{TrackedExt as _, TrackedStream};

const ROUNDS: u32 = 9;
const LIVE_BLOCKS: u64 = 1_000_000;
/// Where no driver gives an address: the live blocks are memprof's alone.
const LIVE_BLOCKS_AT: u64 = 1 << 60;
const THREADS: u32 = 8;
const TURNS: u32 = 20_000;
const LIMIT: f64 = 1000.0;

#[expect(clippy::print_stdout, reason = "the table")]
fn main() -> Result<(), Box<dyn Error>> {
    let driver = memprof_cuda_sim::load()?;
    memprof_core::enable();
    let stream = memprof_cuda::context(0)?.default_stream();
    let tracked = stream.tracked();
    println!(
        "alloc + free of 256 bytes, {LIVE_BLOCKS} live blocks, best of {ROUNDS} rounds; processors: {}; {}",
        processors(),
        if driver.is_real() { "a real driver" } else { "the simulator" }
    );
    println!("{:<24} {:>12} {:>12} {:>12} {:>12}", "route, threads", "cudarc", "with", "memprof's", "limit");
    for block in 0..LIVE_BLOCKS {
        memprof_core::record_alloc(tracked.space(), LIVE_BLOCKS_AT + block * 256, 256);
    }
    for threads in [1, THREADS] {
        let plain = || together(threads, || plain_pair(&stream));
        let ours = || together(threads, || tracked_pair(&tracked));
        row("tracked", threads, best([&mut { plain }, &mut { ours }]));
        if let Err(error) = memprof_cuda::intercept() {
            println!("intercepted: skipped: {error}");
            continue;
        }
        row("intercepted", threads, best([&mut { plain }, &mut || intercepted(plain)]));
        row("tracked, intercepted", threads, best([&mut { plain }, &mut || intercepted(ours)]));
    }
    assert_eq!(memprof_core::snapshot().totals(Space::device(0)).live_blocks.unsigned_abs(), LIVE_BLOCKS);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table")]
fn row(route: &str, threads: u32, [plain, ours]: [f64; 2]) {
    let verdict = if ours - plain > LIMIT { "  over" } else { "" };
    let own = ours - plain;
    println!(
        "{:<24} {plain:>9.0} ns {ours:>9.0} ns {own:>9.0} ns {LIMIT:>9.0} ns{verdict}",
        format!("{route}, {threads}")
    );
}

/// Under interception, whose beginning and end are not timed.
fn intercepted(timed: impl Fn() -> f64) -> f64 {
    let _guard = memprof_cuda::intercept().unwrap_or_else(|error| panic!("{error}"));
    timed()
}

fn plain_pair(stream: &Arc<CudaStream>) -> Result<(), DriverError> {
    // SAFETY: nobody reads it.
    drop(black_box(unsafe { stream.alloc::<u8>(256) }?));
    Ok(())
}

fn tracked_pair(stream: &TrackedStream) -> Result<(), DriverError> {
    // SAFETY: nobody reads it.
    drop(black_box(unsafe { stream.alloc::<u8>(256) }?));
    Ok(())
}

/// Nanoseconds of a processor that each pair takes, on as many threads at once.
fn together(threads: u32, pair: impl Fn() -> Result<(), DriverError> + Sync) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..TURNS).try_for_each(|_| pair()).map_err(|error| panic!("a pair failed: {error}")));
        }
    });
    let all = begun.elapsed().as_secs_f64() * 1e9;
    all * f64::from(processors().min(threads)) / f64::from(threads * TURNS)
}

/// The best of each, taken in turn.
fn best<const N: usize>(mut timed: [&mut dyn FnMut() -> f64; N]) -> [f64; N] {
    let mut least = [f64::MAX; N];
    for _ in 0..ROUNDS {
        for (least, time) in least.iter_mut().zip(&mut timed) {
            *least = least.min(time());
        }
    }
    least
}

fn processors() -> u32 {
    thread::available_parallelism().map_or(1, |processors| u32::try_from(processors.get()).unwrap_or(u32::MAX))
}
