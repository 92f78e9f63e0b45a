//! The command `memprof`: what was measured, read from saved profiles.
//!
//! It sees `memprof-report` alone: no recorder, no allocator of its own. Data goes to stdout, words to stderr. It ends with 0 when it is
//! done, and with 2 when the call or a file was wrong, after one line that names what was wrong and what is accepted.

mod arguments;
mod error;
mod profile;

mod convert;
mod report;

use std::io::{self, Write as _};
use std::process::ExitCode;

use arguments::Command;
use error::Error;

/// The call or a file was wrong.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let command = match arguments::parse() {
        Ok(command) => command,
        Err(answer) => return answer.give(),
    };
    let mut out = io::stdout().lock();
    let done = match &command {
        Command::Report(arguments) => report::run(arguments, &mut out),
        Command::Convert(arguments) => convert::run(arguments),
    };
    match done.and_then(|()| out.flush().map_err(Error::Output)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read it has seen enough: `memprof report x.json | head`.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            error::say(&error);
            ExitCode::from(WRONG)
        }
    }
}
