//! Where there are no signals.
//!
//! Nothing is handed on to the program, and a status that is no byte is 1.

use std::{io, process::Command};

use crate::ended::Ended;

/// Runs it to its end: its process id, and how it ended.
pub(crate) fn run(command: &mut Command) -> io::Result<(u32, Ended)> {
    let mut child = command.spawn()?;
    let status = child.wait()?;
    Ok((child.id(), Ended::Code(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))))
}
