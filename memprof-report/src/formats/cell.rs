//! A cell of a table for people.
//!
//! Every table for people has its cells by this, so a number or a name looks the same in each. Alignment, and what a
//! format has to escape besides, is its own.

use crate::{one_line::one_line, record::Cell, thousands::thousands};

/// Amounts with thousands separators, lines plain, texts by [`one_line`].
pub(crate) fn cell(cell: Cell<'_>) -> String {
    match cell {
        Cell::Amount(amount) => thousands(amount).to_string(),
        Cell::Line(line) => line.to_string(),
        Cell::Text(text) => one_line(text),
    }
}
