//! CSV: one row per space and site, for programs.
//!
//! The first line names the columns: `space`, then the record's fields under their own names. Numbers are
//! plain, texts are quoted where they must be. Rows are never left out. Each space ends with the row
//! `(outside any scope)`, so that additive columns sum to the space's totals; peaks and notes are not in it.

use std::io::{self, Write};

use crate::{
    formats::content::{asked_spaces, ordered},
    measure::OUTSIDE,
    options::Options,
    record::{Cell, Field, Record, Totals},
    snapshot::Snapshot,
};

/// Writes the report as CSV, by default with every field.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let columns = options.columns.as_deref().unwrap_or(Field::ALL);
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_field("space")?;
    writer.write_record(columns.iter().map(|field| field.name()))?;
    for space in asked_spaces(snapshot, options) {
        for record in ordered(space, options.order) {
            writer.write_field(&space.name)?;
            writer.write_record(columns.iter().map(|field| plain(field.cell(record))))?;
        }
        writer.write_field(&space.name)?;
        let outside = outside(&space.totals);
        writer.write_record(columns.iter().map(|field| plain(field.cell(&outside))))?;
    }
    writer.flush()
}

/// What happened outside any scope, as a record: that it was called, and how high it stood, is not known of it.
fn outside(totals: &Totals) -> Record {
    Record {
        name: OUTSIDE.to_owned(),
        function: OUTSIDE.to_owned(),
        memory_total: totals.no_scope_total,
        blocks_total: totals.no_scope_blocks,
        self_total: totals.no_scope_total,
        self_blocks: totals.no_scope_blocks,
        live: totals.no_scope_live,
        live_blocks: totals.no_scope_live_blocks,
        at_peak: totals.no_scope_at_peak,
        at_peak_blocks: totals.no_scope_at_peak_blocks,
        ..Record::default()
    }
}

fn plain(cell: Cell<'_>) -> String {
    match cell {
        Cell::Amount(amount) => amount.to_string(),
        Cell::Line(line) => line.to_string(),
        Cell::Text(text) => text.to_owned(),
    }
}
