//! (d) An ordered map of strings that grows and shrinks.
//!
//! Each insertion allocates two strings, and after every third one an entry goes, so blocks of different ages are freed
//! between others.

use std::collections::BTreeMap;
use std::hint::black_box;

use crate::{Numbers, Peer, timed};

pub(crate) fn run<P: Peer>(turns: usize) -> u128 {
    timed(|| {
        P::scope(|| {
            let mut numbers = Numbers::new(0);
            let mut map = BTreeMap::new();
            for turn in 0..turns {
                map.insert(format!("key {:012x}", numbers.next() >> 16), format!("value {turn}"));
                if turn % 3 == 2 {
                    let from = format!("key {:012x}", numbers.next() >> 16);
                    let key = map.range(from..).next().map(|(key, _)| key.clone());
                    key.and_then(|key| map.remove(&key));
                }
            }
            black_box(map);
        });
    })
}
