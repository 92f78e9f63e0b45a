//! When a report is due because the process holds more than before: `MEMPROF_RISE`.
//!
//! A long run has few moments of interest, mostly those at which it holds more than ever. A file at each of them
//! shows who held it, also if the process is killed at the next. What is looked at is the host's published mark,
//! two loads ten times a second; a rise that is over before the next look is seen by its mark all the same.

use core::time::Duration;

use memprof_report::__common::Increase;

use crate::process::settings::Settings;
use crate::space::level;

/// How often the mark is looked at, and so how often a report can come.
const EVERY: Duration = Duration::from_millis(100);

/// Whether it holds so much more than at the last file.
pub(crate) struct Watch {
    rise: Option<Increase>,
    /// What the process held at its highest when the last file was written.
    written_at: i64,
}

impl Watch {
    pub(crate) fn begin(settings: &Settings) -> Self {
        Self { rise: settings.rise, written_at: 0 }
    }

    /// Nothing is due any more.
    pub(crate) fn nothing() -> Self {
        Self { rise: None, written_at: 0 }
    }

    /// How often to ask; `None` for never.
    pub(crate) fn every(&self) -> Option<Duration> {
        self.rise.map(|_| EVERY)
    }

    /// Whether the mark has risen by as much as is asked for since the last file was written.
    pub(crate) fn has_risen(&self) -> bool {
        let (mark, _) = level::published_peak();
        let risen = i128::from(mark) - i128::from(self.written_at);
        self.rise.is_some_and(|rise| risen > 0 && risen >= rise.over(self.written_at.into()))
    }

    /// A file was written just now, whatever for.
    pub(crate) fn note_written(&mut self) {
        (self.written_at, _) = level::published_peak();
    }
}
