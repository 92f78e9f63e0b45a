//! Tables of text, and what stands above them.
//!
//! The layout is a promise (docs/semantics.md): columns are told apart by single spaces, and width is what a terminal
//! shows, also of wide characters, which is left to `tabled`. What is in the cells is left to who fills them.

use tabled::{
    builder::Builder,
    settings::{Alignment, Padding, Style, object::Columns},
};

/// The lines of a table: columns as wide as their widest cell and one space apart, to the right but for the last, and no space at
/// the end of a line.
pub(crate) fn aligned(table: Builder) -> Vec<String> {
    let mut table = table.build();
    table.with(Style::blank()).with(Padding::zero()).with(Alignment::right());
    table.modify(Columns::last(), Alignment::left());
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// A line for each column that is explained.
pub(crate) fn legends(explained: &[(&str, String)]) -> String {
    let width = explained.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = explained.iter().map(|(name, meaning)| format!("\n{name:width$} - {meaning}"));
    "Legends:".to_owned() + &lines.collect::<String>()
}
