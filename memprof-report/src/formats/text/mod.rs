//! The default report: plain text, one table per space.
//!
//! Blocks of lines with one blank line between them: the title, the legends, the order; then for each space
//! its heading (where there are several), its table, its line, and who held its memory at the peak, after the host's the
//! line of what is resident; then the lines that stand last. Columns are
//! right-aligned to their title or their widest cell and one space apart, the last one is left-aligned, and no
//! line ends with a space.

use std::io::{self, Write};

use tabled::{
    builder::Builder,
    settings::{Alignment, Padding, Style, object::Columns},
};

use crate::{
    formats::{
        cell::cell,
        content::{DEFAULT_COLUMNS, Sheet, TITLE, has_several, last_lines, nothing_to_show},
        held::{self, Held},
    },
    one_line::one_line,
    options::Options,
    record::Field,
    snapshot::Snapshot,
    thousands::thousands,
};

#[cfg(test)]
mod tests;

/// Writes the report as text, ending with one newline.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut blocks = vec![format!("{TITLE}\n{}", "=".repeat(TITLE.len()))];
    match nothing_to_show(snapshot) {
        Some(line) => blocks.push(line.to_owned()),
        None => blocks.extend(tables(snapshot, options)),
    }
    let last_lines = last_lines(snapshot, options);
    if !last_lines.is_empty() {
        blocks.push(last_lines.join("\n"));
    }
    writeln!(out, "{}", blocks.join("\n\n"))
}

/// The blocks between the title and the last lines.
fn tables(snapshot: &Snapshot, options: &Options) -> Vec<String> {
    let columns = options.columns.as_deref().unwrap_or(DEFAULT_COLUMNS);
    let mut blocks = Vec::new();
    blocks.extend(legends(columns));
    blocks.push(format!("Ordered by: {}", options.order.title()));

    let sheets = Sheet::all(snapshot, options);
    let several = has_several(snapshot);
    for sheet in &sheets {
        if several {
            blocks.push(format!("Space: {}", one_line(&sheet.space.name)));
        }
        let mut lines = table(sheet, columns);
        lines.extend(sheet.left_out());
        blocks.push(lines.join("\n"));
        let mut lines = vec![sheet.space_line()];
        lines.extend(sheet.device_line(snapshot));
        blocks.push(lines.join("\n"));
        if let Some(held) = sheet.held(options) {
            blocks.push(held.title.clone());
            blocks.push(held_table(&held).join("\n"));
        }
        blocks.extend(sheet.resident_line(snapshot));
    }
    blocks
}

/// A line for each column but the name, which its title explains; `None` if there is no other.
fn legends(columns: &[Field]) -> Option<String> {
    let explained = columns.iter().filter(|field| **field != Field::Name);
    let width = explained.clone().map(|field| field.name().len()).max()?;
    let lines = explained.map(|field| format!("\n{:width$} - {}", field.name(), field.meaning()));
    Some("Legends:".to_owned() + &lines.collect::<String>())
}

/// The lines of a table, its titles first.
fn table(sheet: &Sheet<'_>, columns: &[Field]) -> Vec<String> {
    let mut builder = Builder::with_capacity(sheet.rows.len() + 1, columns.len());
    builder.push_record(columns.iter().map(|field| field.title()));
    for record in &sheet.rows {
        builder.push_record(columns.iter().map(|field| cell(field.cell(record))));
    }
    aligned(builder)
}

/// The lines of who held the memory at the peak, their titles first.
fn held_table(held: &Held) -> Vec<String> {
    let mut builder = Builder::with_capacity(held.rows.len() + 1, held::COLUMNS.len());
    builder.push_record(held::COLUMNS);
    for (bytes, blocks, name) in &held.rows {
        builder.push_record([thousands(*bytes).to_string(), thousands(*blocks).to_string(), one_line(name)]);
    }
    aligned(builder)
}

/// A table's lines, their titles first: columns right-aligned, the last one left-aligned, one space between them.
pub(crate) fn aligned(builder: Builder) -> Vec<String> {
    let mut table = builder.build();
    table.with(Style::blank()).with(Padding::zero()).with(Alignment::right());
    table.modify(Columns::last(), Alignment::left());
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}
