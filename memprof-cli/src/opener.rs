//! [`open()`]: what `--open` does, with whatever the user's machine has for it.

use std::ffi::OsStr;

use crate::error::say;

/// Has the program that is set up for it open a file or an address, and does not wait for that. Where there is none, a line says so: the file is
/// there nevertheless, and the page served.
pub(crate) fn open(what: impl AsRef<OsStr>) {
    let what = what.as_ref();
    // Why is not told: it is about one of several launchers that were tried, and means nothing to a reader.
    if open::that_detached(what).is_err() {
        say(&format_args!("cannot open ‘{}’: no program is set up for it on this machine", what.display()));
    }
}
