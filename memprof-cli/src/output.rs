//! [`check`]: whether a report could be written to the file of `-o`, asked before the program runs for hours.

use std::{fs, path::Path};

use memprof_report::Format;

use crate::{error::Error, files, outcome::NOT_STARTED};

/// Refuses a file whose ending names no format, one in a folder that is not there or in which nothing can be written, and a folder.
pub(crate) fn check(output: Option<&Path>) -> Result<(), Error> {
    let Some(output) = output else { return Ok(()) };
    let problem =
        |problem: String| Err(Error::Start(NOT_STARTED, format!("cannot write ‘{}’: {problem}", output.display())));
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if Format::of(output).is_none() {
        return problem(format!("its ending names no format; accepted: {}", Format::endings()));
    }
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return problem(format!("there is no folder ‘{}’", folder.display()));
    }
    // A link is replaced, wherever it leads.
    if fs::symlink_metadata(output).is_ok_and(|kind| kind.is_dir()) {
        return problem("it is a folder".to_owned());
    }
    files::check(output).or_else(|error| problem(error.to_string()))
}
