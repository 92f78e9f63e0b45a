//! One operation, as often as asked: what `scripts/instructions` runs under callgrind, twice, to count the instructions
//! of one. Not a benchmark by itself, so `cargo bench` leaves it out.
//!
//! ```text
//! counted call 100000
//! ```

#![expect(unsafe_code, reason = "blocks are taken from an allocator directly, to compare it with its upstream")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::hint::black_box;
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use memprof::{Alloc, TrackExt as _};

static TAGGED: Alloc = Alloc::system().always();
static UNTAGGED: Alloc = Alloc::system();

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let case = arguments.next().unwrap_or_default();
    let Some(turns) = arguments.next().and_then(|turns| turns.parse().ok()) else { return usage() };
    if !case.starts_with("off-") {
        memprof::enable();
    }
    match case.as_str() {
        "plain-call" => repeat(turns, || _ = plain(black_box(1))),
        "call" | "off-call" => repeat(turns, || _ = tracked(black_box(1))),
        "upstream-pair" => repeat(turns, upstream_pair),
        "off-pair" => repeat(turns, untagged_pair),
        "pair" => {
            memprof::scope!("pairs");
            repeat(turns, tagged_pair);
        }
        "poll" => {
            let mut context = Context::from_waker(Waker::noop());
            let mut pending = pin!(std::future::poll_fn(|_| Poll::<()>::Pending).track(memprof::site!("pending")));
            repeat(turns, || _ = pending.as_mut().poll(&mut context));
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "a wrong call")]
fn usage() -> ExitCode {
    eprintln!("counted: expected plain-call, call, off-call, upstream-pair, pair, off-pair or poll, and a number of turns");
    ExitCode::FAILURE
}

fn repeat(turns: u64, mut turn: impl FnMut()) {
    for _ in 0..turns {
        turn();
    }
}

#[memprof::track]
#[inline(never)]
fn tracked(number: u64) -> u64 {
    black_box(number) + 1
}

#[inline(never)]
fn plain(number: u64) -> u64 {
    black_box(number) + 1
}

#[inline(never)]
fn upstream_pair() {
    pair(&System);
}

#[inline(never)]
fn untagged_pair() {
    pair(&UNTAGGED);
}

#[inline(never)]
fn tagged_pair() {
    pair(&TAGGED);
}

/// A pair of one allocator. Each has a function of its own, as a program has one allocator, which the compiler knows.
#[inline(always)]
fn pair(allocator: &impl GlobalAlloc) {
    let layout = black_box(Layout::new::<[u64; 8]>());
    // SAFETY: the layout is not empty.
    let block = black_box(unsafe { allocator.alloc(layout) });
    assert!(!block.is_null(), "64 bytes could not be allocated");
    // SAFETY: the block comes from this allocator, with this layout.
    unsafe { allocator.dealloc(block, layout) };
}
