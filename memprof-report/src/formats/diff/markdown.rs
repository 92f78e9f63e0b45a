//! The report of differences as Markdown, for a pull request: a line that says it, a table of at most twenty rows, and the
//! rest folded.

use std::io::{self, Write};

use super::{
    content::{self, Sheet, signed},
    text::cells,
};
use crate::{
    diff::{Change, Diff},
    formats::markdown::{code, code_in_table, line},
    one_line::one_line,
    options::Choice,
    record::Field,
    thousands::thousands,
};

/// Rows before the rest is folded.
const MOST_ROWS: usize = 20;
/// GitHub takes 65,536 characters in a comment, GitLab more. Folded rows stop before.
const MOST_BYTES: usize = 60_000;

/// Writes it, ending with one newline.
pub(crate) fn write(diff: &Diff, choice: &Choice, out: &mut dyn Write) -> io::Result<()> {
    let mut blocks = vec![format!("### {}", content::title(diff))];
    let spaces = content::spaces(diff, choice);
    if spaces.is_empty() {
        blocks.push("Nothing was measured in either.".to_owned());
    }
    blocks.extend(spaces.iter().map(|space| verdict(diff, choice, space)));
    let mut room = MOST_BYTES;
    for space in &spaces {
        let sheet = Sheet::new(diff, choice, space);
        let title = if spaces.len() > 1 { Some(format!("#### {}", code(&one_line(space)))) } else { None };
        for block in title.into_iter().chain(tables(diff, choice, &sheet, &mut room)) {
            blocks.push(block);
        }
    }
    let lines = [content::sources(diff, choice), content::notes(diff)].concat();
    blocks.push(lines.iter().map(|line| format!("- {}", code(line))).collect::<Vec<_>>().join("\n"));
    writeln!(out, "{}", blocks.join("\n\n"))
}

/// `**host: peak 1,000 → 1,500 bytes (+500, +50.0 %)**; ..`: what is judged by first stands out.
fn verdict(diff: &Diff, choice: &Choice, space: &str) -> String {
    let [first, others @ ..] = content::figures(diff, space).map(|figure| content::figure_text(&figure, "→"));
    let mut text = format!("**{}: {first}**; {}", code(&one_line(space)), others.join("; "));
    let places = content::places(diff, choice, space);
    if !places.is_empty() {
        let places: Vec<String> =
            places.iter().map(|(bytes, name)| format!("{} {}", signed(*bytes), code(name))).collect();
        text.extend([". Most of it, ", content::places_title(diff, choice), ": ", &places.join("; ")]);
    }
    text
}

/// The rows that stand open, those that are folded, and what is said below them.
fn tables(diff: &Diff, choice: &Choice, sheet: &Sheet<'_>, room: &mut usize) -> Vec<String> {
    let (order, columns) = (content::order(diff, choice), content::columns(diff, choice));
    let (open, folded) = sheet.rows.split_at(sheet.rows.len().min(MOST_ROWS));
    let mut blocks = Vec::new();
    let mut table = |rows: &[Change<'_>]| {
        let mut lines = head(order, &columns);
        let mut shown = 0;
        *room = room.saturating_sub(lines.iter().map(String::len).sum());
        for change in rows {
            let line = row(change, order, &columns);
            if line.len() >= *room {
                break;
            }
            *room -= line.len() + 1;
            lines.push(line);
            shown += 1;
        }
        (lines.join("\n"), rows.len() - shown)
    };
    let mut cut = 0;
    if !open.is_empty() {
        let (text, left) = table(open);
        blocks.push(text);
        cut += left;
    }
    if !folded.is_empty() {
        let (text, left) = table(folded);
        let shown = folded.len() - left;
        blocks
            .push(format!("<details><summary>{} more rows</summary>\n\n{text}\n\n</details>", thousands(shown as u64)));
        cut += left;
    }
    let mut lines = sheet.last_lines();
    if cut > 0 {
        lines.push(format!("{} more rows have no room here", thousands(cut as u64)));
    }
    if !lines.is_empty() {
        blocks.push(lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// The titles, with the compared field's own, and the rule below them.
fn head(order: Field, columns: &[Field]) -> Vec<String> {
    let compared = code(order.name());
    let titles =
        ["change".to_owned(), format!("{compared} before"), "after".to_owned(), "+/-".to_owned(), "+/- %".to_owned()];
    let others = columns.iter().map(|field| format!("{} +/-", code(field.name())));
    let titles: Vec<String> = titles.into_iter().chain(others).chain([Field::Name.title().to_owned()]).collect();
    let rules = (0..titles.len()).map(|index| if index == 0 || index == titles.len() - 1 { ":---" } else { "---:" });
    vec![line(titles.clone()), line(rules.map(str::to_owned))]
}

fn row(change: &Change<'_>, order: Field, columns: &[Field]) -> String {
    let mut cells = cells(change, order, columns);
    if let Some(name) = cells.last_mut() {
        *name = code_in_table(name);
    }
    line(cells)
}
