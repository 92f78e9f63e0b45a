//! `cargo memprof` on programs of the tests' own: each builds untouched, does as without it, and its sources stay as they were.
//!
//! They compile memprof once more, and each program with it: a step of `.ci/run` of its own runs them, one after another.

mod support;
#[path = "../command/terminal.rs"]
#[expect(dead_code, reason = "what only the tests of the command memprof call")]
mod terminal;

mod allocators;
mod awkward;
mod builds;
mod options;
mod places;
mod simple;
mod surroundings;
