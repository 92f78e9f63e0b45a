//! What one thread writes, and how another one reads it.

pub(crate) mod frame;
pub(crate) mod ledger;
pub(crate) mod net;
pub(crate) mod slot;
pub(crate) mod current;
pub(crate) mod read;
pub(crate) mod picture;
pub(crate) mod watch;
pub(crate) mod segment;
pub(crate) mod path_entry;
pub(crate) mod stack;
pub(crate) mod lease;
