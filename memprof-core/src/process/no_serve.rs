//! The endpoint, where there is none: `MEMPROF_HTTP` gets a line.

use crate::process::exit;

/// Starts memprof's thread.
#[inline]
pub(crate) fn start_threads() {
    exit::start_writer();
}
