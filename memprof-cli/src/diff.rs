//! `memprof diff`: what changed from one saved profile to another.
//!
//! It judges nothing: the status is 0 whatever changed, and a limit is `check`'s. All outputs of a call are of one
//! comparison, and their names are checked before a profile is read. How rows are matched and what is said of them is
//! left to `memprof-report`.

use std::{io::Write, path::PathBuf};

use clap::Args;
use memprof_report::{Diff, DiffReport, Field, Format, Measure};

use crate::{
    error::Error,
    outcome::Outcome,
    output,
    profile::{has_no_space, read},
    words::{amount, measure},
};

/// Says what grew, shrank, came and went from one saved profile to another.
///
/// Sites are matched by file (of a registry crate without its version), function and name, so that a moved line and an upgrade
/// are no difference. Of two snapshots of one process it says what grew between them. It ends with 0 whatever changed: to fail
/// a build, use `memprof check`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof diff base.json new.json                              what is worse, by how much, and where
  memprof diff base.json new.json --order memory_total         by all that was allocated
  memprof diff base.json new.json -o diff.md -o diff.html      for a pull request, and a page to click through
  memprof diff base.json new.json -o diff.svg --measure live   a flame graph of the differences")]
pub(crate) struct Arguments {
    /// The saved profile before, `.json`
    #[arg(value_name = "BASE")]
    base: PathBuf,
    /// The saved profile after
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// A file to write instead of printing: .txt, .md, .html, .svg or .json; may be given several times
    #[arg(short, long, value_name = "OUT")]
    output: Vec<PathBuf>,
    /// Compare by this field of a record, the greatest change first [default: `memory_peak`; of one process `live`]
    #[arg(long, value_name = "FIELD", value_parser = amount)]
    order: Option<Field>,
    /// Show the differences of these fields too, with commas between them
    #[arg(long, value_name = "FIELDS", value_parser = amount, value_delimiter = ',')]
    columns: Option<Vec<Field>>,
    /// At most this many rows a table; a line says how many are left out
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// What places and flame graph are about: `at_peak`, `live` or `self_total`
    #[arg(long, value_name = "MEASURE", value_parser = measure)]
    measure: Option<Measure>,
    /// Only this space: host, pinned, managed, cuda:0, or one that the program names
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,
    /// Print it as JSON, for programs
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// Prints the differences, or writes them to files.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    // Before large profiles are read.
    arguments.output.iter().try_for_each(|path| output::check_differences(path))?;
    let diff = read(&arguments.new)?.diff(&read(&arguments.base)?);
    if let Some(asked) = arguments.space.as_deref().filter(|asked| !diff.spaces().any(|space| space == *asked)) {
        return Err(has_no_space(diff.spaces(), &arguments.new, asked));
    }
    let report = report(arguments, &diff);
    for path in &arguments.output {
        report.write_to(path).map_err(|error| Error::File(error.to_string()))?;
    }
    if arguments.output.is_empty() {
        let format = if arguments.json { Format::Json } else { Format::Text };
        report.format(format).write(out).map_err(Error::Output)?;
    }
    Ok(Outcome::Done)
}

fn report<'a>(arguments: &Arguments, diff: &'a Diff) -> DiffReport<'a> {
    let mut report = diff.report().names(arguments.base.to_string_lossy(), arguments.new.to_string_lossy());
    if let Some(field) = arguments.order {
        report = report.order(field);
    }
    if let Some(fields) = &arguments.columns {
        report = report.columns(fields.iter().copied());
    }
    if let Some(most) = arguments.rows {
        report = report.rows(most);
    }
    if let Some(measure) = arguments.measure {
        report = report.measure(measure);
    }
    if let Some(space) = &arguments.space {
        report = report.space(space);
    }
    report
}
