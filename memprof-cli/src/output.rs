//! Whether a file that a call names could be written, asked before any work is done for it: before the program runs for hours, before thousands
//! of profiles are read.

use std::{fs, path::Path};

use memprof_report::{__common::check_file, DiffReport, Format};

use crate::error::Error;

/// Refuses what no report could be written to: a file whose ending names no format, and those that [`check_place`] refuses.
pub(crate) fn check(output: &Path) -> Result<(), Error> {
    if Format::of(output).is_none() {
        return Err(refused(output, &format!("its ending names no format; accepted: {}", Format::endings())));
    }
    check_place(output)
}

/// Likewise for differences, which fewer formats show.
pub(crate) fn check_differences(output: &Path) -> Result<(), Error> {
    if !Format::of(output).is_some_and(|format| DiffReport::FORMATS.contains(&format)) {
        let endings: Vec<&str> = DiffReport::FORMATS.iter().map(|format| format.ending()).collect();
        let problem = format!("its ending names no format of differences; accepted: {}", endings.join(", "));
        return Err(refused(output, &problem));
    }
    check_place(output)
}

/// Refuses a file in a folder that is not there or in which nothing can be written, and a folder.
pub(crate) fn check_place(output: &Path) -> Result<(), Error> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(refused(output, &format!("there is no folder ‘{}’", folder.display())));
    }
    // A link is replaced, wherever it leads.
    if fs::symlink_metadata(output).is_ok_and(|kind| kind.is_dir()) {
        return Err(refused(output, "it is a folder"));
    }
    check_file(output).map_err(|error| refused(output, &error.to_string()))
}

fn refused(output: &Path, problem: &str) -> Error {
    Error::File(format!("cannot write ‘{}’: {problem}", output.display()))
}
