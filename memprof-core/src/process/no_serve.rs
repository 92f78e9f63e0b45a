//! The endpoint, where there is none: `MEMPROF_HTTP` gets a line.
//!
//! Reports are written all the same, so the thread that writes them is started as elsewhere.

use crate::process::exit;

/// Starts memprof's thread.
#[inline]
pub(crate) fn start_threads() {
    exit::start_writer();
}
