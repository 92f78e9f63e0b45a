//! [`Options`]: what a report shows, and in which order.
//!
//! Plain values without a rule of their own: each is read by the formats that have a use for it, and says nothing to
//! the others. That a space or a row that is asked for exists is checked by who asks; how options are set is left to
//! [`Report`](crate::Report) and [`DiffReport`](crate::DiffReport).

use std::collections::BTreeSet;

use crate::{measure::Measure, record::Field};

/// What a report shows, and in which order. A format takes what it has a use for; see [`Format`](crate::Format).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Amounts greatest first; texts and lines ascending. Ties keep the snapshot's order.
    pub order: Field,
    /// The columns, in order; `None` leaves them to the format.
    pub columns: Option<Vec<Field>>,
    /// At most so many rows a table; `None` for all.
    pub rows: Option<usize>,
    /// The only rows of tables that are shown, by their `name`; `None` for all.
    pub only: Option<BTreeSet<String>>,
    /// In the formats that have the flat table, the call tree instead: see [`Report::tree`](crate::Report::tree).
    pub tree: bool,
    /// In the formats for people: chains of scopes that own nothing as one line each. See [`folded`](crate::folded).
    pub folded: bool,
    /// In text, instead of the tables: on which ways each site of these names was called. See [`Report::callers`](crate::Report::callers).
    pub callers: Option<BTreeSet<String>>,
    /// Likewise what it called.
    pub callees: Option<BTreeSet<String>>,
    /// Who asks: a line that says what was left out says how to get more.
    pub asker: Asker,
    /// The measure of a format that shows one; `None` leaves it to the format.
    pub measure: Option<Measure>,
    /// The only space that is shown; `None` for all that have events.
    pub space: Option<String>,
}

/// Who asks for a report, and so where its options can be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asker {
    /// A program, by [`Report`](crate::Report)'s methods.
    #[default]
    Code,
    /// The environment, by `MEMPROF_ROWS` and its like.
    Environment,
    /// Who calls the command, by `--rows` and its like.
    Command,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            order: Field::MemoryPeak,
            columns: None,
            rows: None,
            only: None,
            tree: false,
            folded: false,
            callers: None,
            callees: None,
            asker: Asker::Code,
            measure: None,
            space: None,
        }
    }
}

/// What a report of differences shows. What is `None` is left to whether both profiles are of one process, or to the format.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) order: Option<Field>,
    pub(crate) columns: Option<Vec<Field>>,
    pub(crate) rows: Option<usize>,
    pub(crate) measure: Option<Measure>,
    pub(crate) space: Option<String>,
    /// What the two profiles are called.
    pub(crate) names: Option<[String; 2]>,
}
