//! What the command can be asked, and how a wrong call is answered.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use memprof_report::{Field, Measure};

use crate::{WRONG, error::say};

/// Reads what memprof measured: who needs how much memory, who holds it, and what is left.
#[derive(Debug, Parser)]
#[command(name = "memprof", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Report(ReportArguments),
    Convert(ConvertArguments),
}

/// Prints the table of saved profiles.
///
/// A profile is the `.json` that a program writes with `MEMPROF=1 MEMPROF_OUTPUT=profile.json`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  memprof report profile.json                               the table that the program itself would print
  memprof report profile.json --order live --rows 10        the ten that hold most now
  memprof report profile.json --columns at_peak,live,name   who held it at the peak, and who holds it still")]
pub(crate) struct ReportArguments {
    /// Saved profiles, `.json`
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only this space: host, pinned, managed, cuda:0, or one that the program names
    #[arg(long, value_name = "SPACE")]
    pub(crate) space: Option<String>,
    /// Order by this field of a record, greatest first
    #[arg(long, value_name = "FIELD", value_parser = field)]
    pub(crate) order: Option<Field>,
    /// Show these fields, in this order, with commas between them
    #[arg(long, value_name = "FIELDS", value_parser = field, value_delimiter = ',')]
    pub(crate) columns: Option<Vec<Field>>,
    /// At most this many rows a table; a line says how many are left out
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<usize>,
}

/// Writes a saved profile in the format of another tool, or as a page or a picture.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  memprof convert profile.json -o report.html                     a page to click through
  memprof convert profile.json -o live.svg --measure live         a flame graph of what is live
  memprof convert profile.json -o profile.pb.gz                   then: go tool pprof -http=: profile.pb.gz
  memprof convert profile.json -o profile.speedscope.json         for speedscope
  memprof convert profile.json -o device.folded --space cuda:0    collapsed stacks of one space")]
pub(crate) struct ConvertArguments {
    /// A saved profile, `.json`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file to write; its ending picks the format
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// What a format that shows one measure shows: `at_peak`, `live` or `self_total`
    #[arg(long, value_name = "MEASURE", value_parser = measure)]
    pub(crate) measure: Option<Measure>,
    /// Only this space, where a format can show one
    #[arg(long, value_name = "SPACE")]
    pub(crate) space: Option<String>,
}

fn field(name: &str) -> Result<Field, String> {
    Field::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        format!("accepted: {}", names.join(", "))
    })
}

fn measure(name: &str) -> Result<Measure, String> {
    Measure::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Measure::ALL.iter().map(|measure| measure.name()).collect();
        format!("accepted: {}", names.join(", "))
    })
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
