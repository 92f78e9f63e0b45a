//! `memprof report`: the table of saved profiles, on stdout.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use memprof_report::{Format, Record, Snapshot};

use crate::{
    choices::Choices,
    error::Error,
    glob::Glob,
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
  memprof report profile.json --scope 'DataFrame::*'        only these functions
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
    /// Only rows of these functions: a glob, in which * stands for anything
    #[arg(long, value_name = "GLOB", value_parser = |text: &str| Glob::scope("scope", text.to_owned()), conflicts_with = "tree")]
    scope: Option<Glob>,
    /// Only rows of these files: * does not cross a slash, ** does
    #[arg(long, value_name = "GLOB", value_parser = |text: &str| Glob::file("file", text.to_owned()), conflicts_with = "tree")]
    file: Option<Glob>,
    /// Print the profile itself, for programs: a line of JSON for each file
    #[arg(long, conflicts_with_all = ["scope", "file", "order", "columns", "tree", "rows", "space"])]
    json: bool,
}

/// Prints the report of each file; where there are several, under its name.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    for (index, file) in arguments.files.iter().enumerate() {
        let snapshot = read(file)?;
        check_space(&snapshot, file, arguments.space.as_deref())?;
        if arguments.json {
            snapshot.report().format(Format::Json).write(out).map_err(Error::Output)?;
            continue;
        }
        if arguments.files.len() > 1 {
            let between = if index == 0 { "" } else { "\n" };
            writeln!(out, "{between}==> {} <==\n", file.display()).map_err(Error::Output)?;
        }
        let mut report = arguments.choices.report(&snapshot);
        if let Some(space) = &arguments.space {
            report = report.space(space);
        }
        if let Some(names) = wanted(arguments, &snapshot, file)? {
            report = report.only(names);
        }
        report.write(out).map_err(Error::Output)?;
    }
    Ok(Outcome::Done)
}

/// The names of the rows that are asked for, where not all are.
fn wanted(arguments: &Arguments, snapshot: &Snapshot, path: &Path) -> Result<Option<Vec<String>>, Error> {
    let Arguments { scope, file, .. } = arguments;
    if scope.is_none() && file.is_none() {
        return Ok(None);
    }
    let matches = |record: &&Record| {
        scope.as_ref().is_none_or(|glob| glob.matches(&record.function))
            && file.as_ref().is_none_or(|glob| glob.matches(&record.file))
    };
    let records = snapshot.spaces().flat_map(|space| snapshot.records(space));
    let names: Vec<String> = records.filter(matches).map(|record| record.name.clone()).collect();
    if names.is_empty() {
        let options = [("--scope", scope), ("--file", file)].into_iter();
        let asked: Vec<String> =
            options.filter_map(|(name, glob)| Some(format!("{name} ‘{}’", glob.as_ref()?.text))).collect();
        return Err(Error::File(format!("no row of ‘{}’ matches {}", path.display(), asked.join(" and "))));
    }
    Ok(Some(names))
}
