//! What the command can be asked, and how a wrong call is answered. What a verb takes stands in the verb's own module.
//!
//! A wrong call does nothing: it is one line on stderr, in clap's words without its layout, and the status 2, of `run`
//! 125, below which statuses are the program's own. Whether output is coloured is decided here, once for the process.
//! `cargo memprof` has definitions of its own (`cargo/arguments`).

use std::{env, ffi::OsString, process::ExitCode};

use anstream::ColorChoice;
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::{
    check,
    completions::{CompletionsArguments, ManArguments},
    convert, diff,
    error::{Error, ended, say},
    init, merge,
    outcome::{NOT_STARTED, Outcome, WRONG},
    report, run, serve, top,
};

/// Reads what memprof measured: who needs how much memory, who holds it, and what is left.
#[derive(Debug, Parser)]
#[command(name = "memprof", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Colour in what is printed: on a terminal where `NO_COLOR` is not set, always, or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    color: Color,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub(crate) enum Command {
    Run(run::Arguments),
    Report(report::Arguments),
    Convert(convert::Arguments),
    Diff(diff::Arguments),
    Check(check::Arguments),
    Init(init::Arguments),
    Merge(merge::Arguments),
    Top(top::Arguments),
    Serve(serve::Arguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// All of it, for what is made of it.
pub(crate) fn definitions() -> clap::Command {
    Arguments::command()
}

/// What is answered instead of doing something.
#[derive(Debug)]
pub(crate) struct Answer(clap::Error);

/// The call's arguments. From here on everything is coloured as asked.
pub(crate) fn parse() -> Result<Command, Answer> {
    let Arguments { command, color } = Arguments::try_parse().map_err(Answer)?;
    ColorChoice::from(color).write_global();
    Ok(command)
}

impl Answer {
    /// Prints help and version to stdout; of a wrong call one line to stderr.
    pub(crate) fn give(&self) -> ExitCode {
        if let Some(shown) = show_help(&self.0) {
            return shown;
        }
        say(&without_layout(&self.0.to_string()));
        // As `env` has it: statuses below are the program's own.
        let is_run = verb(&definitions(), env::args_os().skip(1)).is_some_and(|verb| verb == "run");
        ExitCode::from(if is_run { NOT_STARTED } else { WRONG })
    }
}

/// Prints help or the version to stdout, and to stderr the help of a call without a verb; of both commands. `None`: the call is another wrong one.
pub(crate) fn show_help(error: &clap::Error) -> Option<ExitCode> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Some(ended(error.print().map(|()| Outcome::Done).map_err(Error::Output)))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Some(ExitCode::from(WRONG))
        }
        _ => None,
    }
}

/// The verb of a call, also of a wrong one: its first word that is no option nor the value of one.
pub(crate) fn verb(definitions: &clap::Command, mut words: impl Iterator<Item = OsString>) -> Option<OsString> {
    loop {
        let word = words.next()?;
        let Some(option) = word.to_str().and_then(|word| word.strip_prefix('-')) else { return Some(word) };
        let takes_the_next = |argument: &clap::Arg| {
            argument.get_action().takes_values() && argument.get_long() == option.strip_prefix('-')
        };
        if definitions.get_arguments().any(takes_the_next) {
            words.next();
        }
    }
}

/// clap's message without its layout: `error: ..`, further lines, an empty one, and how the command is used.
pub(crate) fn without_layout(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let told = message.split("\n\nUsage:").next().unwrap_or(message).split("\n\nFor more").next().unwrap_or(message);
    let lines: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; see memprof --help", lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_of_a_call_is_behind_options_and_their_values() {
        for (call, expected) in [
            ("run --bogus", Some("run")),
            ("--color never run --bogus", Some("run")),
            ("--color=never run", Some("run")),
            ("--bogus run", Some("run")),
            ("--color bogus report run", Some("report")),
            ("--color run", None),
            ("--version", None),
        ] {
            let found = verb(&definitions(), call.split(' ').map(OsString::from));
            assert_eq!(found, expected.map(OsString::from), "{call}");
        }
    }
}
