//! What is measured: static places and call paths.
//!
//! A site is a place in source, a path a node of the call tree: a site entered at another path. Both are numbers
//! that never change their meaning and are never given back, so a tag in front of a block may hold one for as long
//! as the block lives. How often a path was called, and what was allocated there, is left to each thread.

pub(crate) mod label;
pub(crate) mod site;
pub(crate) mod path;
