//! Tables of text.

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
