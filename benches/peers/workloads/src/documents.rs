//! (c) A JSON text into a tree, and back.
//!
//! The text is made before the clock starts, and is the same in every run.

use std::fmt::Write as _;
use std::hint::black_box;

use serde_json::Value;

use crate::{Numbers, Peer, timed};

pub(crate) fn run<P: Peer>(bytes: usize) -> u128 {
    let text = document(bytes);
    timed(|| {
        P::scope(|| {
            let tree: Value = serde_json::from_str(&text).expect("a JSON text");
            let back = serde_json::to_string(&tree).expect("a tree that was read");
            black_box((tree, back));
        });
    })
}

/// An array of records, of about so many bytes.
fn document(bytes: usize) -> String {
    let mut numbers = Numbers::new(0);
    let mut text = String::with_capacity(bytes + 1024);
    text.push('[');
    while text.len() < bytes {
        if text.len() > 1 {
            text.push(',');
        }
        let (id, name, price) = (numbers.below(1 << 30), numbers.next(), numbers.below(100_000));
        write!(
            text,
            r#"{{"id":{id},"name":"item {name:x}","price":{}.{:02},"tags":["a{}","b{}"],"seen":{},"at":{{"x":{},"y":{}}}}}"#,
            price / 100,
            price % 100,
            numbers.below(100),
            numbers.below(100),
            price % 2 == 0,
            numbers.below(1000),
            numbers.below(1000),
        )
        .expect("a string takes all");
    }
    text.push(']');
    text
}
