//! (e) Many small futures on two workers, each with some blocks of its own.
//!
//! As many requests are under way at once as a batch has, and each waits twice, so its blocks are live across polls and
//! may be freed on the other worker.

use std::hint::black_box;

use crate::{Peer, timed};

/// Requests that are under way at once.
const BATCH: usize = 256;

pub(crate) fn run<P: Peer>(requests: usize) -> u128 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("two threads");
    timed(|| {
        runtime.block_on(async {
            for begin in (0..requests).step_by(BATCH) {
                let spawn = |number| tokio::spawn(P::request(number as u64));
                let tasks: Vec<_> = (begin..requests.min(begin + BATCH)).map(spawn).collect();
                for task in tasks {
                    black_box(task.await.expect("a request"));
                }
            }
        });
    })
}

/// What a server does for one request: some memory, held while it waits twice.
pub async fn request(number: u64) -> u64 {
    let body: Vec<u64> = (0..32).map(|item| item ^ number).collect();
    tokio::task::yield_now().await;
    let head = format!("request {number}");
    tokio::task::yield_now().await;
    body.iter().sum::<u64>() + black_box(head).len() as u64
}
