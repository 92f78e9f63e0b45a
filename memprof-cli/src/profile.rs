//! Saved profiles, read from files, with one line for whatever is wrong with one.
//!
//! All profiles are read here, of files and of programs that run, so what is wrong with one is said in the same words.
//! Whatever a file holds, it is read or refused, never a panic. Which versions of a profile are understood is left to
//! `memprof-report`.

use std::{fs, path::Path};

use memprof_report::Snapshot;
use serde_json::error::Category;

use crate::error::Error;

/// What is accepted where a profile is wanted.
const ACCEPTED: &str = "accepted: a profile that memprof wrote, with MEMPROF=1 MEMPROF_OUTPUT=profile.json";

/// Reads the profile at `path`. What it takes of memory is in proportion to the file.
pub(crate) fn read(path: &Path) -> Result<Snapshot, Error> {
    let problem = |what: String| Error::File(format!("cannot read ‘{}’: {what}", path.display()));
    let bytes = fs::read(path).map_err(|error| problem(error.to_string()))?;
    parse(&bytes).map_err(|what| problem(format!("{what}; {ACCEPTED}")))
}

/// The profile that `bytes` hold, or what is wrong with them.
pub(crate) fn parse(bytes: &[u8]) -> Result<Snapshot, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Eof => format!("it ends before the profile does, after {} bytes", bytes.len()),
        Category::Syntax => format!("it is no JSON: {error}"),
        Category::Data | Category::Io => format!("it is no profile: {error}"),
    })
}

/// Refuses a space that the profile does not have.
pub(crate) fn check_space(snapshot: &Snapshot, path: &Path, space: Option<&str>) -> Result<(), Error> {
    let unknown = space.filter(|asked| !snapshot.spaces().any(|space| space == *asked));
    unknown.map_or(Ok(()), |asked| Err(has_no_space(snapshot.spaces(), path, asked)))
}

/// That a profile has other spaces than the one that is asked for.
pub(crate) fn has_no_space<'a>(spaces: impl Iterator<Item = &'a str>, path: &Path, asked: &str) -> Error {
    let spaces: Vec<&str> = spaces.collect();
    Error::File(format!(
        "‘{}’ has no space ‘{asked}’ in which anything happened; accepted: {}",
        path.display(),
        if spaces.is_empty() { "none, nothing was measured".to_owned() } else { spaces.join(", ") }
    ))
}
