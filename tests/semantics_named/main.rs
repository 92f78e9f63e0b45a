//! What holds of named spaces: this program has no allocator of memprof's, so nothing but the tests themselves is counted. One
//! process, in which they take turns (`common::alone`).

#[path = "../common/mod.rs"]
mod common;

mod futures;
mod lanes;
