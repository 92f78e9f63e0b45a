//! `memprof report`: the table of saved profiles, on stdout.
//!
//! What is asked for and is not there (a pattern that matches no row, a space) is an error and no empty table. Files
//! are read one after another and printed at once: an error in one leaves those before it printed. What the table says
//! is left to `memprof-report`.

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
  memprof report profile.json --callers Column::take        who called it, and for how many bytes
  memprof report profile.json --callees 'DataFrame::*'      what each of these called
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
    /// Instead of the table, the ways on which each of these functions was called, with the bytes of each way
    #[arg(long, value_name = "NAME", value_parser = |text: &str| Glob::scope("callers", text.to_owned()), conflicts_with_all = ["tree", "scope", "file"])]
    callers: Option<Glob>,
    /// Likewise what each of these functions called
    #[arg(long, value_name = "NAME", value_parser = |text: &str| Glob::scope("callees", text.to_owned()), conflicts_with_all = ["tree", "scope", "file"])]
    callees: Option<Glob>,
    /// Print the profile itself, for programs: a line of JSON for each file
    #[arg(long, conflicts_with_all = ["scope", "file", "callers", "callees", "order", "columns", "tree", "rows", "space"])]
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
        if let Some(glob) = &arguments.callers {
            report = report.callers(called(&snapshot, file, "--callers", glob)?);
        }
        if let Some(glob) = &arguments.callees {
            report = report.callees(called(&snapshot, file, "--callees", glob)?);
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
    let matches = |record: &Record| {
        scope.as_ref().is_none_or(|glob| glob.matches(&record.function))
            && file.as_ref().is_none_or(|glob| glob.matches(&record.file))
    };
    let options = [("--scope", scope), ("--file", file)].into_iter();
    let asked: Vec<String> =
        options.filter_map(|(name, glob)| Some(format!("{name} ‘{}’", glob.as_ref()?.text))).collect();
    names(snapshot, path, matches, &asked.join(" and ")).map(Some)
}

/// The names of the rows of which calls are asked for.
fn called(snapshot: &Snapshot, path: &Path, option: &str, glob: &Glob) -> Result<Vec<String>, Error> {
    names(snapshot, path, |record| glob.matches(&record.function), &format!("{option} ‘{}’", glob.text))
}

/// The names of the rows that match what was asked; an error where none does.
fn names(
    snapshot: &Snapshot,
    path: &Path,
    matches: impl Fn(&Record) -> bool,
    asked: &str,
) -> Result<Vec<String>, Error> {
    let records = snapshot.spaces().flat_map(|space| snapshot.records(space)).filter(|record| matches(record));
    let names: Vec<String> = records.map(|record| record.name.clone()).collect();
    if names.is_empty() {
        return Err(Error::File(format!("no row of ‘{}’ matches {asked}", path.display())));
    }
    Ok(names)
}
