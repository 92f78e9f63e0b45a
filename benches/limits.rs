//! Times beside their limits, in one run:
//!
//! ```text
//! cargo bench --bench limits
//! ```
//!
//! Each number is the best of [`ROUNDS`]. A limit that is missed is marked `over`, and nothing fails: times depend on the
//! machine and on what else runs there. What must not grow is counted in instructions, by `scripts/instructions`.

mod measured;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use measured::{plain, tagged_pair, tracked, tracked_with_pair, untagged_pair, upstream_pair};
use memprof::{Scope, Site, Space, TrackExt as _};

const ROUNDS: u32 = 9;
/// Turns of one round: some milliseconds, so that the best round has most likely not been interrupted.
const TURNS: u32 = 1_000_000;

/// Sites that are entered in turn: far more than a processor's first cache holds.
const SITES: u32 = 10_000;

/// Device blocks that stay live while others come and go.
const LIVE_BLOCKS: u64 = 1_000_000;
const DEVICE_THREADS: u32 = 8;
const DEVICE_TURNS: u32 = 100_000;

const PATHS: u32 = 10_000;
const PATH_THREADS: usize = 64;

/// One line of the table; the limit is in the unit of what was measured.
struct Row {
    what: &'static str,
    measured: f64,
    limit: f64,
    unit: &'static str,
}

#[expect(clippy::print_stderr, reason = "why there is no table")]
fn main() {
    if memprof::is_enabled() {
        eprintln!("limits: run it without MEMPROF=1, as it also times what memprof costs while it is off");
        return;
    }
    let [call_on, pair_on, ordinary, poll, first_poll] = switched_on();
    let [many, many_with_pair] = many_sites();
    let [device, device_threads] = device_events();
    let snapshot = snapshots();
    let [call_off, pair_off] = switched_off();
    print(&[
        Row { what: "tracked call with a pair in it, over both", measured: ordinary, limit: 18.0, unit: "ns" },
        Row { what: "tracked call, off, over a plain call", measured: call_off, limit: 1.0, unit: "ns" },
        Row { what: "tracked call, on, over a plain call", measured: call_on, limit: 6.0, unit: "ns" },
        Row { what: "malloc/free pair, off, over upstream's", measured: pair_off, limit: 3.0, unit: "%" },
        Row { what: "malloc/free pair, on, over upstream's", measured: pair_on, limit: 3.0, unit: "ns" },
        Row { what: "scopes of 10,000 sites in turn", measured: many, limit: 20.0, unit: "ns" },
        Row { what: "the same with a pair in each, over the pair", measured: many_with_pair, limit: 60.0, unit: "ns" },
        Row { what: "poll of a tracked future", measured: poll, limit: 15.0, unit: "ns" },
        Row { what: "first poll of a task, and its end", measured: first_poll, limit: 100.0, unit: "ns" },
        Row { what: "device pair, 1,000,000 live, 1 thread", measured: device, limit: 1000.0, unit: "ns" },
        Row { what: "device pair, 1,000,000 live, 8 threads", measured: device_threads, limit: 1000.0, unit: "ns" },
        Row { what: "snapshot, 10,000 paths x 64 threads", measured: snapshot, limit: 50.0, unit: "ms" },
    ]);
}

#[expect(clippy::print_stdout, reason = "the table")]
fn print(rows: &[Row]) {
    println!("best of {ROUNDS} rounds; processors: {}", processors());
    println!("{:<40} {:>12} {:>12}", "what", "measured", "limit");
    for Row { what, measured, limit, unit } in rows {
        let verdict = if measured > limit { "  over" } else { "" };
        println!("{what:<40} {measured:>9.2} {unit:<2} {limit:>9} {unit:<2}{verdict}");
    }
}

