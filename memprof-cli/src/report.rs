//! `memprof report`: the table of saved profiles, on stdout.

use std::{io::Write, path::PathBuf};

use clap::Args;
use memprof_report::{Asker, Field};

use crate::{
    error::Error,
    outcome::Outcome,
    profile::{check_space, read},
    words::field,
};

/// Prints the table of saved profiles.
///
/// A profile is the `.json` that a program writes with `MEMPROF=1 MEMPROF_OUTPUT=profile.json`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
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
    /// Order by this field of a record, greatest first
    #[arg(long, value_name = "FIELD", value_parser = field)]
    order: Option<Field>,
    /// Show these fields, in this order, with commas between them
    #[arg(long, value_name = "FIELDS", value_parser = field, value_delimiter = ',')]
    columns: Option<Vec<Field>>,
    /// The call tree, indented, instead of the flat table; `--order live` or `total` for another one than at the peak
    #[arg(long)]
    tree: bool,
    /// At most this many rows a table; a line says how many are left out
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
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
        let mut report = snapshot.report().asker(Asker::Command).tree(arguments.tree);
        if let Some(space) = &arguments.space {
            report = report.space(space);
        }
        if let Some(field) = arguments.order {
            report = report.order(field);
        }
        if let Some(fields) = &arguments.columns {
            report = report.columns(fields.iter().copied());
        }
        if let Some(most) = arguments.rows {
            report = report.rows(most);
        }
        report.write(out).map_err(Error::Output)?;
    }
    Ok(Outcome::Done)
}
