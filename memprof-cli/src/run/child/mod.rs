//! The program as a child process: run to its end, and told of the signals that reach the command meanwhile.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use self::elsewhere::run;
#[cfg(unix)]
pub(crate) use self::unix::run;
