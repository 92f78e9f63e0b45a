//! What each tool is timed at: the same programs, marked and read with the tool's own means.
//!
//! An adapter is a program of one tool. It implements [`Peer`], and its `main` is that of [`main!`]:
//!
//! ```text
//! peer-dhat pairs 2000000        one workload, and how much of it
//! 2000000 94613051 12840         operations, nanoseconds, peak resident set in KiB
//! ```
//!
//! A tool that has nothing for a workload says so with status 3.

use std::env;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Instant;

mod calls;
mod documents;
mod handover;
mod pairs;
mod server;
mod service;
mod strings;

pub use server::request;
pub use service::{ROUTES, Route, answer};

/// The allocator underneath the tools that accept one.
#[cfg(feature = "jemalloc")]
pub type Upstream = tikv_jemallocator::Jemalloc;
#[cfg(feature = "jemalloc")]
pub const UPSTREAM: Upstream = tikv_jemallocator::Jemalloc;
#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
pub type Upstream = mimalloc::MiMalloc;
#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
pub const UPSTREAM: Upstream = mimalloc::MiMalloc;
#[cfg(not(any(feature = "mimalloc", feature = "jemalloc")))]
pub type Upstream = std::alloc::System;
#[cfg(not(any(feature = "mimalloc", feature = "jemalloc")))]
pub const UPSTREAM: Upstream = std::alloc::System;

/// The `main` of an adapter: [`run`]s the workload that its arguments name, with this [`Peer`].
#[macro_export]
macro_rules! main {
    ($peer:ty) => {
        fn main() -> std::process::ExitCode {
            $crate::run::<$peer>()
        }
    };
}

/// What a tool has. Each function is called on any thread.
pub trait Peer: Sized + 'static {
    /// What must live until the program ends.
    type Session;

    /// Whether a function, or a block, can be measured by itself.
    const HAS_SCOPES: bool;
    /// Whether what was measured can be read while the program runs.
    const CAN_READ: bool;

    /// Begins to measure, as the tool's own documentation says for a program that is not a test or a benchmark.
    fn start() -> Self::Session;

    /// [`plain`], marked. Never inlined.
    #[must_use]
    fn call(number: u64) -> u64 {
        plain(number)
    }

    /// `one` for each number below `turns`, in whatever the tool needs around calls.
    fn calls(turns: usize, one: impl Fn(u64)) {
        (0..turns).for_each(|number| one(number as u64));
    }

    /// `work` as one measured scope.
    fn scope<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    /// [`request`], marked where the tool can mark a future.
    #[must_use]
    fn request(number: u64) -> impl Future<Output = u64> + Send + 'static {
        request(number)
    }

    /// [`answer`], marked where the tool can mark a future, by a function of its own for each of [`ROUTES`].
    #[must_use]
    fn route(route: usize, number: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(answer::<Self>(route, number))
    }

    /// A step of a route as a measured scope, one for each route where the tool has no other mark for it.
    fn step<R>(_route: usize, work: impl FnOnce() -> R) -> R {
        Self::scope(work)
    }

    /// Reads all that was measured so far.
    fn read() {}

    /// A workload of this adapter alone: the nanoseconds it took.
    #[must_use]
    fn own(workload: &str, numbers: &[usize]) -> Option<u128> {
        let _ = (workload, numbers);
        None
    }
}

/// The tiny function of the workload `call`.
#[inline(always)]
#[allow(clippy::inline_always, reason = "what is timed is the mark around it")]
#[must_use]
pub fn plain(number: u64) -> u64 {
    std::hint::black_box(number) + 1
}

const NOTHING_FOR_IT: u8 = 3;

/// Runs the workload that the command line names.
pub fn run<P: Peer>() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((&workload, numbers)) = words.split_first() else { return usage() };
    let numbers: Result<Vec<usize>, _> = numbers.iter().map(|number| number.parse()).collect();
    let Ok(numbers) = numbers else { return usage() };
    let needs_scopes = matches!(workload, "call" | "depth");
    let needs_reading = workload == "snapshots";
    if (needs_scopes && !P::HAS_SCOPES) || (needs_reading && !P::CAN_READ) {
        return ExitCode::from(NOTHING_FOR_IT);
    }
    let session = P::start();
    let nanoseconds = match (workload, &numbers[..]) {
        ("call", &[turns]) => calls::run::<P>(turns),
        ("pairs", &[turns, threads]) => pairs::run::<P>(turns, threads),
        ("depth", &[turns, depth]) => pairs::run_nested::<P>(turns, depth),
        ("snapshots", &[turns]) => pairs::run_read::<P>(turns),
        ("json", &[bytes]) => documents::run::<P>(bytes),
        ("strings", &[turns]) => strings::run::<P>(turns),
        ("server", &[requests]) => server::run::<P>(requests),
        ("service", &[requests]) => service::run::<P>(requests),
        ("handover", &[blocks]) => handover::run::<P>(blocks),
        (own, numbers) => match P::own(own, numbers) {
            Some(nanoseconds) => nanoseconds,
            None => return usage(),
        },
    };
    print_result(*numbers.first().unwrap_or(&0), nanoseconds);
    drop(session);
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "expected a workload and its numbers: call N, pairs N THREADS, depth N DEPTH, snapshots N, json BYTES, strings N, \
         server N, handover N, service N"
    );
    ExitCode::from(2)
}

/// The line that says what was measured.
pub fn print_result(operations: usize, nanoseconds: u128) {
    println!("{operations} {nanoseconds} {}", peak_resident_set());
}

/// Nanoseconds that `work` takes.
pub fn timed(work: impl FnOnce()) -> u128 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_nanos()
}

fn peak_resident_set() -> u64 {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// That of now.
fn resident_set() -> u64 {
    kibibytes("/proc/self/smaps_rollup", "Rss:")
}

/// KiB, as Linux counts them.
fn kibibytes(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Numbers that look random and are the same in every run (xorshift64*; Vigna, 2016).
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2) + 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`.
    fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize * end) >> 32
    }
}
