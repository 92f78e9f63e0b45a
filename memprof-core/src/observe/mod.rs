//! Reading all threads while they go on.
//!
//! Nobody is stopped and nothing is set back: what is read is copied from slots that their threads keep writing
//! ([`read`](crate::thread::read)). A number that cannot be read whole in a bounded number of tries is counted as
//! such, and said in a note. What is read ends as plain values of `memprof-report`; how those look is left to that
//! crate.

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
