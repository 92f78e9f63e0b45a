//! A Rust source file with `#[::memprof::track]` on its functions: which they are, which are left out and why, and the text with the
//! attribute in it.
//!
//! Nothing here touches a file: text in, text out. The attribute stands on the line on which its function begins, so lines keep their
//! numbers, and nothing but the attribute is added. What macros make of their arguments is not seen.

pub(crate) mod std_names;
pub(crate) mod callees;
pub(crate) mod function;
pub(crate) mod included;
pub(crate) mod file;
pub(crate) mod lean;
pub(crate) mod edit;
#[cfg(test)]
mod tests;
