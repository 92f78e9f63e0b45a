//! (a) A function that does next to nothing, marked.

use std::hint::black_box;

use crate::{Peer, timed};

pub(crate) fn run<P: Peer>(turns: usize) -> u128 {
    timed(|| {
        P::calls(turns, |number| {
            black_box(P::call(black_box(number)));
        });
    })
}
