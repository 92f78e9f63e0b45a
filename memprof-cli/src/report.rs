//! `memprof report`: the table of saved profiles, on stdout.

use std::{io::Write, path::PathBuf};

use clap::Args;

use crate::{
    choices::Choices,
    error::Error,
    outcome::Outcome,
    profile::{check_space, read},
};

/// Prints the table of saved profiles.
///
/// A profile is the `.json` that a program writes with `MEMPROF=1 MEMPROF_OUTPUT=profile.json`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof report profile.json                               the table that the program itself would print
  memprof report profile.json --order live --rows 10        the ten that hold most now
  memprof report profile.json --tree                        who held it at the peak, by who called whom
  memprof report profile.json --columns at_peak,live,name   who held it at the peak, and who holds it still")]
pub(crate) struct Arguments {
    /// Saved profiles, `.json`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this space: host, pinned, managed, cuda:0, or one that the program names
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,
    #[command(flatten)]
    choices: Choices,
}

/// Prints the report of each file; where there are several, under its name.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    for (index, file) in arguments.files.iter().enumerate() {
        let snapshot = read(file)?;
        check_space(&snapshot, file, arguments.space.as_deref())?;
        if arguments.files.len() > 1 {
            let between = if index == 0 { "" } else { "\n" };
            writeln!(out, "{between}==> {} <==\n", file.display()).map_err(Error::Output)?;
        }
        let mut report = arguments.choices.report(&snapshot);
        if let Some(space) = &arguments.space {
            report = report.space(space);
        }
        report.write(out).map_err(Error::Output)?;
    }
    Ok(Outcome::Done)
}
