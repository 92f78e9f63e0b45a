//! What `check` prints: a line for each limit, and for each number that is over one what holds most of it; or the same as
//! JSON, or as XML for `JUnit`'s readers.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use memprof_report::thousands;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::verdict::{Failure, Verdict};

/// What was judged of one profile.
#[derive(Debug, Serialize)]
pub(crate) struct Judgement {
    pub(crate) file: String,
    pub(crate) holds: bool,
    pub(crate) verdicts: Vec<Verdict>,
    /// What no number judges.
    pub(crate) notes: Vec<String>,
}

impl Judgement {
    pub(crate) fn new(file: String, verdicts: Vec<Verdict>, notes: Vec<String>) -> Self {
        let holds = verdicts.iter().all(|verdict| verdict.failures.is_empty());
        Self { file, holds, verdicts, notes }
    }
}

/// Prints them for people.
pub(crate) fn text(judgements: &[Judgement], out: &mut dyn Write) -> io::Result<()> {
    for judgement in judgements {
        if judgements.len() > 1 {
            writeln!(out, "==> {} <==", judgement.file)?;
        }
        for verdict in &judgement.verdicts {
            writeln!(out, "{} {}", word(verdict.failures.is_empty()), verdict.title)?;
            if verdict.failures.is_empty() {
                writeln!(out, "       {}", verdict.nearest)?;
            }
            for failure in &verdict.failures {
                writeln!(out, "       {}: {}", failure.name, failure.text)?;
                if let Some(holders) = holders(failure) {
                    writeln!(out, "       {holders}")?;
                }
            }
        }
        for note in &judgement.notes {
            writeln!(out, "note   {note}")?;
        }
        let all = judgement.verdicts.len() as u64;
        let failed = judgement.verdicts.iter().filter(|verdict| !verdict.failures.is_empty()).count() as u64;
        let said = match failed {
            0 => format!("all {} limits hold", thousands(all)),
            _ => format!("{} of {} limits do not hold", thousands(failed), thousands(all)),
        };
        writeln!(out, "{said}")?;
    }
    Ok(())
}

/// `ok` in green or `FAILED` in red, as far as stdout is to be coloured.
fn word(holds: bool) -> String {
    let (word, colour) = if holds { ("ok    ", AnsiColor::Green) } else { ("FAILED", AnsiColor::Red) };
    if AutoStream::choice(&io::stdout()) == ColorChoice::Never {
        return word.to_owned();
    }
    let style = Style::new().bold().fg_color(Some(colour.into()));
    format!("{style}{word}{style:#}")
}

/// `held at the peak of the space by 686,107 a.rs:12(read_csv); 513,655 ..`.
fn holders(failure: &Failure) -> Option<String> {
    let holders: Vec<String> =
        failure.holders.iter().map(|holder| format!("{} {}", thousands(holder.bytes), holder.name)).collect();
    (!holders.is_empty()).then(|| format!("{} {}", failure.held, holders.join("; ")))
}

#[derive(Serialize)]
struct Judgements<'a> {
    holds: bool,
    profiles: &'a [Judgement],
}

/// Prints them for programs, on one line.
pub(crate) fn json(judgements: &[Judgement], out: &mut dyn Write) -> io::Result<()> {
    let all = Judgements { holds: judgements.iter().all(|judgement| judgement.holds), profiles: judgements };
    serde_json::to_writer(&mut *out, &all)?;
    writeln!(out)
}

/// The XML of `JUnit`, as CI systems read it: a suite for each profile, a case for each limit.
pub(crate) fn junit(judgements: &[Judgement]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("memprof check");
    for judgement in judgements {
        let mut suite = TestSuite::new(judgement.file.clone());
        for verdict in &judgement.verdicts {
            let status = if verdict.failures.is_empty() {
                TestCaseStatus::success()
            } else {
                let lines = verdict.failures.iter().flat_map(|failure| {
                    [Some(format!("{}: {}", failure.name, failure.text)), holders(failure)].into_iter().flatten()
                });
                let lines: Vec<String> = lines.collect();
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(lines.first().cloned().unwrap_or_default()).set_description(lines.join("\n"));
                status
            };
            let mut case = TestCase::new(verdict.title.clone(), status);
            case.set_classname(format!("memprof.{}", verdict.kind));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}
