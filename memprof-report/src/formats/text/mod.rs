//! The default report: plain text, one table per space.
//!
//! Blocks of lines with one blank line between them: the title, the legends, the order; then for each space
//! its heading (where there are several), its table, its line, who held its memory at the peak, and in which crates (where the profile says which were tracked), of a
//! merged profile how its processes differ, after the host's the line of what is resident; then the lines that stand last. Where
//! callers or callees are asked for, they stand instead of the tables. Columns are
//! right-aligned to their title or their widest cell and one space apart, the last one is left-aligned, and no
//! line ends with a space.

use std::io::{self, Write};

use tabled::builder::Builder;

use self::table::{aligned, legends};
use crate::{
    formats::{
        cell::cell,
        content::{DEFAULT_COLUMNS, Sheet, TITLE, has_several, last_lines, nothing_to_show},
        crates::{self, Crates},
        held::{self, Held},
        spread::{self, SpreadTable},
        tree::CallTree,
    },
    one_line::one_line,
    options::Options,
    record::Field,
    snapshot::Snapshot,
    thousands::thousands,
};

pub(crate) mod table;
pub(crate) mod call_tree;
mod calls;

#[cfg(test)]
mod tests;

/// Writes the report as text, ending with one newline.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut blocks = vec![format!("{TITLE}\n{}", "=".repeat(TITLE.len()))];
    match nothing_to_show(snapshot) {
        Some(line) => blocks.push(line.to_owned()),
        None if options.callers.is_some() || options.callees.is_some() => {
            blocks.extend(calls::blocks(snapshot, options));
        }
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
    if options.tree {
        blocks.extend([legends(&call_tree::legends(options)), call_tree::order(options)]);
    } else {
        let explained = columns.iter().filter(|field| **field != Field::Name);
        let explained: Vec<_> = explained.map(|field| (field.name(), field.meaning().to_owned())).collect();
        blocks.extend((!explained.is_empty()).then(|| legends(&explained)));
        blocks.push(format!("Ordered by: {}", options.order.title()));
    }

    let sheets = Sheet::all(snapshot, options);
    let several = has_several(snapshot);
    for sheet in &sheets {
        if several {
            blocks.push(format!("Space: {}", one_line(&sheet.space.name)));
        }
        let lines = if options.tree {
            call_tree::lines(&CallTree::of(sheet.space, options, !several), options)
        } else {
            flat(sheet, columns)
        };
        blocks.push(lines.join("\n"));
        let mut lines = vec![sheet.space_line()];
        lines.extend(sheet.untracked_line(snapshot));
        lines.extend(sheet.device_line(snapshot));
        blocks.push(lines.join("\n"));
        if let Some(held) = sheet.held(snapshot, options) {
            blocks.push(held.title.clone());
            blocks.push(held_table(&held).join("\n"));
        }
        if let Some(crates) = sheet.crates(snapshot) {
            blocks.push(crates.title.clone());
            blocks.push(crates_table(&crates).join("\n"));
        }
        for spread in sheet.spread(snapshot, options) {
            blocks.push(spread.title.clone());
            blocks.push(spread_table(&spread).join("\n"));
        }
        blocks.extend(sheet.resident_line(snapshot));
    }
    blocks
}

/// The lines of a flat table, its titles first, and last how many rows it lacks.
fn flat(sheet: &Sheet<'_>, columns: &[Field]) -> Vec<String> {
    let mut table = Builder::with_capacity(sheet.rows.len() + 1, columns.len());
    table.push_record(columns.iter().map(|field| field.title()));
    for record in &sheet.rows {
        table.push_record(columns.iter().map(|field| cell(field.cell(record))));
    }
    let mut lines = aligned(table);
    lines.extend(sheet.left_out());
    lines
}

/// The lines of who held the memory at the peak, their titles first.
fn held_table(held: &Held) -> Vec<String> {
    let mut table = Builder::with_capacity(held.rows.len() + 1, held::COLUMNS.len());
    table.push_record(held::COLUMNS);
    for (bytes, blocks, name) in &held.rows {
        table.push_record([thousands(*bytes).to_string(), thousands(*blocks).to_string(), one_line(name)]);
    }
    aligned(table)
}

/// The lines of which crates held it, their titles first.
fn crates_table(crates: &Crates) -> Vec<String> {
    let mut table = Builder::with_capacity(crates.rows.len() + 1, crates::COLUMNS.len());
    table.push_record(crates::COLUMNS);
    for row in &crates.rows {
        table.push_record(row);
    }
    aligned(table)
}

/// The lines of how rows differ between processes, their titles first.
fn spread_table(spread: &SpreadTable) -> Vec<String> {
    let mut table = Builder::with_capacity(spread.rows.len() + 1, spread::COLUMNS.len());
    table.push_record(spread::COLUMNS);
    for row in &spread.rows {
        table.push_record(row);
    }
    let mut lines = aligned(table);
    lines.extend(spread.left_out.clone());
    lines
}
