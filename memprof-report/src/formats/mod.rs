//! The formats, a module each: `fn write(&Snapshot, &Options, &mut dyn Write) -> io::Result<()>`.
//!
//! What several of them say or build on stands first: what a report for people says ([`content`]), the call tree as
//! viewers want it ([`stacks`]), and the encodings. A module names only those above it. Which ending asks for which is
//! left to [`Format`](crate::Format).

mod cell;
mod held;
mod resident;
mod spread;
mod crates;

mod content;
mod stacks;
mod tree;
mod calls;

mod gzip;
mod protobuf;

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod text;

pub(crate) mod markdown;

pub(crate) mod html;
pub(crate) mod svg;

pub(crate) mod diff;

pub(crate) mod dhat;
pub(crate) mod folded;
pub(crate) mod openmetrics;
pub(crate) mod perfetto;
pub(crate) mod pprof;
pub(crate) mod speedscope;
