//! The report as one page for a browser: figures, flame graph and table in a file that loads nothing.
//!
//! What a reader sees is made by the script in `page/`, which is the page's only code, from [`data`], which this module
//! embeds as JSON. This module promises three things of the file:
//!
//! * **It is complete and safe.** Its policy (`Content-Security-Policy`) lets no request leave and no other script run: the
//!   style and the script are allowed by their hashes alone. A name can hold anything; it stands in the JSON with `<`
//!   escaped, and reaches the page only as text.
//! * **It has at most [`MOST_BYTES`]**, whatever the profile: [`fold`] takes the smallest rows together, and the page says how
//!   many and how much.
//! * **Its parts sum to the whole**, to the byte, in every measure: what was folded and what happened outside any scope are
//!   rows of their own.

mod rows;

mod diff;
mod embedded;
mod fold;

mod names;
mod spread;

mod data;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use self::data::Profiles;
use crate::{one_line::one_line, options::Options, snapshot::Snapshot};

/// No page is longer.
const MOST_BYTES: usize = 5_000_000;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// One module of several files: what stands first is used by what follows.
const SCRIPT: &str = concat!(
    include_str!("page/words.js"),
    include_str!("page/profile.js"),
    include_str!("page/tip.js"),
    include_str!("page/head.js"),
    include_str!("page/details.js"),
    include_str!("page/search.js"),
    include_str!("page/graph.js"),
    include_str!("page/table.js"),
    include_str!("page/spread.js"),
    include_str!("page/main.js"),
);

/// SHA-256 of [`STYLE`] and of [`SCRIPT`], in base64: what a browser compares before it takes them. A test says what to
/// write here after a change of theirs.
const STYLE_HASH: &str = "iMkkA2a8SknzRxyPVUpNSiW8PcWmNcLEbiMDv9aL2fo=";
const SCRIPT_HASH: &str = "xaGWyxBwiTD9JQUui/6dVTWJUN97uNyerucg8hHF7YI=";

/// Writes the page. Of the options it takes the order, the columns, and the measure and space that are shown first; all
/// rows are there.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let title = match snapshot.process().program.as_str() {
        "" => "Memory report".to_owned(),
        program => format!("{}: memory report", program.chars().take(100).collect::<String>()),
    };
    write_page(&title, Profiles { first: None, second: snapshot }, options, out)
}

/// Writes a page of what changed from `first` to `second`: what grew and shrank, what is new and gone, and a flame graph of
/// the differences.
///
/// Sites belong together where file (of a registry crate without its version), function and name are the same; of several
/// alike first those with equal lines, then the rest in order of line. So a moved line and an upgrade are no difference.
///
/// # Errors
///
/// Those of `out`.
pub fn write_diff(first: &Snapshot, second: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    write_page("Memory, before and after", Profiles { first: Some(first), second }, options, out)
}

fn write_page(title: &str, profiles: Profiles<'_>, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let shell = TEMPLATE.len() + STYLE.len() + SCRIPT.len();
    let data = data::json(profiles, options, MOST_BYTES - shell - ROOM_FOR_THE_REST)?;
    page(title, &data, out)
}

/// For the policy and the title.
const ROOM_FOR_THE_REST: usize = 10_000;

/// Fills in the template. What is put in is never looked through for placeholders.
fn page(title: &str, data: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut pieces = TEMPLATE.split("{{");
    out.write_all(pieces.next().unwrap_or_default().as_bytes())?;
    for piece in pieces {
        let (name, text) = piece.split_once("}}").unwrap_or((piece, ""));
        match name {
            "policy" => write!(
                out,
                "default-src 'none'; script-src 'sha256-{SCRIPT_HASH}'; style-src 'sha256-{STYLE_HASH}'; img-src data:; \
                 base-uri 'none'; form-action 'none'"
            )?,
            "title" => out.write_all(escaped(title).as_bytes())?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            _ => out.write_all(data.as_bytes())?,
        }
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// `text` as the content of an element.
fn escaped(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
