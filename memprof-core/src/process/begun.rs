//! A file that is there while memprof measures in this process and was not yet asked for the last report: for whoever started it, as `memprof run`
//! does, and wants to know why there is no report.
//!
//! | the process | the file |
//! |---|---|
//! | begins to measure | is written, where [`VARIABLE`] names a folder |
//! | ends by `exit`, or by a signal at which the last report is written | is removed |
//! | ends by `_exit` or SIGKILL, or becomes another program | stays |
//! | is a forked child | is the parent's, and left alone: a child has none, and ends by `_exit` as a rule |
//!
//! Nothing depends on it: where it cannot be written, whoever started the process says less.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::OnceLock;

use memprof_report::__common::begun::{VARIABLE, file_name};

use crate::base::identity;
use crate::base::platform;
use crate::process::writer;

/// The file, once it is there.
static FILE: OnceLock<CString> = OnceLock::new();

/// Writes it, at the start. An event of the process is in the midst of its work: nothing here takes a lock of the standard library's.
pub(crate) fn note() {
    let Some(folder) = platform::variable(VARIABLE) else { return };
    let path = PathBuf::from(folder).join(file_name(std::process::id()));
    if let Ok(name) = CString::new(path.as_os_str().as_encoded_bytes())
        && std::fs::write(&path, identity::program()).is_ok()
    {
        let _is_noted_once = FILE.set(name);
    }
}

/// The end was met: removes it. For a signal handler too, and inside the recorder's own work: neither allocates nor locks.
pub(crate) fn end() {
    if let Some(name) = FILE.get()
        && !writer::is_forked()
    {
        platform::remove(name);
    }
}
