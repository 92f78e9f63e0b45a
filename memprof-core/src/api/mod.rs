//! What users and macros see.

pub(crate) mod alloc;
pub(crate) mod ambient;
pub(crate) mod context;
pub(crate) mod control;
pub(crate) mod future;
