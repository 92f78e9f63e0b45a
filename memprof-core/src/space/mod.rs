//! Where blocks live, and how high each space went.

pub(crate) mod spaces;
pub(crate) mod mark;
pub(crate) mod level;
