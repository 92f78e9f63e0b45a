//! Events: what an allocation, a free or a reallocation changes in a slot that is handed in.
//!
//! [`host`] is the path that every `malloc` takes, about 30 instructions in the common case: the thread took note of
//! everything, and its top frame saw an event before. [`blocks`] does the same for any other space, where an event
//! costs a microsecond anyway. Both end in the same changes: in the ledger's own, and in [`count`].

pub(crate) mod look;
pub(crate) mod count;
pub(crate) mod host;
pub(crate) mod blocks;
#[cfg(test)]
pub(crate) mod any;
