//! One run of the compiler, of which only what turns out to hold reaches cargo.
//!
//! Messages are kept until it ends: those of a try that failed are not the user's. That a file is done is said at once, since
//! cargo begins with what depends on it.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use super::diagnostics::{Message, Pointed};
use crate::cargo::state::State;

/// How it ended, and what it said.
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    /// Its messages, until they are told.
    held: Vec<String>,
    errors: Vec<Message>,
    /// Whether cargo was told of the library's types, and goes on with what depends on it: no other try may change them.
    pub(super) has_told: bool,
}

/// Where a global allocator stands.
pub(super) enum Other {
    /// In this crate, under a condition, or where the parser does not see it.
    Here,
    /// In the crate of this name.
    Dependency(String),
}

/// Runs it to its end. Of a trial not even its files are told, before all is.
pub(super) fn run(command: &mut Command, is_trial: bool) -> io::Result<Ran> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let (mut held, mut errors, mut has_told) = (Vec::new(), Vec::new(), false);
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            match Message::read(&line) {
                Some(Message { artifact: Some(file), .. }) if !is_trial => {
                    tell(&[line])?;
                    has_told |= file.extension().is_some_and(|ending| ending == "rmeta");
                }
                message => {
                    errors.extend(message.filter(Message::is_error));
                    held.push(line);
                }
            }
        }
    }
    Ok(Ran { status: child.wait()?, held, errors, has_told })
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

impl Ran {
    /// Tells its messages, and ends so.
    pub(super) fn told(self) -> io::Result<ExitStatus> {
        tell(&self.held)?;
        Ok(self.status)
    }

    /// Whether it is done, or failed by what is no message.
    pub(super) fn is_final(&self) -> bool {
        self.status.success() || self.errors.is_empty()
    }

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

    /// The tracked functions that the errors point to, else those that their notes do, by file and key.
    pub(super) fn functions(&self, state: &State, from: &Path) -> Vec<(PathBuf, String)> {
        let found = functions_at(&self.errors.iter().flat_map(|error| error.pointed(from)).collect::<Vec<_>>(), state);
        if !found.is_empty() {
            return found;
        }
        functions_at(&self.errors.iter().flat_map(|error| error.noted(from)).collect::<Vec<_>>(), state)
    }
}

fn functions_at(pointed: &[Pointed], state: &State) -> Vec<(PathBuf, String)> {
    let is_pointed_to = |path: &Path, first: u32, last: u32| {
        pointed.iter().any(|at| at.file == path && at.first <= last && first <= at.last)
    };
    let tracked = state.functions().filter(|(_, function)| function.reason.is_none());
    let found = tracked.filter(|(path, function)| is_pointed_to(path, function.first, function.last));
    found.map(|(path, function)| (path.to_owned(), function.key.clone())).collect()
}
