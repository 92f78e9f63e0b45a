//! CSV: one row per space and site, for programs.
//!
//! The first line names the columns: `space`, then the record's fields under their own names. Numbers are
//! plain, texts are quoted where they must be. Of the call tree a row is a path, and the columns `path` and `parent` say by
//! number which one stands in which; a parent stands first. Rows are never left out. Each space ends with the row
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
    if options.tree {
        write_tree(snapshot, options, columns, &mut writer)?;
        return writer.flush();
    }
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

/// A row for each path, in the order of the tree: its number, and that of the path that it stands in.
fn write_tree(
    snapshot: &Snapshot,
    options: &Options,
    columns: &[Field],
    writer: &mut ::csv::Writer<&mut dyn Write>,
) -> io::Result<()> {
    for title in ["space", "path", "parent"] {
        writer.write_field(title)?;
    }
    writer.write_record(columns.iter().map(|field| field.name()))?;
    for space in asked_spaces(snapshot, options) {
        for (index, path) in space.tree.iter().enumerate() {
            writer.write_field(&space.name)?;
            writer.write_field(index.to_string())?;
            writer.write_field(path.parent.map(|parent| parent.to_string()).unwrap_or_default())?;
            writer.write_record(columns.iter().map(|field| plain(field.cell_of_path(path))))?;
        }
        writer.write_field(&space.name)?;
        writer.write_field(space.tree.len().to_string())?;
        writer.write_field("")?;
        let outside = outside(&space.totals);
        writer.write_record(columns.iter().map(|field| plain(field.cell(&outside))))?;
    }
    Ok(())
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
