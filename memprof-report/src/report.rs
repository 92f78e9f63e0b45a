//! [`Report`]: a snapshot with the choice of what to show of it, to be printed or written to a file.
//!
//! It only refers to the snapshot, so the same one is shown in several ways. How it looks is left to the formats.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

use crate::{
    file,
    format::Format,
    measure::Measure,
    one_line::one_line,
    options::{Asker, Options},
    record::Field,
    snapshot::Snapshot,
};

#[cfg(all(test, feature = "formats"))]
mod tests;

impl Snapshot {
    /// The report of this snapshot, as the default one until something else is asked for.
    ///
    /// ```
    /// # let snapshot: memprof_report::Snapshot = serde_json::from_str(
    /// #     r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true}, "notes": [], "spaces": []}"#,
    /// # )?;
    /// use memprof_report::Field;
    ///
    /// println!("{}", snapshot.report().order(Field::Live).columns([Field::Live, Field::Name]).rows(20));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn report(&self) -> Report<'_> {
        Report { snapshot: self, options: Options::default(), format: None }
    }
}

/// A report of a [`Snapshot`]: what the environment can ask for, as values.
///
/// [`Display`](fmt::Display) gives it as text, or in the format that was asked for.
#[derive(Clone, Debug)]
#[must_use = "a report is printed or written"]
pub struct Report<'a> {
    snapshot: &'a Snapshot,
    options: Options,
    format: Option<Format>,
}

impl Report<'_> {
    /// Orders the rows by a field: amounts greatest first, texts and lines ascending.
    pub fn order(mut self, field: Field) -> Self {
        self.options.order = field;
        self
    }

    /// Shows these columns, in this order.
    pub fn columns(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.options.columns = Some(fields.into_iter().collect());
        self
    }

    /// Shows at most so many rows a table; a line says how many are left out.
    pub fn rows(mut self, most: usize) -> Self {
        self.options.rows = Some(most);
        self
    }

    /// Shows the call tree instead of the flat table, in text, Markdown and CSV.
    ///
    /// A path is indented by how deep it stands, the greatest branch first: `branch` is what a measure says of the path and of all
    /// below it, `share` its part of the path that it stands in. The measure is the one [asked for](Self::measure), else the
    /// one that the [order](Self::order) stands for: `live`; `self_total` for totals; else `at_peak`. Branches of less than a
    /// hundredth of everything are folded into a line that says how many they are and sums them, and so are the smallest
    /// where there are more than the [rows](Self::rows) asked for. CSV has a line for every path, with its number and that of
    /// the path that it stands in, and folds none.
    pub fn tree(mut self, tree: bool) -> Self {
        self.options.tree = tree;
        self
    }

    /// Shows chains of scopes that own nothing as one line each, `run › main › search (3 scopes)`, in table, call tree, page and flame graph
    /// alike: see [`folded`](crate::folded). Formats for programs have the profile as it is.
    pub fn folded(mut self, folded: bool) -> Self {
        self.options.folded = folded;
        self
    }

    /// Shows the rows of these names alone in the flat tables of text and Markdown; a line says how many others there are.
    /// Who held the memory at the peak, and all sums, are of all rows.
    pub fn only(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.options.only = Some(names.into_iter().collect());
        self
    }

    /// Shows in text, instead of the tables, on which ways the sites of these names were called.
    ///
    /// The first line is the site: `branch` is what the measure (see [`tree`](Self::tree)) says of it and of all that it called, however it was
    /// called. A line below another one is who called that: the part of the bytes for which it was called this way. So the
    /// callers of a line sum to it, to the byte; what they lack are calls that nothing else stood around. Where a function
    /// calls itself, the outermost call counts.
    pub fn callers(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.options.callers = Some(names.into_iter().collect());
        self
    }

    /// Shows in text, instead of the tables, what the sites of these names called: their branches of the [call tree](Self::tree), put together over
    /// all ways on which they were called.
    pub fn callees(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.options.callees = Some(names.into_iter().collect());
        self
    }

    /// Shows this measure, in a format that shows one.
    pub fn measure(mut self, measure: Measure) -> Self {
        self.options.measure = Some(measure);
        self
    }

    /// Shows this space alone. One in which nothing happened is an error of [`write`](Self::write).
    pub fn space(mut self, space: impl AsRef<str>) -> Self {
        self.options.space = Some(space.as_ref().to_owned());
        self
    }

    /// Writes it in this format, whatever the ending of the file.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Says who asks, for the lines that say how to get more.
    pub fn asker(mut self, asker: Asker) -> Self {
        self.options.asker = asker;
        self
    }

    /// Takes all of its options from elsewhere.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Writes it to `out`.
    ///
    /// # Errors
    ///
    /// A [`space`](Self::space) in which nothing happened, and those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.format.unwrap_or(Format::Text).write(self.snapshot, &self.options, out)
    }

    /// Writes it to the file at `path`, in the format of its ending unless one was [asked for](Self::format): all of it or
    /// nothing, into a temporary file beside it, which then takes its name. A reader sees the file before or this one.
    /// The directory must be there; a link at `path` is replaced.
    ///
    /// # Errors
    ///
    /// An ending that no format has, a [`space`](Self::space) in which nothing happened, and what the system says of the file. The error's text names the path. Nothing is
    /// left behind, and what stood at `path` still stands.
    pub fn write_to(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let written = match self.format.or_else(|| Format::of(path)) {
            Some(format) => file::replace(path, |out| format.write(self.snapshot, &self.options, out)),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("its ending names no format; accepted: {}", Format::endings()),
            )),
        };
        written.map_err(|error| {
            let path = one_line(&path.to_string_lossy());
            io::Error::new(error.kind(), format!("cannot write the report to ‘{path}’: {error}"))
        })
    }
}

/// The report; where there is none for what was asked, why.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        match self.write(&mut bytes) {
            Ok(()) => f.write_str(&String::from_utf8_lossy(&bytes)),
            Err(error) => writeln!(f, "{error}"),
        }
    }
}

/// The default report.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}
