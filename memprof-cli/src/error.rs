//! [`Error`]: what went wrong, in one line.
//!
//! An error gives the status that the command ends with; those of verbs that did what was asked are
//! [`outcome`](crate::outcome)'s. What a verb says on stderr goes through [`say`], which never fails: where stderr
//! takes nothing, the verb goes on.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use crate::outcome::{NOT_STARTED, Outcome, WRONG};

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) enum Error {
    /// A file, or what it holds, was wrong: what was attempted, with what, and what is accepted.
    File(String),
    /// A program could not be run: the status that says so, and why.
    Start(u8, String),
    /// The output would not be written.
    Output(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File(message) | Error::Start(_, message) => f.write_str(message),
            Error::Output(error) => write!(f, "cannot write to stdout: {error}"),
        }
    }
}

impl Error {
    /// The same, as the reason why a program was not run.
    pub(crate) fn before_the_start(self) -> Self {
        match self {
            Error::File(message) => Error::Start(NOT_STARTED, message),
            other => other,
        }
    }

    /// The status that the command ends with.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Error::File(_) | Error::Output(_) => WRONG,
            Error::Start(status, _) => *status,
        }
    }
}

impl std::error::Error for Error {}

/// What a command ends with; an error is said.
pub(crate) fn ended(done: Result<Outcome, Error>) -> ExitCode {
    match done {
        Ok(outcome) => outcome.into(),
        // Whoever read it has seen enough: `memprof report x.json | head`.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done.into(),
        Err(error) => {
            say(&error);
            ExitCode::from(error.status())
        }
    }
}

/// One line on stderr, as far as stderr takes it.
pub(crate) fn say(message: &dyn fmt::Display) {
    // Where it does not (a full disk, a reader that is gone), there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "memprof: {message}");
}

/// What a tool of Rust's said on stderr, as one line: without `error: ` in front, and without its own call stack.
pub(crate) fn in_one_line(said: &str) -> String {
    let said = said.split("\nStack backtrace:").next().unwrap_or_default().trim();
    let lines = said.strip_prefix("error: ").unwrap_or(said).lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rustup says it where `RUST_BACKTRACE` is set.
    #[test]
    fn a_tools_words_are_one_line_without_its_call_stack() {
        let said = "error: toolchain '1.2.3' is not installed\nhelp: run `rustup toolchain install`\n\nStack backtrace:\n   0: main\n";
        assert_eq!(in_one_line(said), "toolchain '1.2.3' is not installed help: run `rustup toolchain install`");
        let caused = "error: failed to parse\n\nCaused by:\n  no name\n";
        assert_eq!(in_one_line(caused), "failed to parse Caused by: no name");
    }
}
