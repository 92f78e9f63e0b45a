//! Looking at a program that runs: which one is meant, and what it says.
//!
//! A program answers at an address (`MEMPROF_HTTP`), which it says on stderr and, for its process id, in `$XDG_RUNTIME_DIR/memprof`; or it
//! writes a file over and over (`MEMPROF_INTERVAL`).

mod ask;
mod connect;
mod endpoint;
mod running;

mod source;

pub(crate) use self::source::Source;
