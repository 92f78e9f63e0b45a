//! Reports: a [`Snapshot`] as text, JSON, CSV or Markdown.
//!
//! Pure functions from a snapshot to a `String`. Two formats are for people and say the same things
//! ([`content`]): text ([`table`]) and Markdown ([`markdown`]). Two are for programs and leave nothing out:
//! JSON is the snapshot itself, as `serde` writes it, and CSV ([`csv`]) has one row per space and site.
//!
//! | | text, Markdown | CSV | JSON |
//! |---|---|---|---|
//! | order | as asked | as asked | by `memory_peak` |
//! | columns | as asked; the three of the contract and the name | as asked; all | all |
//! | rows | as asked; see [`content::Sheet`] | all | all |
//! | numbers | with thousands separators | plain | plain |
//! | odd names | one line each: [`cells::one_line`] | quoted | quoted |

mod cells;
mod content;
mod csv;
mod markdown;
mod table;

#[cfg(test)]
mod tests;

use std::{io, path::Path};

pub(crate) use self::{cells::one_line, table::text};
use crate::{record::Field, snapshot::Snapshot};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The default report: `.txt`.
    Text,
    /// The snapshot as `serde_json` writes it, on one line: `.json`.
    Json,
    /// One row per space and site: `.csv`.
    Csv,
    /// The default report as Markdown: `.md`.
    Markdown,
}

impl Format {
    /// The endings that [`Format::of`] knows, for a message.
    pub(crate) const ENDINGS: &str = ".txt, .json, .csv, .md";

    /// The format that the ending of `path` asks for, in upper or lower case.
    pub(crate) fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(Format::Text),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "md" => Some(Format::Markdown),
            _ => None,
        }
    }
}

/// What a report shows, and in which order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Greatest first for amounts; ascending for texts and lines. Ties keep the default order.
    pub(crate) order: Field,
    /// The columns, in order; `None` leaves them to the format.
    pub(crate) columns: Option<Vec<Field>>,
    /// At most so many rows a table; `None` for all.
    pub(crate) rows: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Options { order: Field::MemoryPeak, columns: None, rows: None }
    }
}

/// The whole report, ending with a newline.
///
/// # Errors
///
/// When a format's writer fails, which none does on a `String`: a caller passes it on instead of panicking.
pub(crate) fn render(snapshot: &Snapshot, options: &Options, format: Format) -> io::Result<String> {
    match format {
        Format::Text => Ok(text(snapshot, options)),
        Format::Json => Ok(serde_json::to_string(snapshot)? + "\n"),
        Format::Csv => csv::csv(snapshot, options),
        Format::Markdown => Ok(markdown::markdown(snapshot, options)),
    }
}
