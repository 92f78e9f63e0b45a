//! The command `memprof`: what was measured, read from saved profiles. A library only so that its binaries share it: nothing of it is
//! for other programs.
//!
//! It sees `memprof-report` alone: no recorder, no allocator of its own. Data goes to stdout, words to stderr. How it ends is
//! said in the module `outcome`; a wrong call or file is one line that names what was wrong and what is accepted.
//!
//! A verb is a module: its arguments with their help, and a function `run`.

mod ended;
mod outcome;

mod error;
mod glob;
mod opener;
mod output;
mod profile;
mod words;

mod choices;

mod live;

mod check;
mod completions;
mod convert;
mod diff;
mod init;
mod merge;
mod report;
mod serve;
mod top;

mod run;

mod arguments;

mod cargo;

use std::io::{self, Write as _};
use std::process::ExitCode;

use arguments::Command;
use error::Error;

pub use cargo::Carried;

/// Does what `cargo memprof` was called with, and gives its status. `carried` are the sources of what it compiles into programs.
pub fn cargo_memprof(carried: Carried) -> ExitCode {
    cargo::main(carried)
}

/// What both commands can be asked.
fn definitions() -> [clap::Command; 2] {
    [arguments::definitions(), cargo::definitions()]
}

/// Does what the process was called with, and gives its status.
pub fn memprof() -> ExitCode {
    let command = match arguments::parse() {
        Ok(command) => command,
        Err(answer) => return answer.give(),
    };
    let mut out = io::stdout().lock();
    let done = match &command {
        Command::Report(arguments) => report::run(arguments, &mut out),
        Command::Run(arguments) => run::run(arguments),
        Command::Convert(arguments) => convert::run(arguments),
        Command::Diff(arguments) => diff::run(arguments, &mut out),
        Command::Check(arguments) => check::run(arguments, &mut out),
        Command::Init(arguments) => init::run(arguments),
        Command::Merge(arguments) => merge::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Top(arguments) => top::run(arguments),
        Command::Completions(arguments) => completions::completions(arguments, definitions(), &mut out),
        Command::Man(arguments) => completions::man(arguments, definitions()),
    };
    error::ended(done.and_then(|outcome| out.flush().map(|()| outcome).map_err(Error::Output)))
}
