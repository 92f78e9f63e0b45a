//! [`Choices`]: what a report shows, for every verb that prints or writes one.
//!
//! `report`, `run` and `cargo memprof` have these options by this one type, so they are named and mean the same there.
//! What is left out is left to `memprof-report`; so are the rows themselves. Which file or format it becomes is each
//! verb's own.

use clap::Args;
use memprof_report::{Asker, Field, Report, Snapshot};

use crate::words::field;

/// What a report shows.
#[derive(Debug, Args)]
pub(crate) struct Choices {
    /// Order by this field of a record, greatest first
    #[arg(long, value_name = "FIELD", value_parser = field)]
    order: Option<Field>,
    /// Show these fields, in this order, with commas between them
    #[arg(long, value_name = "FIELDS", value_parser = field, value_delimiter = ',')]
    columns: Option<Vec<Field>>,
    /// The call tree, indented, instead of the flat table; `--order live` or `total` for another one than at the peak
    #[arg(long)]
    tree: bool,
    /// Chains of scopes that own nothing: as one line each (`run › main › search (3 scopes)`), or each scope on its own. Folded is
    /// what `cargo memprof` has where nothing else is asked for, whole what other reports have
    #[arg(long, value_name = "HOW", value_enum)]
    chains: Option<Chains>,
    /// At most this many rows a table; a line says how many are left out
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
}

/// How scopes that own nothing are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Chains {
    Folded,
    Whole,
}

impl Choices {
    /// The report of `snapshot` with these choices.
    pub(crate) fn report<'a>(&self, snapshot: &'a Snapshot) -> Report<'a> {
        let mut report = snapshot.report().asker(Asker::Command).tree(self.tree);
        if let Some(chains) = self.chains {
            report = report.folded(chains == Chains::Folded);
        }
        if let Some(field) = self.order {
            report = report.order(field);
        }
        if let Some(fields) = &self.columns {
            report = report.columns(fields.iter().copied());
        }
        if let Some(most) = self.rows {
            report = report.rows(most);
        }
        report
    }

    /// The same of a program of which every function is tracked: chains of scopes that own nothing are folded; and where no tree and no
    /// columns are asked for, it has `columns`, and what it is ordered by in front of them: `order`, if nothing else is asked for.
    pub(crate) fn report_or<'a>(&self, snapshot: &'a Snapshot, order: Field, columns: &[Field]) -> Report<'a> {
        let folded = self.chains.is_none_or(|chains| chains == Chains::Folded);
        let report = self.report(snapshot).folded(folded);
        if self.columns.is_some() || self.tree {
            return report;
        }
        let order = self.order.unwrap_or(order);
        let first = Some(order).filter(|order| !columns.contains(order));
        report.order(order).columns(first.into_iter().chain(columns.iter().copied()))
    }
}
