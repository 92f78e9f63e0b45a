//! What is measured: static places and call paths.

pub(crate) mod label;
pub(crate) mod site;
pub(crate) mod path;
