//! JSON: the profile itself, on one line, as [`Snapshot`]'s `serde::Serialize` describes it.
//!
//! Written by a [`writer`] of our own: the crate that everybody reads JSON with, `serde_json`, compares its values with
//! standard types (`PartialEq<Value> for u8`), and a program that has such a crate among its dependencies no longer compiles
//! where it left the type of a comparison to be inferred.

pub(crate) mod writer;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::{options::Options, snapshot::Snapshot};

pub(crate) use self::writer::write as write_value;

/// Writes the profile, whatever the options, and a newline.
pub(crate) fn write(snapshot: &Snapshot, _options: &Options, out: &mut dyn Write) -> io::Result<()> {
    writer::write(snapshot, out)?;
    out.write_all(b"\n")
}
