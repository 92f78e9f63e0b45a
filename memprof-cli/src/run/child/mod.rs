//! The program as a child process: run to its end, and told of the signals that reach the command meanwhile.
//!
//! An error is that it could not be started. A signal that would end the command does not, so that the program can be
//! waited for and its report shown; which signals, and which of them it is told of, is left to `unix`.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use self::elsewhere::run;
#[cfg(unix)]
pub(crate) use self::unix::run;
