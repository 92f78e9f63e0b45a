//! One operation, as often as asked: what `scripts/instructions` runs under callgrind, twice, to count the instructions
//! of one. Not a benchmark by itself, so `cargo bench` leaves it out.
//!
//! ```text
//! counted call 100000
//! ```

mod measured;

use std::env;
use std::hint::black_box;
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use measured::{plain, tagged_pair, tracked, untagged_pair, upstream_pair};
use memprof::TrackExt as _;

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
    eprintln!(
        "counted: expected plain-call, call, off-call, upstream-pair, pair, off-pair or poll, and a number of turns"
    );
    ExitCode::FAILURE
}

fn repeat(turns: u64, mut turn: impl FnMut()) {
    for _ in 0..turns {
        turn();
    }
}
