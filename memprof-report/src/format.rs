//! [`Format`]: how a report is written, and the ending that asks for it.
//!
//! A format is a module of its own with one function of the same shape,
//! `fn write(&Snapshot, &Options, &mut dyn Write) -> io::Result<()>`, and one line of the table below.
//!
//! | | text, Markdown | CSV | JSON | HTML |
//! |---|---|---|---|---|
//! | order | as asked | as asked | by `memory_peak` | as asked, and any by a click |
//! | space | as asked; all | as asked; all | all | all, the one asked for first |
//! | columns | as asked; the three of the contract and the name | as asked; all | all | as asked; those that are not 0 throughout |
//! | chains of scopes that own nothing | as asked: a line each, or each scope | each scope | each scope | as asked |
//! | rows | as asked; where several spaces have events, none of zeros | all | all | all; the smallest are folded where there are very many |
//! | numbers | with thousands separators | plain | plain | with thousands separators; short ones beside them |
//! | odd names | one line each | quoted | quoted | one line each |
//!
//! Formats for viewers show additive numbers alone ([`Measure`](crate::Measure)): one, as asked, else at the peak (SVG, collapsed stacks), or
//! all three. Their parts sum to the totals, to the byte.

use std::{
    io::{self, Write},
    path::Path,
};

#[cfg(feature = "formats")]
use crate::one_line::one_line;
use crate::{options::Options, snapshot::Snapshot};

#[cfg(all(test, feature = "formats"))]
mod tests;

/// Writes [`Format`] from one list: per format its docs, its variant, its ending, and the module that writes it.
macro_rules! formats {
    ($($(#[$doc:meta])+ $variant:ident $ending:literal $module:ident;)+) => {
        /// How a report is written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Format {
            $($(#[$doc])+ $variant,)+
        }

        impl Format {
            /// Every format.
            pub const ALL: &[Format] = &[$(Format::$variant),+];

            /// The ending of its files, with its dot, in lower case.
            pub fn ending(self) -> &'static str {
                match self { $(Format::$variant => $ending,)+ }
            }

            /// Writes the whole report of `snapshot`.
            ///
            /// # Errors
            ///
            /// A space asked for in which nothing happened, and those of `out`.
            #[cfg(feature = "formats")]
            pub fn write(self, snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
                check_space(snapshot, options)?;
                let folded = (options.folded && self.is_for_people()).then(|| crate::chains::folded(snapshot));
                let snapshot = folded.as_ref().unwrap_or(snapshot);
                match self { $(Format::$variant => crate::formats::$module::write(snapshot, options, out),)+ }
            }
        }
    };
}

formats! {
    /// The default report, for people.
    Text ".txt" text;
    /// The profile itself, on one line: what memprof reads back.
    Json ".json" json;
    /// One row per space and site, for programs.
    Csv ".csv" csv;
    /// The default report as Markdown, for an issue or a pull request.
    Markdown ".md" markdown;
    /// One page for a browser, with a flame graph; it loads nothing.
    Html ".html" html;
    /// One flame graph, standing still.
    Svg ".svg" svg;
    /// Collapsed stacks, of one measure: inferno, flamegraph.pl, speedscope.
    Folded ".folded" folded;
    /// The profile of `go tool pprof`, Pyroscope, Parca, Polar Signals.
    Pprof ".pb.gz" pprof;
    /// A profile for each space and measure: speedscope.
    Speedscope ".speedscope.json" speedscope;
    /// Program points for valgrind's `dh_view.html`.
    Dhat ".dhat.json" dhat;
    /// Heap graphs: Perfetto.
    Perfetto ".pftrace" perfetto;
    /// What Prometheus scrapes.
    OpenMetrics ".prom" openmetrics;
}

/// Refuses a space that the snapshot says nothing of: the report would be empty, and look as if nothing was held there.
#[cfg(feature = "formats")]
fn check_space(snapshot: &Snapshot, options: &Options) -> io::Result<()> {
    let Some(asked) = &options.space else { return Ok(()) };
    if snapshot.spaces().any(|space| space == asked) {
        return Ok(());
    }
    let spaces: Vec<String> = snapshot.spaces().map(one_line).collect();
    let accepted = if spaces.is_empty() { "none, nothing was measured".to_owned() } else { spaces.join(", ") };
    let problem = format!("no space ‘{}’ in which anything happened; accepted: {accepted}", one_line(asked));
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

impl Format {
    /// Whether what it shows is for people to read, and not for programs to go on with.
    #[cfg(feature = "formats")]
    fn is_for_people(self) -> bool {
        matches!(self, Format::Text | Format::Markdown | Format::Html | Format::Svg)
    }

    /// The format that the name of a file asks for: that of the longest ending that fits, in upper or lower case.
    ///
    /// ```
    /// use memprof_report::Format;
    ///
    /// assert_eq!(Format::of("out/report.json"), Some(Format::Json));
    /// assert_eq!(Format::of("report"), None);
    /// ```
    pub fn of(path: impl AsRef<Path>) -> Option<Format> {
        let name = path.as_ref().file_name()?.to_string_lossy().to_ascii_lowercase();
        let fits = |format: &&Format| name.len() > format.ending().len() && name.ends_with(format.ending());
        Format::ALL.iter().filter(fits).max_by_key(|format| format.ending().len()).copied()
    }

    /// Every ending, for a message: `.txt, .json, .csv, .md, ..`.
    pub fn endings() -> String {
        let endings: Vec<&str> = Format::ALL.iter().map(|format| format.ending()).collect();
        endings.join(", ")
    }

    /// Writes the one line that there is: nothing was measured.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    #[cfg(not(feature = "formats"))]
    pub fn write(self, _snapshot: &Snapshot, _options: &Options, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            b"Memory Profiling\n================\n\nmemprof is off: run with MEMPROF=1 or call memprof::enable()\n",
        )
    }
}
