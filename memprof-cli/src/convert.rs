//! `memprof convert`: a saved profile in another format.
//!
//! Whether the output can be written is asked before the profile is read, and the file is replaced whole. What each
//! format shows of it is left to `memprof-report`.

use std::path::PathBuf;

use clap::Args;
use memprof_report::Measure;

use crate::{
    error::Error,
    outcome::Outcome,
    output,
    profile::{check_space, read},
    words::measure,
};

/// Writes a saved profile in the format of another tool, or as a page or a picture.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof convert profile.json -o report.html                     a page to click through
  memprof convert profile.json -o live.svg --measure live         a flame graph of what is live
  memprof convert profile.json -o profile.pb.gz                   then: go tool pprof -http=: profile.pb.gz
  memprof convert profile.json -o profile.speedscope.json         for speedscope
  memprof convert profile.json -o device.folded --space cuda:0    collapsed stacks of one space")]
pub(crate) struct Arguments {
    /// A saved profile, `.json`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write; its ending picks the format
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// What a format that shows one measure shows: `at_peak`, `live` or `self_total`
    #[arg(long, value_name = "MEASURE", value_parser = measure)]
    measure: Option<Measure>,
    /// Only this space, where a format can show one
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,
}

/// Writes the file; on stdout is nothing.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let Arguments { file, output, measure, space } = arguments;
    // Before a large profile is read.
    output::check(output)?;
    let snapshot = read(file)?;
    check_space(&snapshot, file, space.as_deref())?;
    let mut report = snapshot.report();
    if let Some(measure) = measure {
        report = report.measure(*measure);
    }
    if let Some(space) = space {
        report = report.space(space);
    }
    report.write_to(output).map_err(|error| Error::File(error.to_string()))?;
    Ok(Outcome::Done)
}
