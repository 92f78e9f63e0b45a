//! What the command can be asked, and how a wrong call is answered. What a verb takes stands in the verb's own module.

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::{check, convert, diff, error::say, init, merge, outcome::WRONG, report};

/// Reads what memprof measured: who needs how much memory, who holds it, and what is left.
#[derive(Debug, Parser)]
#[command(name = "memprof", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Report(report::Arguments),
    Convert(convert::Arguments),
    Diff(diff::Arguments),
    Check(check::Arguments),
    Init(init::Arguments),
    Merge(merge::Arguments),
}

/// What is answered instead of doing something.
#[derive(Debug)]
pub(crate) struct Answer(clap::Error);

/// The call's arguments.
pub(crate) fn parse() -> Result<Command, Answer> {
    Arguments::try_parse().map(|arguments| arguments.command).map_err(Answer)
}

impl Answer {
    /// Prints help and version to stdout; of a wrong call one line to stderr.
    pub(crate) fn give(&self) -> ExitCode {
        if matches!(self.0.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // Where stdout is closed, nobody reads it.
            let _ = self.0.print();
            return ExitCode::SUCCESS;
        }
        if self.0.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let _ = self.0.print();
            return ExitCode::from(WRONG);
        }
        say(&one_line(&self.0.to_string()));
        ExitCode::from(WRONG)
    }
}

/// clap's message without its layout: `error: ..`, further lines, an empty one, and how the command is used.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let told = message.split("\n\nUsage:").next().unwrap_or(message).split("\n\nFor more").next().unwrap_or(message);
    let lines: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; see memprof --help", lines.join(" "))
}
