//! Which crate held a space's memory when it stood highest: the level above functions, where the profile says which packages were
//! tracked ([`Plan`]); and, where much happened outside any scope, which dependencies were not.
//!
//! A crate that a program has in two versions is two rows, told apart by version. Rows sum to the space's totals, to the byte: what is of no tracked package (a name given at run time) and what happened outside any
//! scope are rows of their own.

use std::cmp::Reverse;

use super::held;
use crate::{
    measure::{Measure, OUTSIDE},
    one_line::one_line,
    plan::Plan,
    snapshot::{Snapshot, SpaceData},
    thousands::thousands,
};

#[cfg(test)]
mod tests;

/// Of no tracked package.
const OF_NONE: &str = "(in no tracked crate)";
/// From this share of the whole on, in parts of a hundred, what happened outside any scope asks for a word.
const MUCH: i128 = 10;
/// Less than so many bytes outside any scope are no reason to track more: the standard library itself keeps some thousands.
const LITTLE: i128 = 64 << 10;
/// So many dependencies are named.
const MOST_NAMED: usize = 8;
/// So many are proposed to be tracked at once: each has its calls cost more.
const MOST_SUGGESTED: usize = 3;

/// The titles of the columns.
pub(crate) const COLUMNS: [&str; 5] = ["at_peak", "self_total", "live", "functions", "crate"];

/// What the crates of a program own.
#[derive(Debug, PartialEq)]
pub(crate) struct Crates {
    pub(crate) title: String,
    /// Most at the peak first.
    pub(crate) rows: Vec<[String; COLUMNS.len()]>,
}

/// The numbers of one.
#[derive(Default)]
struct Sum {
    name: String,
    measures: [i128; Measure::ALL.len()],
    /// Rows that own anything.
    functions: usize,
}

impl Crates {
    /// `None` where there is only one to name.
    pub(crate) fn of(space: &SpaceData, plan: &Plan) -> Option<Crates> {
        let mut sums = sums(space, plan);
        if sums.len() < 2 {
            return None;
        }
        let outside = Measure::ALL.iter().map(|measure| measure.outside(&space.totals));
        sums.push(Sum { name: OUTSIDE.to_owned(), measures: in_order(outside), functions: 0 });
        sums.retain(|sum| sum.measures.iter().any(|bytes| *bytes != 0));
        let [at_peak, live, self_total] = [0, 1, 2];
        sums.sort_by_key(|sum| (Reverse(sum.measures[at_peak]), Reverse(sum.measures[self_total])));
        let row = |sum: Sum| {
            let bytes = |measure: usize| thousands(sum.measures[measure]).to_string();
            let functions =
                if sum.functions == 0 { String::new() } else { thousands(sum.functions as u64).to_string() };
            [bytes(at_peak), bytes(self_total), bytes(live), functions, one_line(&sum.name)]
        };
        Some(Crates { title: held::title(space, ", by crate"), rows: sums.into_iter().map(row).collect() })
    }
}

fn in_order(bytes: impl Iterator<Item = i128>) -> [i128; Measure::ALL.len()] {
    let mut all = [0; Measure::ALL.len()];
    all.iter_mut().zip(bytes).for_each(|(to, bytes)| *to = bytes);
    all
}

/// A sum for each package, by its title, and for what is of none.
fn sums(space: &SpaceData, plan: &Plan) -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for record in &space.records {
        let bytes: [i128; Measure::ALL.len()] = [record.at_peak.into(), record.live.into(), record.self_total.into()];
        if bytes == [0; Measure::ALL.len()] {
            continue;
        }
        let name = plan.package_of(&record.file).map_or(OF_NONE.into(), |package| plan.title_of(package));
        let index = sums.iter().position(|sum| sum.name == name).unwrap_or_else(|| {
            sums.push(Sum { name: name.into_owned(), ..Sum::default() });
            sums.len() - 1
        });
        let sum = &mut sums[index];
        sum.functions += 1;
        sum.measures.iter_mut().zip(bytes).for_each(|(to, bytes)| *to += bytes);
    }
    sums
}

/// What is said of a space of a profile beside its totals: which dependencies can be tracked.
pub(crate) fn untracked_line(snapshot: &Snapshot, space: &SpaceData) -> Option<String> {
    if space.name == "host" { untracked(space, snapshot.plan()?) } else { None }
}

/// Where much happened outside any scope: which dependencies can be tracked, so that less does. Only what is known: that they are
/// not tracked, and whether they start threads or tasks, on which nobody's scope is open.
fn untracked(space: &SpaceData, plan: &Plan) -> Option<String> {
    let is_much = |measure: Measure| {
        let (outside, whole) = (measure.outside(&space.totals), measure.whole(&space.totals));
        outside >= LITTLE && outside * 100 >= whole * MUCH
    };
    if plan.untracked.is_empty() || !(is_much(Measure::AtPeak) || is_much(Measure::SelfTotal)) {
        return None;
    }
    let starting = usize::try_from(plan.starting).unwrap_or(usize::MAX).min(plan.untracked.len());
    let (starting, others) = plan.untracked.split_at(starting);
    let mut parts = Vec::new();
    if !starting.is_empty() {
        let begin = if starting.len() == 1 { "starts" } else { "start" };
        parts.push(format!("{} {begin} threads or tasks", names(starting)));
    }
    if !others.is_empty() {
        parts.push(if starting.is_empty() { names(others) } else { format!("others: {}", names(others)) });
    }
    // Those on whose threads it happens; where none is known, what the program calls.
    let first = if starting.is_empty() { others } else { starting };
    let first: Vec<&str> = first.iter().take(MOST_SUGGESTED).map(String::as_str).collect();
    let them = if first.len() == 1 { "it" } else { "them" };
    Some(format!(
        "outside any scope is what dependencies do on threads and tasks of their own; not tracked: {}; --deps {} tracks {them}, --deps all every one",
        parts.join("; "),
        first.join(",")
    ))
}

/// `a, b and 3 more`.
fn names(all: &[String]) -> String {
    let (named, rest) = all.split_at(all.len().min(MOST_NAMED));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    let named: Vec<String> = named.iter().map(|name| one_line(name)).collect();
    format!("{}{more}", named.join(", "))
}
