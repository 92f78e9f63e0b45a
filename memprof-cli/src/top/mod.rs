//! `memprof top`: who holds the memory of a program that runs, looked at again and again.
//!
//! [`view`] is what is looked at and chosen, [`draw`] how it looks, both plain values; [`screen`] is the terminal and the clock.

mod view;

mod draw;

#[cfg(unix)]
mod signals;

mod screen;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use clap::Args;

pub(crate) use self::{
    screen::{Ended as ScreenEnded, Screen},
    view::View,
};
use crate::{ended::Ended, error::Error, live::Source, outcome::Outcome, words::time};

/// Shows who holds the memory of a program that runs, and what grows.
///
/// PROGRAM is the id of a process that answers, its address, or a file that it writes again and again; left out, it is the one process
/// that answers on this machine. A program answers with `MEMPROF=1 MEMPROF_HTTP=127.0.0.1:0`, and writes with
/// `MEMPROF_INTERVAL=10s MEMPROF_OUTPUT=profile.json`. Where it has a `MEMPROF_HTTP_TOKEN`, set it here too.
///
/// Keys: arrows and Page Up and Down move; < and > pick the column to order by, r turns the order round; / filters by name; Tab shows
/// the next space (host, cuda:0, ..); Space stops and goes on; 0 counts growth from now on; q ends.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof top                          the one program that answers here
  memprof top 4711                     the process of this id
  memprof top http://127.0.0.1:6060    an address, as the program says it on stderr; also unix:PATH
  memprof top profile.json             a file that the program writes again and again")]
pub(crate) struct Arguments {
    /// A process id, an address, or a saved profile
    #[arg(value_name = "PROGRAM")]
    program: Option<String>,
    /// How often to look
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    interval: Duration,
}

/// Shows it until somebody ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let source = Source::find(arguments.program.as_deref())?;
    // What is wrong at the start is said, and nothing shown.
    let first = source.look().map_err(Error::File)?;
    if !is_terminal() {
        let problem = "top needs a terminal for stdin and stdout; without one, memprof report prints a saved profile";
        return Err(Error::File(problem.to_owned()));
    }
    let mut view = View::new(source.name());
    view.look(first);
    match Screen::new().show(&mut view, source, arguments.interval).map_err(Error::Output)? {
        ScreenEnded::Left | ScreenEnded::Interrupted | ScreenEnded::Over => Ok(Outcome::Done),
        #[cfg(unix)]
        ScreenEnded::Signal(signal) => Ok(Outcome::Ended(Ended::Signal(signal))),
    }
}

/// Whether there is somebody to look at it and to press keys.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}
