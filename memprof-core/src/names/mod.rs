//! What is measured: static places and call paths.
//!
//! A site is a place in source, a path a node of the call tree: a site entered at another path. Both are numbers
//! that never change their meaning and are never given back, so a tag in front of a block may hold one for as long
//! as the block lives. How often a path was called, and what was allocated there, is left to each thread.
//!
//! | | made | found by | given back |
//! |---|---|---|---|
//! | [`Site`](site::Site) | one `static` a function or block; run-time names when they are first used | its number, from its first scope on | never |
//! | [`PathId`](path::PathId) | when a site is first entered at a path | parent and site | never |
//! | label | from what the compiler calls a function, each time that it is shown | | |

pub(crate) mod label;
pub(crate) mod site;
pub(crate) mod path;
