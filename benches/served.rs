//! A program that allocates as fast as it can, for scripts/live-cost: what does it cost to be asked meanwhile?
//!
//! Eight threads allocate and free on 200 call paths, with nothing else to do. A line on stdin is answered with a line on stdout: how often all of them have
//! allocated, and the processor time in nanoseconds that they have used, and that the whole process has.
#![expect(unsafe_code, reason = "clocks of the C library")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, BufRead as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

const THREADS: usize = 8;

/// What a thread has done so far, on a cache line of its own.
#[repr(align(128))]
struct Done {
    allocations: AtomicU64,
    nanoseconds: AtomicU64,
}

static DONE: [Done; THREADS] =
    [const { Done { allocations: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) } }; THREADS];

/// Calls `$inside` in the scope of this number.
macro_rules! in_scope {
    ($number:expr, $inside:expr, $($known:literal)+) => {
        match $number {
            $($known => memprof::scope!(concat!("scope ", $known), { $inside }),)+
            _ => unreachable!("no scope has this number"),
        }
    };
}

/// Ten scopes in twenty.
fn on_path(number: usize) {
    in_scope!(number / 10, inner(number % 10), 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
}

fn inner(number: usize) {
    in_scope!(number, allocate(number), 0 1 2 3 4 5 6 7 8 9);
}

fn allocate(number: usize) {
    for size in 1..=4 {
        drop(black_box(Vec::<u8>::with_capacity(64 * size * (number + 1))));
    }
}

fn work(done: &Done) {
    for path in (0..200).cycle() {
        on_path(path);
        done.allocations.fetch_add(4, Ordering::Relaxed);
        if path == 0 {
            done.nanoseconds.store(used(libc::CLOCK_THREAD_CPUTIME_ID), Ordering::Relaxed);
        }
    }
}

fn used(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let time = Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32);
    u64::try_from(time.as_nanos()).expect("no process is as old")
}

fn main() -> io::Result<()> {
    for done in &DONE {
        thread::spawn(|| work(done));
    }
    let sum = |of: fn(&Done) -> &AtomicU64| DONE.iter().map(|done| of(done).load(Ordering::Relaxed)).sum::<u64>();
    let mut line = String::new();
    for asked in io::stdin().lock().lines() {
        asked?;
        line.clear();
        let all = used(libc::CLOCK_PROCESS_CPUTIME_ID);
        let _ = writeln!(line, "{} {} {all}", sum(|done| &done.allocations), sum(|done| &done.nanoseconds));
        io::stdout().write_all(line.as_bytes())?;
        io::stdout().flush()?;
    }
    Ok(())
}
