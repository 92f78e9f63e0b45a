//! What is measured: static places and call paths.

pub(crate) mod label;
pub(crate) mod path;
pub(crate) mod site;
