//! CSV: one row per space and site, for programs.
//!
//! The first line names the columns: `space`, then the record's fields under their own names. Numbers are
//! plain, texts are quoted where they must be. Rows are never left out; totals and notes are not in it.

use std::io::{self, Write};

use crate::{
    content::{ordered, shown_spaces},
    options::Options,
    record::{Cell, Field},
    snapshot::Snapshot,
};

/// Writes the report as CSV, by default with every field.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let columns = options.columns.as_deref().unwrap_or(Field::ALL);
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_field("space")?;
    writer.write_record(columns.iter().map(|field| field.name()))?;
    for space in shown_spaces(snapshot) {
        for record in ordered(space, options.order) {
            writer.write_field(&space.name)?;
            writer.write_record(columns.iter().map(|field| plain(field.cell(record))))?;
        }
    }
    writer.flush()
}

fn plain(cell: Cell<'_>) -> String {
    match cell {
        Cell::Amount(amount) => amount.to_string(),
        Cell::Line(line) => line.to_string(),
        Cell::Text(text) => text.to_owned(),
    }
}
