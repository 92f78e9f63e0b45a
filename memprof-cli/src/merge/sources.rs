//! The files that a call names, itself or in a list.
//!
//! The order is the call's, a list standing where it is named, and a file that is named twice is there twice. Whether
//! the files are there is left to who reads them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// The names of the call, with those in the file at `LIST` for `@LIST` and those on stdin for `@-`: one a line, without blanks
/// around it; an empty line is none.
pub(crate) fn names(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut names = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(|name| name.strip_prefix('@')) {
            Some(list) => names.extend(listed(list)?),
            None => names.push(argument.clone()),
        }
    }
    Ok(names)
}

fn listed(list: &str) -> Result<Vec<PathBuf>, Error> {
    let text = if list == "-" { io::read_to_string(io::stdin()) } else { fs::read_to_string(Path::new(list)) };
    let text = text.map_err(|error| Error::File(format!("cannot read the list ‘{list}’: {error}")))?;
    let names: Vec<PathBuf> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(PathBuf::from).collect();
    if names.is_empty() {
        return Err(Error::File(format!("the list ‘{list}’ names no file; accepted: one name a line")));
    }
    Ok(names)
}
