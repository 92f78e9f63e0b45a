//! (f) One thread allocates, another frees.
//!
//! In batches, of which a few are under way at once: so both threads work throughout, and what is live stays bounded.

use std::hint::black_box;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::{Numbers, Peer, timed};

const BATCH: usize = 64;
const BATCHES_UNDER_WAY: usize = 16;
const MOST_BYTES: usize = 512;

pub(crate) fn run<P: Peer>(blocks: usize) -> u128 {
    timed(|| {
        let (sender, receiver) = sync_channel::<Vec<Vec<u8>>>(BATCHES_UNDER_WAY);
        thread::scope(|scope| {
            scope.spawn(move || P::scope(|| receiver.into_iter().for_each(|batch| drop(black_box(batch)))));
            P::scope(|| {
                let mut numbers = Numbers::new(0);
                for _ in 0..blocks / BATCH {
                    let block = |_| Vec::with_capacity(1 + numbers.below(MOST_BYTES));
                    sender.send((0..BATCH).map(block).collect()).expect("somebody receives");
                }
                drop(sender);
            });
        });
    })
}