/// Call, pair, and a call with a pair in it, over what they replace, and the two polls, in nanoseconds.
fn switched_on() -> [f64; 5] {
    memprof::enable();
    let mut context = Context::from_waker(Waker::noop());
    let mut pending = pin!(std::future::poll_fn(|_| Poll::<()>::Pending).track(memprof::site!("pending")));
    let mut other = Context::from_waker(Waker::noop());
    let [plain_call, call, ordinary, first_poll, upstream, tagged, poll] = best([
        &mut || nanoseconds(TURNS, || _ = plain(black_box(1))),
        &mut || nanoseconds(TURNS, || _ = tracked(black_box(1))),
        &mut || nanoseconds(TURNS, tracked_with_pair),
        &mut || nanoseconds(TURNS, || _ = pin!(async {}.track(memprof::site!("task"))).poll(&mut other)),
        &mut || nanoseconds(TURNS, upstream_pair),
        &mut || {
            memprof::scope!("pairs");
            nanoseconds(TURNS, tagged_pair)
        },
        &mut || nanoseconds(TURNS, || _ = pending.as_mut().poll(&mut context)),
    ]);
    [call - plain_call, tagged - upstream, ordinary - plain_call - upstream, poll, first_poll]
}

/// Scopes of many sites in turn, in nanoseconds a scope: alone, and with a pair in each, over upstream's.
fn many_sites() -> [f64; 2] {
    let sites: Vec<_> = (0..SITES).map(|number| Site::named(&format!("site {number}"))).collect();
    let each = |work: fn()| {
        let mut next = sites.iter().cycle();
        nanoseconds(TURNS, || {
            let scope = next.next().map(|site| Scope::enter(site));
            work();
            drop(scope);
        })
    };
    let [alone, with_pair, upstream] =
        best([&mut || each(|| ()), &mut || each(tagged_pair), &mut || nanoseconds(TURNS, upstream_pair)]);
    [alone, with_pair - upstream]
}

/// The call in nanoseconds over a plain one, the pair in per cent over upstream's.
fn switched_off() -> [f64; 2] {
    memprof::disable();
    let [plain_call, call, upstream, untagged] = best([
        &mut || nanoseconds(TURNS, || _ = plain(black_box(1))),
        &mut || nanoseconds(TURNS, || _ = tracked(black_box(1))),
        &mut || nanoseconds(TURNS, upstream_pair),
        &mut || nanoseconds(TURNS, untagged_pair),
    ]);
    [call - plain_call, (untagged / upstream - 1.0) * 100.0]
}

/// A device's allocation and its free, in nanoseconds of one processor: by one thread, and by several at once.
fn device_events() -> [f64; 2] {
    let space = Space::device(0);
    let address = |block: u64| block * 256;
    for block in 0..LIVE_BLOCKS {
        memprof::record_alloc(space, address(block), 256);
    }
    // Each thread has addresses of its own behind the live ones.
    let events = |thread: u32| {
        let mut block = LIVE_BLOCKS + u64::from(thread * DEVICE_TURNS);
        nanoseconds(DEVICE_TURNS, || {
            block += 1;
            memprof::record_alloc(space, address(block), 100);
            memprof::record_free(space, address(block));
        })
    };
    let together = || {
        let all = nanoseconds(1, || {
            thread::scope(|threads| {
                for thread in 0..DEVICE_THREADS {
                    threads.spawn(move || events(thread));
                }
            });
        });
        all * f64::from(processors().min(DEVICE_THREADS)) / f64::from(DEVICE_THREADS * DEVICE_TURNS)
    };
    let times = best([&mut || events(0), &mut || together()]);
    for block in 0..LIVE_BLOCKS {
        memprof::record_free(space, address(block));
    }
    times
}

/// A snapshot in milliseconds, while threads that have been in every path wait.
fn snapshots() -> f64 {
    let sites: Vec<_> = (0..PATHS).map(|path| Site::named(&format!("path {path}"))).collect();
    let barrier = Barrier::new(PATH_THREADS + 1);
    thread::scope(|threads| {
        for _ in 0..PATH_THREADS {
            threads.spawn(|| {
                for site in &sites {
                    let scope = Scope::enter(site);
                    tagged_pair();
                    drop(scope);
                }
                barrier.wait(); // every path is there
                barrier.wait(); // every snapshot is taken
            });
        }
        barrier.wait();
        let [time] = best([&mut || nanoseconds(1, || _ = black_box(memprof::snapshot()))]);
        barrier.wait();
        time / 1e6
    })
}

/// Nanoseconds that one turn took.
fn nanoseconds(turns: u32, mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..turns {
        turn();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(turns)
}

/// The least time of each. They take turns in every round, so that a processor that changes its clock does so for all.
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
