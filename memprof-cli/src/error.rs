//! [`Error`]: what went wrong, in one line.

use std::{fmt, io};

use crate::outcome::WRONG;

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
    /// The status that the command ends with.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Error::File(_) | Error::Output(_) => WRONG,
            Error::Start(status, _) => *status,
        }
    }
}

impl std::error::Error for Error {}

/// One line on stderr, as far as stderr takes it.
#[expect(clippy::print_stderr, reason = "where a command says what is wrong")]
pub(crate) fn say(message: &dyn fmt::Display) {
    eprintln!("memprof: {message}");
}
