//! Random programs over threads, tasks and contexts, run through the recorder and a brute-force model.
//!
//! The driver gives each worker thread one command at a time, so that every program has one order of
//! events and every number one right value. Named spaces must agree in everything; `host` in everything
//! but the process-wide numbers, to which the harness adds.
#![expect(unsafe_code, reason = "host blocks of exact sizes come from the allocator itself")]

#[path = "common/harness.rs"]
mod harness;
#[path = "model/known.rs"]
mod known;
#[path = "model/program.rs"]
mod program;
#[path = "model/threads.rs"]
mod threads;
#[path = "model/world.rs"]
mod world;

use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

/// Random programs, if `PROPTEST_CASES` does not ask for more or fewer.
const PROGRAMS: u32 = if cfg!(debug_assertions) { 32 } else { 1_000 };

/// Without libtest: its main thread has no scope open, so an ambient one would get what it allocates, which it does when a test has run for
/// a minute.
fn main() {
    harness::main("random_programs_give_the_numbers_of_the_model", random_programs_give_the_numbers_of_the_model);
}

fn random_programs_give_the_numbers_of_the_model() {
    for (what, program) in known::programs() {
        let outcome = std::panic::catch_unwind(|| program::Runner::run(&program));
        assert!(outcome.is_ok(), "once more: {what}");
    }
    // A fixed seed: the same programs on every machine.
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let given = Config::default();
    let config = Config {
        cases: if asked { given.cases } else { PROGRAMS },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/model/regressions.txt"))),
        max_shrink_iters: 20_000,
        ..given
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&program::program(), |program| {
        program::Runner::run(&program);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
