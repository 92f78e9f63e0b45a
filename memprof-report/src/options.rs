//! [`Options`]: what a report shows, and in which order.

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
    /// The measure of a format that shows one; `None` leaves it to the format.
    pub measure: Option<Measure>,
    /// The space of a format that shows one; `None` leaves it to the format.
    pub space: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { order: Field::MemoryPeak, columns: None, rows: None, measure: None, space: None }
    }
}
