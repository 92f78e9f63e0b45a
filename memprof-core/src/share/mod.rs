//! Working for a scope of another thread.

pub(crate) mod open_frames;
pub(crate) mod publish;
