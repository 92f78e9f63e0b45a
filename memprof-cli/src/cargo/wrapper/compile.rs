//! One run of the compiler, of which only what turns out to hold reaches cargo.
//!
//! Messages are kept until it ends: those of a try that failed are not the user's. That a file is done is said at once, since
//! cargo begins with what depends on it.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use super::diagnostics::Message;
use crate::cargo::state::State;

/// How it ended.
pub(super) enum Compiled {
    /// It is done, or failed by what is no message: its messages are told.
    Done(ExitStatus),
    /// It failed, with these errors.
    Failed(Failed),
}

/// The errors of a try.
pub(super) struct Failed {
    pub(super) status: ExitStatus,
    errors: Vec<Message>,
}

/// Where a global allocator stands.
pub(super) enum Other {
    /// In this crate, under a condition, or where the parser does not see it.
    Here,
    /// In the crate of this name.
    Dependency(String),
}

/// Runs it to its end.
pub(super) fn run(command: &mut Command) -> io::Result<Compiled> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let mut held = Vec::new();
    let mut errors = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            match Message::read(&line) {
                Some(message) if message.artifact.is_some() => tell(&[line])?,
                message => {
                    errors.extend(message.filter(Message::is_error));
                    held.push(line);
                }
            }
        }
    }
    let status = child.wait()?;
    if status.success() || errors.is_empty() {
        tell(&held)?;
        return Ok(Compiled::Done(status));
    }
    Ok(Compiled::Failed(Failed { status, errors }))
}

/// Says that the global allocator of crate `of` cannot be measured, and ends as the compiler did.
pub(super) fn conflict(of: &str, status: ExitStatus) -> io::Result<ExitStatus> {
    tell(&[format!(
        "error: memprof: the global allocator stands in the dependency ‘{of}’, which is not tracked, so memprof cannot measure it: add --deps {of}"
    )])?;
    Ok(status)
}

fn tell(lines: &[String]) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for line in lines {
        writeln!(stderr, "{line}")?;
    }
    Ok(())
}

impl Failed {
    /// Where another global allocator stands besides the one that was added.
    pub(super) fn other_allocator(&self) -> Option<Other> {
        self.errors.iter().find_map(|error| {
            if error.text.starts_with("cannot define multiple global allocators") {
                return Some(Other::Here);
            }
            let rest = error.text.strip_prefix("the `#[global_allocator]` in this crate conflicts with")?;
            let (_, of) = rest.split_once(" in: ")?;
            Some(Other::Dependency(of.trim().to_owned()))
        })
    }

    /// The tracked functions that the errors point to, by file and name.
    pub(super) fn functions(&self, state: &State, from: &Path) -> Vec<(PathBuf, String)> {
        let pointed: Vec<_> = self.errors.iter().flat_map(|error| error.pointed(from)).collect();
        let is_pointed_to = |path: &Path, first: u32, last: u32| {
            pointed.iter().any(|at| at.file == path && at.first <= last && first <= at.last)
        };
        let tracked = state.functions().filter(|(_, function)| function.reason.is_none());
        let found = tracked.filter(|(path, function)| is_pointed_to(path, function.first, function.last));
        found.map(|(path, function)| (path.to_owned(), function.name.clone())).collect()
    }
}
