//! What [memprof](https://docs.rs/memprof) measured, as plain values: saved profiles, and the report in every format.
//!
//! A [`Snapshot`] is everything that was measured up to one moment: by space, a [`Record`] for each site, a
//! [`PathRecord`] for each node of the call tree, and [`Totals`] of the whole. The recorder makes one in the measured
//! program; whoever reads a saved profile makes one of a file. Both write it with the same functions, in any
//! [`Format`].
//!
//! ```
//! use memprof_report::{Field, Snapshot};
//!
//! let saved = r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
//!     "notes": [], "spaces": []}"#;
//! let snapshot: Snapshot = serde_json::from_str(saved)?;
//! for space in snapshot.spaces() {
//!     for record in snapshot.records(space) {
//!         println!("{space}: {} needs {} bytes", record.name, record.memory_peak);
//!     }
//! }
//! println!("{}", snapshot.report().order(Field::Live).rows(20));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! This crate promises that a value read back equals the one that was written, and that the parts in every format sum to
//! the totals. It has no lock, no thread, no global and no `unsafe`, and names no other crate of memprof's: how the
//! numbers come about is the recorder's business.
//!
//! Without the feature `formats` the values are there, without serde, and a report is the line that memprof is off.

#![forbid(unsafe_code)]

mod begun;
mod device;
mod one_line;
mod served;
mod units;
mod process;
mod record;

mod merged;
mod plan;

mod measure;
mod snapshot;

mod chains;
mod pairs;

mod diff;

mod file;
mod options;

mod thousands;

mod merge;

#[cfg(feature = "formats")]
mod formats;

mod format;
mod report;

mod diff_report;

pub use chains::folded;
pub use device::Device;
pub use diff::{Change, Diff, Kind, PathChange};
pub use diff_report::DiffReport;
pub use format::Format;
#[cfg(feature = "formats")]
pub use formats::html::write_diff as write_html_diff;
pub use measure::{Measure, Node, OUTSIDE, frame, weigh};
pub use merge::{Merge, median};
pub use merged::{Merged, Range, Spread};
pub use one_line::one_line;
pub use options::{Asker, Options};
pub use pairs::stable_file;
pub use plan::{Plan, TrackedPackage};
pub use process::{Process, Resident};
pub use record::{Cell, Field, PathRecord, Record, Totals};
pub use report::Report;
pub use snapshot::Snapshot;
pub use thousands::{Thousands, thousands};

/// What the recorder and the command read alike, and what the command writes as reports are written. Not part of the public surface.
#[doc(hidden)]
pub mod __common {
    pub use crate::file::{check as check_file, replace as replace_file};
    pub use crate::served::{HEADERS, Refusal, Visitor, once};
    pub use crate::units::{AMOUNTS, Increase, TIMES, bytes, time, wrong_amount};

    /// By which files one is told that a process has begun to measure.
    pub mod begun {
        pub use crate::begun::{VARIABLE, file_name, process};
    }
}

/// What the recorder makes a snapshot with, and shares with the formats. Not part of the public surface.
#[doc(hidden)]
pub mod __recorder {
    pub use crate::one_line::one_line;
    pub use crate::process::rfc3339;
    pub use crate::snapshot::{HostState, SnapshotParts, SpaceData};
    pub use crate::thousands::thousands;
}
