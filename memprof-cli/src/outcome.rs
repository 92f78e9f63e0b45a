//! [`Outcome`]: how a verb ended, and the status that says so.
//!
//! Scripts and CI systems go by these statuses: 0 done, 1 judged and not holding, 2 a wrong call or file, 4 done
//! without a file that could not be read, 125 a program that was not run for a reason of the command's, 126 and 127 one
//! that the system did not run (`run`); else the program's own.

use std::process::ExitCode;

use crate::ended::Ended;

/// The call or a file was wrong.
pub(crate) const WRONG: u8 = 2;
/// A program was not run, for a reason of the command's own, as `env` has it.
pub(crate) const NOT_STARTED: u8 = 125;

/// How a verb ended that had nothing to complain of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and where something was judged: it holds.
    Done,
    /// Judged, and it does not hold.
    DoesNotHold,
    /// Done, but a file was left out.
    LeftOut,
    /// As the program that was run.
    Ended(Ended),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::DoesNotHold => ExitCode::from(1),
            Outcome::LeftOut => ExitCode::from(4),
            Outcome::Ended(ended) => ended.end(),
        }
    }
}
