//! Markdown: the default report as one table, for an issue or a pull request.
//!
//! It says what the text report says ([`content`](super::content)), and what a name holds stays a name: it is a code
//! span, fenced by more backticks than it has, so neither HTML nor Markdown in it is read as such. Which rows there are
//! and what the lines say is not decided here.

use std::io::{self, Write};

use crate::{
    formats::{
        cell::cell,
        content::{DEFAULT_COLUMNS, Sheet, TITLE, has_several, last_lines, nothing_to_show},
        crates::{self, Crates},
        held::{self, Held},
        spread::{self, SpreadTable},
        text::call_tree,
        tree::CallTree,
    },
    one_line::one_line,
    options::Options,
    record::{Cell, Field, Record},
    snapshot::Snapshot,
};

/// Writes the report as Markdown, ending with one newline: a heading, the table with the space in its first column, a
/// list of what the text report says below its tables, and for each space who held its memory at the peak.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut blocks = vec![format!("# {TITLE}")];
    let mut lines = Vec::new();
    let (mut held, mut crates, mut spreads) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(line) = nothing_to_show(snapshot) {
        blocks.push(code(line));
    } else {
        let sheets = Sheet::all(snapshot, options);
        if options.tree {
            blocks.push(call_tree::order(options));
            blocks.extend(sheets.iter().flat_map(|sheet| tree(sheet, options, has_several(snapshot))));
        } else {
            blocks.push(format!("Ordered by: {}", code(options.order.title())));
            blocks.push(table(&sheets, options.columns.as_deref().unwrap_or(DEFAULT_COLUMNS)));
        }
        held.extend(sheets.iter().filter_map(|sheet| sheet.held(snapshot, options)));
        crates.extend(sheets.iter().filter_map(|sheet| sheet.crates(snapshot)));
        spreads.extend(sheets.iter().flat_map(|sheet| sheet.spread(snapshot, options)));
        for sheet in &sheets {
            let space = one_line(&sheet.space.name);
            let left_out = sheet.left_out().filter(|_| !options.tree);
            lines.extend(left_out.map(|left_out| format!("{space}: {left_out}")));
            lines.push(sheet.space_line());
            lines.extend(sheet.untracked_line(snapshot));
            lines.extend(sheet.device_line(snapshot));
            lines.extend(sheet.resident_line(snapshot));
        }
    }
    lines.extend(last_lines(snapshot, options));
    if !lines.is_empty() {
        let items: Vec<String> = lines.iter().map(|line| format!("- {}", code(line))).collect();
        blocks.push(items.join("\n"));
    }
    for held in &held {
        blocks.push(code(&held.title));
        blocks.push(held_table(held));
    }
    for crates in &crates {
        blocks.push(code(&crates.title));
        blocks.push(crates_table(crates));
    }
    for spread in &spreads {
        blocks.push(code(&spread.title));
        blocks.push(spread_table(spread));
    }
    writeln!(out, "{}", blocks.join("\n\n"))
}

fn table(sheets: &[Sheet<'_>], columns: &[Field]) -> String {
    let mut lines = vec![
        row("space".to_owned(), columns.iter().map(|field| field.title().to_owned())),
        row(":---".to_owned(), columns.iter().map(|field| rule(*field).to_owned())),
    ];
    for sheet in sheets {
        for record in &sheet.rows {
            lines.push(row(
                table_cell(Cell::Text(&sheet.space.name)),
                columns.iter().map(|field| table_cell(field.cell(record))),
            ));
        }
    }
    lines.join("\n")
}

/// The call tree of a space, as it stands in the text.
fn tree(sheet: &Sheet<'_>, options: &Options, several: bool) -> Vec<String> {
    let space = several.then(|| format!("Space: {}", code(&one_line(&sheet.space.name))));
    let tree = call_tree::lines(&CallTree::of(sheet.space, options, !several), options).join("\n");
    let fence = "`".repeat(longest_backticks(&tree).max(2) + 1);
    space.into_iter().chain([format!("{fence}text\n{tree}\n{fence}")]).collect()
}

/// Who held a space's memory at its peak.
fn held_table(held: &Held) -> String {
    let titles = held::COLUMNS.map(str::to_owned);
    let mut lines = vec![line(titles), line(["---:", "---:", ":---"].map(str::to_owned))];
    for (bytes, blocks, name) in &held.rows {
        lines.push(line([Cell::Amount(*bytes), Cell::Amount(*blocks), Cell::Text(name)].map(table_cell)));
    }
    lines.join("\n")
}

/// Which crates held it.
fn crates_table(crates: &Crates) -> String {
    let rules = ["---:", "---:", "---:", "---:", ":---"];
    let mut lines = vec![line(crates::COLUMNS.map(str::to_owned)), line(rules.map(str::to_owned))];
    for [numbers @ .., name] in &crates.rows {
        lines.push(line(numbers.iter().cloned().chain([code_in_table(name)])));
    }
    lines.join("\n")
}

/// How rows differ between processes.
fn spread_table(spread: &SpreadTable) -> String {
    let rules = ["---:", "---:", "---:", "---:", ":---", ":---"];
    let mut lines = vec![line(spread::COLUMNS.map(str::to_owned)), line(rules.map(str::to_owned))];
    for [numbers @ .., of, name] in &spread.rows {
        lines.push(line(numbers.iter().cloned().chain([code_in_table(of), code_in_table(name)])));
    }
    let left_out = spread.left_out.as_ref().map(|left_out| format!("\n\n{left_out}"));
    lines.join("\n") + &left_out.unwrap_or_default()
}

/// A row of a table.
pub(crate) fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |", cells.join(" | "))
}

fn row(space: String, cells: impl Iterator<Item = String>) -> String {
    line(std::iter::once(space).chain(cells))
}

/// The mark below a column's title: numbers stand right, texts left.
fn rule(field: Field) -> &'static str {
    match field.cell(&Record::default()) {
        Cell::Text(_) => ":---",
        Cell::Amount(_) | Cell::Line(_) => "---:",
    }
}

/// Texts as code, so that `<T as Trait>` is not taken for HTML nor `_` for emphasis.
fn table_cell(value: Cell<'_>) -> String {
    let text = cell(value);
    match value {
        Cell::Text(_) => code_in_table(&text),
        Cell::Amount(_) | Cell::Line(_) => text,
    }
}

/// `text` as a code span in a cell, where `|` needs an escape, and then so does the backslash.
pub(crate) fn code_in_table(text: &str) -> String {
    if text.contains('|') { code(&text.replace('\\', r"\\").replace('|', r"\|")) } else { code(text) }
}

/// How many backticks stand in a row, at most.
fn longest_backticks(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

/// `text` as a code span, whatever backticks it has: fenced by one more than its longest run of them.
pub(crate) fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = longest_backticks(text);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}
