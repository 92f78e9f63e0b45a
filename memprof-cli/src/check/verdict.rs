//! [`Verdict`]: one limit, and what exceeded it; and who holds most of what did.
//!
//! Plain values: texts are ready to print, and the names of the fields are those of `--json`, which programs read. Who
//! judges is `judge` and `compare`, who prints [`output`](super::output).

use std::{cmp::Reverse, collections::HashMap};

use memprof_report::{Measure, OUTSIDE, Record, Snapshot, one_line};
use serde::Serialize;

use super::limit::Limit;

/// How many scopes are named.
pub(crate) const MOST_HOLDERS: usize = 3;

/// What came of one limit in one space.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    /// `budget` or `baseline`.
    pub(crate) kind: &'static str,
    /// `budget 2 (memprof.toml:9), scope "DataFrame::*" in host: peak`.
    pub(crate) title: String,
    pub(crate) space: String,
    pub(crate) limit: &'static str,
    /// How many rows were judged; a whole space is one.
    pub(crate) rows: usize,
    /// Of those, what came nearest to its limit.
    pub(crate) nearest: String,
    pub(crate) failures: Vec<Failure>,
}

/// One number that is over its limit.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// The row, `file:line(function)`; the space for the whole of it.
    pub(crate) name: String,
    pub(crate) measured: i128,
    pub(crate) allowed: i128,
    /// The two in words.
    pub(crate) text: String,
    /// What `holders` is about.
    pub(crate) held: &'static str,
    /// The scopes that hold most of it.
    pub(crate) holders: Vec<Holder>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Holder {
    pub(crate) bytes: i128,
    pub(crate) name: String,
}

/// What holders are about: the words before their list.
pub(crate) fn held(measure: Measure) -> &'static str {
    match measure {
        Measure::AtPeak => "held at the peak of the space by",
        Measure::Live => "live, of",
        Measure::SelfTotal => "allocated by",
    }
}

/// The scopes that hold most of what a row and all below it need, or of a whole space.
pub(crate) fn holders(
    snapshot: &Snapshot,
    space: &str,
    row: Option<&Record>,
    limit: Limit,
) -> (&'static str, Vec<Holder>) {
    // What a row itself owns is nobody else's.
    let is_own = row.is_some() && limit == Limit::Live;
    let Some(measure) = limit.measure().filter(|_| !is_own) else { return ("", Vec::new()) };
    let found = by_name(snapshot, space, row, measure);
    // Below a row nothing may have been held when the space stood highest: then what was allocated says more than nothing.
    if found.is_empty() && measure == Measure::AtPeak {
        return (held(Measure::SelfTotal), by_name(snapshot, space, row, Measure::SelfTotal));
    }
    (held(measure), found)
}

fn by_name(snapshot: &Snapshot, space: &str, row: Option<&Record>, measure: Measure) -> Vec<Holder> {
    let tree = snapshot.tree(space);
    let mut sums: HashMap<&str, i128> = HashMap::new();
    let mut is_inside = Vec::with_capacity(tree.len());
    for path in tree {
        let around = path.parent.is_some_and(|parent| is_inside[parent]);
        let inside = around || row.is_none_or(|row| row.name == path.name);
        is_inside.push(inside);
        if inside {
            *sums.entry(&path.name).or_default() += measure.own(path);
        }
    }
    if row.is_none() {
        sums.insert(OUTSIDE, measure.outside(&snapshot.totals(space)));
    }
    let mut holders: Vec<(&str, i128)> = sums.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    holders.sort_by_key(|(name, bytes)| (Reverse(*bytes), *name));
    holders.truncate(MOST_HOLDERS);
    holders.into_iter().map(|(name, bytes)| Holder { bytes, name: one_line(name) }).collect()
}
