//! Where blocks live, and how high each space went.
//!
//! Spaces other than `host` are exact: one short lock each, as their events are rare. The host is what every
//! `malloc` goes to, so its level is added up from what threads publish in steps, and is short by less than a step
//! for each of them.

pub(crate) mod spaces;
pub(crate) mod mark;
pub(crate) mod level;
