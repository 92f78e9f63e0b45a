//! [`Ended`]: how a program that was run ended, and how the command ends as it did.
//!
//! A signal that ended the program ends the command too, so a shell or a CI system sees of the command what it would
//! see of the program; the image of memory is the program's alone. Which statuses the command has of its own is left to
//! [`outcome`](crate::outcome).

use std::process::ExitCode;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};
#[cfg(unix)]
use signal_hook::{
    consts::SIGKILL,
    low_level::{emulate_default_handler, signal_name},
};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this status.
    Code(u8),
    /// By this signal.
    #[cfg(unix)]
    Signal(i32),
}

impl Ended {
    /// The name of the signal that killed it.
    pub(crate) fn killed_by(self) -> Option<&'static str> {
        match self {
            Ended::Code(_) => None,
            #[cfg(unix)]
            Ended::Signal(signal) => Some(signal_name(signal).unwrap_or("a signal")),
        }
    }

    /// Ends this process in the same way; a signal that does not end it becomes a status, as in a shell.
    pub(crate) fn end(self) -> ExitCode {
        match self {
            Ended::Code(code) => ExitCode::from(code),
            #[cfg(unix)]
            Ended::Signal(signal) => {
                // The program has left its image of memory, if any; a second one would be of this command.
                let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
                if signal == SIGKILL {
                    let _ = kill_process(getpid(), Signal::KILL);
                }
                let _ = emulate_default_handler(signal);
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
            }
        }
    }
}
