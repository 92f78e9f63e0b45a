//! The report of differences as text: what the whole changed, where, and a table of the rows that changed.
//!
//! Blocks of lines with one blank line between them, and one newline at the end. What it says is [`content`]'s; the
//! cells of a row are this module's for Markdown too.

use std::io::{self, Write};

use tabled::builder::Builder;

use super::content::{self, Sheet, share, signed};
use crate::{
    diff::{Change, Diff},
    formats::text::table::aligned,
    one_line::one_line,
    options::Choice,
    record::Field,
    thousands::thousands,
};

/// Writes it, ending with one newline.
pub(crate) fn write(diff: &Diff, choice: &Choice, out: &mut dyn Write) -> io::Result<()> {
    let title = content::title(diff);
    let mut blocks = vec![format!("{title}\n{}", "=".repeat(title.len())), content::sources(diff, choice).join("\n")];
    let spaces = content::spaces(diff, choice);
    if spaces.is_empty() {
        blocks.push("nothing was measured in either".to_owned());
    } else {
        blocks.push(spaces.iter().map(|space| verdict(diff, choice, space)).collect::<Vec<_>>().join("\n"));
        blocks.extend(tables(diff, choice, &spaces));
    }
    let notes = content::notes(diff);
    if !notes.is_empty() {
        blocks.push(notes.join("\n"));
    }
    writeln!(out, "{}", blocks.join("\n\n"))
}

/// `host: peak 1,000 -> 1,500 bytes (+500, +50.0 %); ..`, and where.
fn verdict(diff: &Diff, choice: &Choice, space: &str) -> String {
    let figures = content::figures(diff, space).map(|figure| content::figure_text(&figure, "->"));
    let mut text = format!("{}: {}", one_line(space), figures.join("; "));
    let places = content::places(diff, choice, space);
    if !places.is_empty() {
        let places: Vec<String> = places.iter().map(|(bytes, name)| format!("{} {name}", signed(*bytes))).collect();
        text.extend(["\n  most of it, ", content::places_title(diff, choice), ": ", &places.join("; ")]);
    }
    text
}

/// The legends, the order, and a table for each space.
fn tables(diff: &Diff, choice: &Choice, spaces: &[&str]) -> Vec<String> {
    let (order, columns) = (content::order(diff, choice), content::columns(diff, choice));
    let mut blocks = Vec::new();
    for space in spaces {
        let sheet = Sheet::new(diff, choice, space);
        if spaces.len() > 1 {
            blocks.push(format!("Space: {}", one_line(space)));
        }
        let mut lines = if sheet.rows.is_empty() { Vec::new() } else { table(&sheet.rows, order, &columns) };
        lines.extend(sheet.last_lines());
        if lines.is_empty() {
            lines.push("no scope changed".to_owned());
        }
        blocks.push(lines.join("\n"));
    }
    blocks.insert(0, legends(order, &columns));
    blocks.insert(1, format!("Ordered by: what {} changed", order.name()));
    blocks
}

fn legends(order: Field, columns: &[Field]) -> String {
    const COMPARED: &str = "before, after";
    let width = columns.iter().map(|field| field.name().len()).max().unwrap_or(0).max(COMPARED.len());
    let compared = format!("\n{COMPARED:width$} - {}: {}", order.name(), order.meaning());
    let others = columns.iter().map(|field| format!("\n{:width$} - difference of {}", field.name(), field.meaning()));
    "Legends:".to_owned() + &compared + &others.collect::<String>()
}

fn table(rows: &[Change<'_>], order: Field, columns: &[Field]) -> Vec<String> {
    let mut builder = Builder::with_capacity(rows.len() + 1, columns.len() + 6);
    let titles = ["change", "before", "after", "+/-", "+/- %"].into_iter();
    builder.push_record(titles.chain(columns.iter().map(|field| field.name())).chain([Field::Name.title()]));
    for change in rows {
        builder.push_record(cells(change, order, columns));
    }
    aligned(builder)
}

/// The cells of a row, as every table of differences has them; the last one is the name.
pub(super) fn cells(change: &Change<'_>, order: Field, columns: &[Field]) -> Vec<String> {
    let [before, after] = change.amounts(order);
    let mut cells = vec![
        change.kind(order).name().to_owned(),
        thousands(before).to_string(),
        thousands(after).to_string(),
        signed(after - before),
        share(before, after).unwrap_or_default(),
    ];
    cells.extend(columns.iter().map(|field| signed(change.difference(*field))));
    cells.push(one_line(change.name()));
    cells
}
