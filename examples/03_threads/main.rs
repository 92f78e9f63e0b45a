//! Memory across threads: scoped threads, a rayon pool, and blocks that one thread allocates and
//! another frees.
//!
//! ```text
//! MEMPROF=1 cargo run --release -p example-threads
//! ```
//!
//! What to look for in the report:
//! * `sort_on_threads` and `sum_on_pool` include what their threads allocate: a `Context` takes the
//!   open scope along;
//! * `produce` allocates 64 blocks of 256 KiB in all (`memory_total`), yet its `memory_peak` is only
//!   the few that exist at once: a block that a consumer frees is taken off the producer's account;
//! * `consume` allocated none of them, so it shows next to nothing, and is not credited for freeing.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memprof::Context;
use rayon::prelude::*;

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

const BLOCKS: usize = 64;
const BLOCK_BYTES: usize = 256 << 10;

#[memprof::track]
#[expect(clippy::print_stdout, reason = "the result of the program")]
fn main() {
    let numbers: Vec<u64> = (0..100_000).map(|n: u64| n.wrapping_mul(0x9E37_79B9) % 100_003).collect();
    println!("smallest of each part: {:?}", sort_on_threads(&numbers));
    println!("sum of squares: {}", sum_on_pool(&numbers));
    println!("bytes through the pipeline: {}", pipeline());
}

#[memprof::track]
fn sort_on_threads(numbers: &[u64]) -> Vec<u64> {
    let context = Context::current();
    thread::scope(|scope| {
        let parts = numbers.chunks(numbers.len().div_ceil(4));
        let threads: Vec<_> = parts.map(|part| scope.spawn(|| context.run(|| smallest(part)))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("`smallest` does not panic")).collect()
    })
}

/// Sorts a copy: the memory that its thread needs.
#[memprof::track]
fn smallest(part: &[u64]) -> Option<u64> {
    let mut sorted = part.to_vec();
    sorted.sort_unstable();
    sorted.first().copied()
}

/// Rayon's threads belong to nobody: the context is entered for each piece of work.
#[memprof::track]
fn sum_on_pool(numbers: &[u64]) -> u64 {
    let context = Context::current();
    numbers.par_chunks(10_000).map(|part| context.run(|| sum_of_squares(part))).sum()
}

#[memprof::track]
fn sum_of_squares(part: &[u64]) -> u64 {
    let squares: Vec<u64> = part.iter().map(|n| n * n).collect();
    squares.iter().rev().sum()
}

#[memprof::track]
fn pipeline() -> usize {
    thread::scope(|scope| {
        let (senders, consumers): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (sender, receiver) = sync_channel(2);
                (sender, scope.spawn(move || consume(&receiver)))
            })
            .unzip();
        produce(&senders);
        drop(senders);
        consumers.into_iter().map(|consumer| consumer.join().expect("`consume` does not panic")).sum()
    })
}

#[memprof::track]
fn produce(consumers: &[SyncSender<Vec<u8>>]) {
    for (_, consumer) in (0..BLOCKS).zip(consumers.iter().cycle()) {
        if consumer.send(vec![1; BLOCK_BYTES]).is_err() {
            return;
        }
    }
}

/// Frees what `produce` allocated; with no `Context`, a consumer's own memory would be its own.
#[memprof::track]
fn consume(blocks: &Receiver<Vec<u8>>) -> usize {
    blocks.iter().map(|block| block.len()).sum()
}
