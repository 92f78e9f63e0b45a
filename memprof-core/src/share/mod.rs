//! Working for a scope of another thread.

pub(crate) mod sharing;
pub(crate) mod publish;
pub(crate) mod settle;
pub(crate) mod forward;
pub(crate) mod context;
pub(crate) mod open_frames;
pub(crate) mod ambient;
