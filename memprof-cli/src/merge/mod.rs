//! `memprof merge`: one profile out of those of many processes, in memory that does not grow with their number.
//!
//! Files are read side by side and taken in one after another, in the order of the call, so that the same call gives the same
//! profile. A file that cannot be read is named and left out, and the status says so.

mod medians;
mod reader;
mod sources;

use std::{io, path::PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use memprof_report::{Merge, Snapshot};

use self::medians::Medians;
use crate::{
    error::{Error, say},
    outcome::Outcome,
    output,
};

/// Merges the profiles of ranks, workers or runs into one.
///
/// What adds up is summed; of peaks the greatest counts, and `peak_sum` is their sum. Each row has the least, the median and the
/// greatest of `memory_peak` and `live`, and which process has them: its `MEMPROF_LABEL`, else its file. A file that cannot be read is
/// named and left out, and the command ends with 4.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof merge rank-0.json rank-1.json -o fleet.json    then: memprof report fleet.json
  memprof merge @files.txt -o fleet.html                 the names in a file, one a line; @- is stdin
  memprof merge @files.txt -o fleet.json --strict        end at the first file that cannot be read")]
pub(crate) struct Arguments {
    /// Saved profiles, `.json`; @LIST reads their names from a file, one a line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The file to write; its ending picks the format, `.json` is a profile
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Write nothing where a file cannot be read
    #[arg(long)]
    strict: bool,
}

/// Writes the merged profile.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let Arguments { files, output, strict } = arguments;
    // Before thousands of files are read.
    output::check(output)?;
    let files = sources::names(files)?;
    let (merged, left_out) = merge(&files, *strict)?;
    merged.report().write_to(output).map_err(|error| Error::File(error.to_string()))?;
    Ok(if left_out == 0 { Outcome::Done } else { Outcome::LeftOut })
}

/// The profile of all files that can be read, and how many cannot.
fn merge(files: &[PathBuf], strict: bool) -> Result<(Snapshot, usize), Error> {
    let bar = progress(files.len());
    let mut medians = Medians::default();
    let (mut merge, mut left_out) = (Merge::default(), 0);
    reader::read_all(files, |file, read| {
        let taken = read.and_then(|snapshot| {
            let problem = |error: &io::Error| Error::File(format!("cannot merge ‘{}’: {error}", file.display()));
            let mut seen = |row, peak, live| medians.push(row, peak, live);
            merge.add(&snapshot, &file.to_string_lossy(), &mut seen).map_err(|error| problem(&error))
        });
        bar.inc(1);
        match taken {
            Ok(()) => {
                medians.spill_if_full().map_err(|error| Error::File(format!("cannot write a temporary file: {error}")))
            }
            Err(error) if strict => Err(error),
            Err(error) => {
                left_out += 1;
                bar.suspend(|| say(&format_args!("left out: {error}")));
                Ok(())
            }
        }
    })?;
    bar.finish_and_clear();
    if left_out == files.len() {
        return Err(Error::File("no file could be read, so there is nothing to merge".to_owned()));
    }
    let merged = merge.finish(&mut |row| medians.of(row));
    merged
        .map(|merged| (merged, left_out))
        .map_err(|error| Error::File(format!("cannot read a temporary file: {error}")))
}

/// How far it is, on a terminal.
fn progress(files: usize) -> ProgressBar {
    let template = "{wide_bar} {human_pos} of {human_len} files, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(files as u64).with_style(style)
}
