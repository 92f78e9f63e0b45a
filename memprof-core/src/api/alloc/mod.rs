//! The global allocator that reports to the recorder.
//!
//! It stands between the program and an upstream that does the allocating. In a process that measures the host, a
//! block that the program gets lies behind its [`Tag`](crate::lanes::tag::Tag), which says who owns it:
//!
//! ```text
//! what upstream gave    ├── padding (alignments above 8) ──┼── tag, 8 bytes ──┼── the block, as long as was asked for ──┤
//! ```
//!
//! An allocation is recorded after upstream returned it, a free before upstream takes it back; a failure is counted
//! and handed on. Nothing in here unwinds. Whose event it is, and what it changes, is left to
//! [`host`](super::host).
//!
//! | module | what |
//! |---|---|
//! | [`placing`] | where block and tag lie in what upstream gives |
//! | [`allocator`] | the type, and whether blocks carry tags |
//! | [`tagged`] | allocating and freeing with tags |
//! | [`global`] | the four methods of `GlobalAlloc`: with tags, or straight to upstream |

mod placing;
mod allocator;
mod tagged;
mod global;

pub use allocator::Alloc;
