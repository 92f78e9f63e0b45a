//! Names on one line, whatever they hold.
//!
//! Names come from anybody: at run time, or from a file. Every format for people, and the command's own lines, show
//! them by this, so none breaks a table, moves the cursor of a terminal or turns text round. Formats for programs have
//! names raw, by their own rules of quoting.

/// `text` on one line: what would break the line, move the cursor or turn the writing direction becomes its
/// escape, as in a Rust literal (`\n`, `\u{1b}`). All else stays, backslashes and non-ASCII too.
///
/// ```
/// assert_eq!(memprof_report::one_line("layer\n3"), "layer\\n3");
/// ```
pub fn one_line(text: &str) -> String {
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
