//! `cargo memprof`: any cargo program, measured without a change to it.
//!
//! cargo builds the program as ever, but calls this program in the compiler's place ([`wrapper`]), which compiles the crates that are
//! tracked from a copy of their sources with `#[memprof::track]` on their functions ([`mirror`], [`source`]). memprof itself is compiled from
//! sources that the command carries ([`runtime`]). Nothing is ever written where the sources stand.
//!
//! | module, lower ones first | what it does |
//! |---|---|
//! | `source` | which functions there are, which are tracked, and the text with that in it |
//! | `place` | a folder in which nothing is written through a link |
//! | `plan` | what a build is to do |
//! | `state` | what is known of a package between builds |
//! | `mirror` | the copy of a package |
//! | `wrapper` | the compiler's place |
//! | `config`, `compiler` | what cargo is told, and which compiler it uses |
//! | `options`, `split`, `arguments` | the calls |
//! | `spec`, `linked` | which packages are meant, and which are in the programs |
//! | `packages` | what the program is made of |
//! | `runtime` | memprof, compiled |
//! | `calibration` | what earlier runs showed |
//! | `build` | a call of cargo, as planned |
//! | `told` | what a report is told of it |
//! | `verbs` | what each verb does |

mod source;
mod place;
mod plan;
mod state;
mod mirror;
mod wrapper;
mod config;
mod compiler;
mod options;
mod split;
mod arguments;
mod spec;
mod linked;
mod packages;
mod runtime;
mod calibration;
mod build;
mod told;
mod verbs;

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

pub(crate) use self::arguments::definitions;
use self::plan::Plan;
pub use self::runtime::Carried;
use crate::{
    arguments::{show_help, verb, without_layout},
    error::{Error, ended, say},
    outcome::{NOT_STARTED, WRONG},
};

/// Does what the process was called with: by cargo in the compiler's place, or as `cargo memprof VERB ..`.
pub(crate) fn main(carried: Carried) -> ExitCode {
    let mut words: Vec<OsString> = env::args_os().skip(1).collect();
    if let Some(plan) = Plan::of_call() {
        return plan.and_then(|plan| wrapper::run(&plan)).unwrap_or_else(|error| {
            say(&error);
            ExitCode::FAILURE
        });
    }
    // cargo gives a subcommand its own name first.
    if words.first().is_some_and(|word| word == "memprof") {
        words.remove(0);
    }
    let ends_as_cargo = verb(&definitions(), words.iter().cloned())
        .is_some_and(|verb| ["run", "test", "bench"].into_iter().any(|one| verb == one));
    let verb = match arguments::parse(words) {
        Ok(verb) => verb,
        Err(error) => return answer(&error, if ends_as_cargo { NOT_STARTED } else { WRONG }),
    };
    let mut out = io::stdout().lock();
    let done = verbs::run(&verb, carried, &mut out);
    ended(done.and_then(|outcome| out.flush().map(|()| outcome).map_err(Error::Output)))
}

/// Help and version go to stdout; of a wrong call one line to stderr, and this status.
fn answer(error: &clap::Error, status: u8) -> ExitCode {
    if let Some(shown) = show_help(error) {
        return shown;
    }
    say(&without_layout(&error.to_string()).replace("memprof --help", "cargo memprof --help"));
    ExitCode::from(status)
}
