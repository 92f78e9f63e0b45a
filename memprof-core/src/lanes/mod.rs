//! What outlives a thread's stack or is met by several threads.

pub(crate) mod kind;
pub(crate) mod pending;
pub(crate) mod waiting;
pub(crate) mod lane;
pub(crate) mod tag;
pub(crate) mod level;
pub(crate) mod captured;
pub(crate) mod account;
pub(crate) mod activation;
