//! CSV: one row per space and site, for programs.
//!
//! The first line names the columns: `space`, then the record's fields under their own names. Numbers are
//! plain, texts are quoted where they must be. Rows are never left out; totals and notes are not in it.

use std::io;

use super::{
    Options,
    content::{ordered, shown_spaces},
};
use crate::{
    record::{Cell, Field},
    snapshot::Snapshot,
};

/// The report as CSV, by default with every field.
pub(super) fn csv(snapshot: &Snapshot, options: &Options) -> io::Result<String> {
    let columns = options.columns.as_deref().unwrap_or(Field::ALL);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_field("space")?;
    writer.write_record(columns.iter().map(|field| field.name()))?;
    for space in shown_spaces(snapshot) {
        for record in ordered(space, options.order) {
            writer.write_field(&space.name)?;
            writer.write_record(columns.iter().map(|field| plain(field.cell(record))))?;
        }
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn plain(cell: Cell<'_>) -> String {
    match cell {
        Cell::Amount(amount) => amount.to_string(),
        Cell::Line(line) => line.to_string(),
        Cell::Text(text) => text.to_owned(),
    }
}
