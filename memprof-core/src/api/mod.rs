//! What users and macros see.
//!
//! The only layer that looks for the calling thread's slot: everything below is handed one. What a function here
//! promises is in its own documentation; what the numbers mean is in `docs/semantics.md`.

pub(crate) mod scope;
pub(crate) mod host;
pub(crate) mod alloc;
pub(crate) mod target;
pub(crate) mod released;
pub(crate) mod record;
pub(crate) mod context;
pub(crate) mod ambient;
pub(crate) mod future;
pub(crate) mod exceeded;
pub(crate) mod limit;
pub(crate) mod limited_future;
pub(crate) mod control;
