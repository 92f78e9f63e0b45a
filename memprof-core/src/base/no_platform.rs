//! Without the recorder nothing is asked of the system: no setting is read, no thread started, no call made at the end.
//!
//! Every name of `platform` is here with the same signature, so that nothing above it asks which of the two it has.
//! Only [`print_line`] does anything: an allocator's crate may have something to say though nothing is recorded.

use core::ffi::{CStr, c_int};
use std::ffi::OsString;
use std::io::Write as _;
use std::time::Duration;

/// No variable is set, whatever the environment says.
pub(crate) fn variable(_name: &str) -> Option<OsString> {
    None
}

pub(crate) fn with_variable(_name: &CStr, _ask: impl FnOnce(&str) -> bool) -> bool {
    false
}

pub(crate) fn variable_names() -> Vec<OsString> {
    Vec::new()
}

pub(crate) fn signal(_name: &str) -> Option<c_int> {
    None
}

/// Writes to stderr, as far as it takes it: a failure to complain is not complained of.
pub(crate) fn print(text: &str) {
    let _refused = std::io::stderr().write_all(text.as_bytes());
}

/// Writes one line to stderr.
pub fn print_line(line: &str) {
    print(&format!("{line}\n"));
}

/// No thread is started. The caller says so as it would of a system that refused.
pub(crate) fn spawn(_stack: usize, _body: fn()) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

pub(crate) fn block_signals() {}

pub(crate) fn remove(_file: &CStr) {}

pub(crate) fn at_exit(_call: extern "C" fn()) {}

#[cfg(unix)]
pub(crate) fn around_fork(_before: extern "C" fn(), _parent: extern "C" fn(), _child: extern "C" fn()) {}

/// No limit is known.
pub(crate) fn address_space() -> u64 {
    u64::MAX
}

pub(crate) fn memory() -> Option<u64> {
    None
}

/// No time is known.
pub(crate) fn processor_time() -> Option<Duration> {
    None
}
