//! Reading all threads while they go on.
//!
//! Nobody is stopped and nothing is set back: what is read is copied from slots that their threads keep writing
//! ([`read`](crate::thread::read)). A number that cannot be read whole in a bounded number of tries is counted as
//! such, and said in a note. What is read ends as plain values of `memprof-report`; how those look is left to that
//! crate.
//!
//! ```text
//! slots of all threads ──► rows ──┐
//! suspended futures ─► futures ───┼──► sums, by path ──► records: by site, by path ──► Snapshot
//! ambient scopes, open ───────────┘        ▲ less baseline (what stood there at the last reset)
//! marks, picture ─► owners at the peak ────┘
//! probes ─► devices      limits, what was missed ─► notes      the system ─► resident
//! ```
//!
//! Every number comes from sums that only grow, so a reader needs no moment at which all threads stand still: it
//! needs one for each row, and for what is open on a thread together with the rows of the same paths.

pub(crate) mod notes;
pub(crate) mod sums;
pub(crate) mod open_rows;
pub(crate) mod baseline;
pub(crate) mod rows;
pub(crate) mod futures;
pub(crate) mod devices;
pub(crate) mod records;
pub(crate) mod snapshot;
pub(crate) mod reset;
