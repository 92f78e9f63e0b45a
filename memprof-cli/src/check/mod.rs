//! `memprof check`: judges saved profiles by budgets and by a baseline, and fails a build that needs more than it may.
//!
//! Nothing passes silently: a pattern that matches no row and a space that was not measured are errors, not passes.

mod amount;
mod limit;
mod baseline;
mod budgets;
mod verdict;

mod compare;
mod judge;
mod output;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use memprof_report::{__common::replace_file, Snapshot};

use self::{
    baseline::Baseline,
    budgets::Budgets,
    compare::{Comparison, compare},
    judge::judge,
    output::Judgement,
};
use crate::{
    error::{Error, say},
    outcome::Outcome,
    output::check_place,
    profile::read,
};

/// The file that is looked for where none is named.
const BUDGETS: &str = "memprof.toml";

/// Judges saved profiles by memprof.toml and by a baseline; ends with 1 where one does not hold.
///
/// Budgets are the most that functions or the process may need; `memprof init` writes a commented file. A baseline is a file
/// of earlier numbers, `--accept` writes it; a saved profile can be one too. Equal is fine.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof check profile.json                                  by ./memprof.toml
  memprof check profile.json --junit memprof.xml              also for the CI system that shows tests
  memprof check profile.json --accept                         write the new numbers into the baseline
  memprof check profile.json --baseline base.json             no peak may be greater than in another profile
  memprof check profile.json --budget memprof.toml --json     what was judged, for programs")]
pub(crate) struct Arguments {
    /// Saved profiles, `.json`; each is judged
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The budgets [default: memprof.toml, where it is there]
    #[arg(long, value_name = "TOML")]
    budget: Option<PathBuf>,
    /// A baseline, or a saved profile to compare with, instead of that of memprof.toml; of several, the greatest numbers count
    #[arg(long, value_name = "BASE")]
    baseline: Vec<PathBuf>,
    /// Write the new numbers into the baseline file; of several profiles, the least and the greatest
    #[arg(long)]
    accept: bool,
    /// Also write what was judged as `JUnit` XML
    #[arg(long, value_name = "XML")]
    junit: Option<PathBuf>,
    /// Print it as JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Judges each file, prints what came of it, and says whether all hold.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let budgets = budgets(arguments)?;
    let compared = Compared::of(arguments, budgets.as_ref())?;
    // Before profiles are read, and the baseline is another one.
    arguments.junit.as_deref().map_or(Ok(()), check_place)?;
    let snapshots = arguments.files.iter().map(|file| Ok((file, read(file)?))).collect::<Result<Vec<_>, Error>>()?;
    if arguments.accept {
        accept(compared.as_ref(), snapshots.iter().map(|(_, snapshot)| snapshot))?;
    }
    let baseline = compared.as_ref().map(Compared::read).transpose()?;
    let mut judgements = Vec::new();
    for (file, snapshot) in &snapshots {
        let problem = |what: String| Error::File(format!("cannot judge ‘{}’: {what}", file.display()));
        let mut verdicts = Vec::new();
        for budget in budgets.iter().flat_map(|budgets| &budgets.budgets) {
            verdicts.extend(judge(budget, snapshot).map_err(problem)?);
        }
        let mut notes = Vec::new();
        if let (Some(compared), Some(baseline)) = (&compared, &baseline) {
            let found = compare(baseline, &compared.name(), &compared.rules.allowances, snapshot);
            let Comparison { verdicts: more, notes: said } = found.map_err(problem)?;
            verdicts.extend(more);
            notes = said;
        }
        judgements.push(Judgement::new(file.display().to_string(), verdicts, notes));
    }
    if let Some(path) = &arguments.junit {
        let problem = |what: &dyn std::fmt::Display| Error::File(format!("cannot write ‘{}’: {what}", path.display()));
        let text = output::junit(&judgements).map_err(|error| problem(&error))?;
        replace_file(path, |out| out.write_all(text.as_bytes())).map_err(|error| problem(&error))?;
    }
    let printed = if arguments.json { output::json(&judgements, out) } else { output::text(&judgements, out) };
    printed.map_err(Error::Output)?;
    let holds = judgements.iter().all(|judgement| judgement.holds);
    Ok(if holds { Outcome::Done } else { Outcome::DoesNotHold })
}

/// The file that is named, or the one that is here. There may be none where a baseline is named.
fn budgets(arguments: &Arguments) -> Result<Option<Budgets>, Error> {
    match &arguments.budget {
        Some(path) => budgets::read(path).map(Some),
        None if Path::new(BUDGETS).exists() || arguments.baseline.is_empty() => {
            budgets::read(Path::new(BUDGETS)).map(Some)
        }
        None => Ok(None),
    }
}

/// What the profiles are compared with, and how.
struct Compared {
    files: Vec<PathBuf>,
    rules: budgets::Baseline,
}

impl Compared {
    /// The files of the call, else that of memprof.toml, which stands beside it.
    fn of(arguments: &Arguments, budgets: Option<&Budgets>) -> Result<Option<Self>, Error> {
        let table = budgets.and_then(|budgets| budgets.baseline.as_ref());
        let rules = || {
            table.map_or_else(budgets::Baseline::default, |table| budgets::Baseline {
                file: table.file.clone(),
                allowances: table.allowances.clone(),
            })
        };
        if !arguments.baseline.is_empty() {
            return Ok(Some(Self { files: arguments.baseline.clone(), rules: rules() }));
        }
        let Some(table) = table else { return Ok(None) };
        let toml = arguments.budget.as_deref().unwrap_or(Path::new(BUDGETS));
        let Some(file) = &table.file else {
            let problem = "[baseline] names no file; accepted: file = \"memprof-baseline.json\", or --baseline FILE";
            return Err(Error::File(format!("cannot read ‘{}’: {problem}", toml.display())));
        };
        Ok(Some(Self { files: vec![toml.with_file_name("").join(file)], rules: rules() }))
    }

    fn name(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!("baseline ({})", files.join(", "))
    }

    fn read(&self) -> Result<Baseline, Error> {
        let mut all = Baseline::default();
        for file in &self.files {
            all = all.and(Baseline::read(file)?);
        }
        Ok(all)
    }
}

/// Writes the numbers of these profiles into the baseline file.
fn accept<'a>(compared: Option<&Compared>, snapshots: impl Iterator<Item = &'a Snapshot>) -> Result<(), Error> {
    let Some(Compared { files, .. }) = compared else {
        let problem = "there is no baseline file to accept the numbers into; accepted: [baseline] in memprof.toml, or --baseline FILE";
        return Err(Error::File(problem.to_owned()));
    };
    let [file] = &files[..] else {
        return Err(Error::File("the numbers are accepted into one file; --baseline names several".to_owned()));
    };
    if file.exists() && !baseline::is_baseline(file) {
        let problem =
            "is no baseline, so it is not written over; accepted: one that memprof check --accept wrote, or a new file";
        return Err(Error::File(format!("‘{}’ {problem}", file.display())));
    }
    let all = snapshots.map(Baseline::of).fold(Baseline::default(), Baseline::and);
    let problem = |what: &dyn std::fmt::Display| Error::File(format!("cannot write ‘{}’: {what}", file.display()));
    let text = all.text().map_err(|error| problem(&error))?;
    replace_file(file, |out| out.write_all(text.as_bytes())).map_err(|error| problem(&error))?;
    say(&format_args!("the baseline ‘{}’ has the new numbers", file.display()));
    Ok(())
}
