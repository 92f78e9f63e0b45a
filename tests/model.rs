//! Random programs over threads, tasks and contexts, run through the recorder and a brute-force model.
//!
//! The driver gives each worker thread one command at a time, so that every program has one order of
//! events and every number one right value. Named spaces must agree in everything; `host` in everything
//! but the process-wide numbers, to which the harness adds.
#![expect(unsafe_code, reason = "host blocks of exact sizes come from the allocator itself")]

#[path = "model/program.rs"]
mod program;
#[path = "model/threads.rs"]
mod threads;
#[path = "model/world.rs"]
mod world;

use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

#[test]
fn random_programs_give_the_numbers_of_the_model() {
    // A fixed seed: the same programs on every machine. `PROPTEST_CASES` asks for more of them.
    let config = Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/model/regressions.txt"))),
        max_shrink_iters: 20_000,
        ..Config::default()
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
