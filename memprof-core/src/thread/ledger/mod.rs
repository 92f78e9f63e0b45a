//! Ledgers: what one thread counts for one space.
//!
//! A ledger holds running sums (allocated, freed) and *rows*, one a path. An open scope that saw an event in the
//! space has an *entry*: a copy of the sums as they stood when it was entered. So an event adds to the sums and to
//! one row, whatever the depth, and a scope's counters are differences: `value` and `total` of the sums, `peak` of
//! a watermark. Entries are made at a scope's first event. Leaving a scope whose parent has none does not fold
//! anything: since the parent's own entry would hold the same numbers, the entry becomes the parent's.
//!
//! ```text
//! frames    base ──── f ──── g ──── h      (h is the top; g saw no event of its own)
//! entries   base ──── f ─────────── h
//! watermark  w0       w1            peak   (w1 is saved in the entry of h)
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`blocks`] | the level in blocks, by which a reader sees that an event is under way |
//! | [`limits`] | the level in bytes, and when an event has more to do than to count |
//! | [`entry`], [`latest`] | the sums as an open scope found them; the thread's latest allocation |
//! | [`sums`] | the same numbers as plain values, and what an open scope recorded as their difference |
//! | [`counting`] | the ledger, and what an event changes |
//! | [`nesting`] | how entries come and go with the scopes |
//! | [`charging`] | hand-overs, and what came in under a `Context`: history that is written afterwards |
//!
//! Everything here is written by the thread that has the slot, with plain loads and stores. What a reader of another thread
//! has to do is left to [`read`](crate::thread::read); which events there are, to `events`.

mod blocks;
mod limits;
mod sums;
mod entry;
mod latest;
mod counting;
mod nesting;
mod charging;

pub(crate) use counting::Ledger;
pub(crate) use entry::Entry;
pub(crate) use limits::Watch;
pub(crate) use sums::{Sums, Watermarks};
