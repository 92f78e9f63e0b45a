//! Numbers and names as people read them, on one line each.

use std::fmt::{self, Write as _};

use crate::record::Cell;

/// A cell of a report for people: amounts with thousands separators, lines plain, texts by [`one_line`].
pub(super) fn cell(cell: Cell<'_>) -> String {
    match cell {
        Cell::Amount(amount) => thousands(amount).to_string(),
        Cell::Line(line) => line.to_string(),
        Cell::Text(text) => one_line(text),
    }
}

/// `number` with a comma before every third digit from the end: `-1,234,567`.
pub(super) fn thousands(number: impl Into<i128>) -> Thousands {
    Thousands(number.into())
}

/// See [`thousands`].
#[derive(Debug)]
pub(super) struct Thousands(i128);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let digits = self.0.unsigned_abs().to_string();
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// `text` on one line: what would break the line, move the cursor or turn the writing direction becomes its
/// escape, as in a Rust literal (`\n`, `\u{1b}`). All else stays, backslashes and non-ASCII too.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if breaks_a_line(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Control characters, line and paragraph separators, and the marks that turn the writing direction.
fn breaks_a_line(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}
