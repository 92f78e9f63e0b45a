//! [`DiffReport`]: a difference with the choice of what to show of it, to be printed or written to a file.
//!
//! What changed is [`Diff`](crate::Diff)'s; how it looks is left to `formats::diff`.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

#[cfg(feature = "formats")]
use crate::formats;
use crate::{diff::Diff, file, format::Format, measure::Measure, one_line::one_line, options::Choice, record::Field};

impl Diff {
    /// The report of these differences, as the default one until something else is asked for.
    pub fn report(&self) -> DiffReport<'_> {
        DiffReport { diff: self, choice: Choice::default(), format: None }
    }
}

/// A report of a [`Diff`]: what is worse, by how much, and where.
///
/// [`Display`](fmt::Display) gives it as text, or in the format that was asked for.
#[derive(Clone, Debug)]
#[must_use = "a report is printed or written"]
pub struct DiffReport<'a> {
    diff: &'a Diff,
    choice: Choice,
    format: Option<Format>,
}

impl DiffReport<'_> {
    /// The formats in which a difference can be written.
    pub const FORMATS: &'static [Format] = &[Format::Text, Format::Markdown, Format::Html, Format::Svg, Format::Json];

    /// Compares by this field, and orders by what it changed, the greatest change first. By default `memory_peak`, and
    /// between two snapshots of one process `live`.
    pub fn order(mut self, field: Field) -> Self {
        self.choice.order = Some(field);
        self
    }

    /// Shows the differences of these fields too, in this order.
    pub fn columns(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.choice.columns = Some(fields.into_iter().collect());
        self
    }

    /// Shows at most so many rows a table. By default the text has all; Markdown folds those after the twentieth.
    pub fn rows(mut self, most: usize) -> Self {
        self.choice.rows = Some(most);
        self
    }

    /// Shows this measure in a flame graph. By default what was held at the peak, and between two snapshots of one process
    /// what is live.
    pub fn measure(mut self, measure: Measure) -> Self {
        self.choice.measure = Some(measure);
        self
    }

    /// Shows this space alone.
    pub fn space(mut self, space: impl AsRef<str>) -> Self {
        self.choice.space = Some(space.as_ref().to_owned());
        self
    }

    /// Says where the two profiles are from: the names of their files.
    pub fn names(mut self, before: impl Into<String>, after: impl Into<String>) -> Self {
        self.choice.names = Some([before.into(), after.into()]);
        self
    }

    /// Writes it in this format, one of [`FORMATS`](Self::FORMATS), whatever the ending of the file.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Writes it to `out`.
    ///
    /// # Errors
    ///
    /// A format that differences have not, and those of `out`.
    #[cfg(feature = "formats")]
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (diff, choice) = (self.diff, &self.choice);
        match self.format.unwrap_or(Format::Text) {
            Format::Text => formats::diff::text::write(diff, choice, out),
            Format::Markdown => formats::diff::markdown::write(diff, choice, out),
            Format::Svg => formats::diff::svg::write(diff, choice, out),
            Format::Html => formats::diff::write_html(diff, choice, out),
            Format::Json => formats::diff::json::write(diff, out),
            _ => Err(no_format()),
        }
    }

    /// Writes the one line that there is: nothing was measured.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    #[cfg(not(feature = "formats"))]
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.diff.after().report().write(out)
    }

    /// Writes it to the file at `path`, in the format of its ending unless one was [asked for](Self::format): all of it or
    /// nothing, as [`Report::write_to`](crate::Report::write_to) does.
    ///
    /// # Errors
    ///
    /// An ending that differences have not, and what the system says of the file. The error's text names the path.
    pub fn write_to(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let format = self.format.or_else(|| Format::of(path)).filter(|format| Self::FORMATS.contains(format));
        let written = match format {
            Some(format) => file::replace(path, |out| self.clone().format(format).write(out)),
            None => Err(no_format()),
        };
        written.map_err(|error| {
            let path = one_line(&path.to_string_lossy());
            io::Error::new(error.kind(), format!("cannot write the differences to ‘{path}’: {error}"))
        })
    }
}

fn no_format() -> io::Error {
    let endings: Vec<&str> = DiffReport::FORMATS.iter().map(|format| format.ending()).collect();
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("its ending names no format of differences; accepted: {}", endings.join(", ")),
    )
}

impl fmt::Display for DiffReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        self.write(&mut bytes).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&bytes))
    }
}

/// The default report of the differences.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}
