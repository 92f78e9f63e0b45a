//! CUPTI's callback side: subscribers are shown driver calls as they begin and end, on the thread that makes them.
//!
//! Shown are the functions that have a number of CUPTI's in their definition: those that allocate, free, map and unmap memory, and those that
//! make and end contexts; that a context is about to end, whoever ends it; and streams that are made and destroyed. The subscribers' lock is
//! held while a callback runs, for reading: `cuptiUnsubscribe` returns when no callback runs any more. A driver call made inside a callback
//! is not shown; unsubscribing inside one is refused.

mod numbers;
mod subscribers;

mod exports;

pub(crate) use self::subscribers::{context_ends, enter, exit, stream_ends, stream_made};
