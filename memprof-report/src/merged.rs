//! [`Merged`]: what a profile of several processes has beside the numbers of one: which processes, and how they differ.
//!
//! Plain values. How they come about is said in [`merge`](crate::merge).

use std::collections::BTreeMap;

use crate::process::Process;

/// What a profile that was merged of several says of them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Merged {
    /// Each one's process, in the order in which they were merged.
    pub ranks: Vec<Process>,
    /// By space, how each row of it differs between them: in the order of the rows.
    pub spread: BTreeMap<String, Vec<Spread>>,
}

/// How the numbers of one row differ between the processes that have it.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Spread {
    /// `file:line(function)`, or the run-time name.
    pub name: String,
    /// How many processes have the row.
    pub ranks: u64,
    /// The greatest growth of any activation, of each process.
    pub memory_peak: Range<u64>,
    /// What the row itself owned, of each process.
    pub live: Range<i64>,
}

/// A number of several processes.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "formats", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Range<T> {
    /// The least.
    pub least: T,
    /// As many are below it as above; of an even number of processes the lower one of the two in the middle.
    pub median: T,
    /// The greatest.
    pub greatest: T,
    /// Which process has the least: the first of those that have. Its label, else what else it is called.
    pub least_of: String,
    /// Which process has the greatest, likewise.
    pub greatest_of: String,
}
