//! Judges a profile by the budgets of `memprof.toml`.
//!
//! Nothing passes unseen: a pattern that matches no row, a space or a number that was not measured, is an error and no verdict. What is
//! printed of verdicts is left to [`output`](super::output).

use memprof_report::{Record, Snapshot, one_line, thousands};

use super::{
    budgets::Budget,
    limit::Limit,
    verdict::{Failure, Holder, MOST_HOLDERS, Verdict, holders},
};

/// Judges each limit of a budget in each space that it is about.
///
/// # Errors
///
/// A space or a number that was not measured, and a pattern that matches no row.
pub(crate) fn judge(budget: &Budget, snapshot: &Snapshot) -> Result<Vec<Verdict>, String> {
    let spaces: Vec<&str> = snapshot.spaces().filter(|space| budget.space.matches(space)).collect();
    if spaces.is_empty() {
        let measured: Vec<String> = snapshot.spaces().map(one_line).collect();
        let measured = if measured.is_empty() { "none".to_owned() } else { measured.join(", ") };
        return Err(format!(
            "{}: space = \"{}\" was not measured; measured: {measured}",
            budget.title, budget.space.text
        ));
    }
    let is_whole = budget.scope.is_none() && budget.file.is_none();
    let mut verdicts = Vec::new();
    let mut matched = false;
    for space in spaces {
        let rows: Vec<&Record> = if is_whole { Vec::new() } else { rows(budget, snapshot, space) };
        matched |= is_whole || !rows.is_empty();
        for (limit, allowed) in &budget.limits {
            limit.check(snapshot).map_err(|problem| format!("{}: {problem}", budget.title))?;
            let judged = if is_whole {
                vec![whole(snapshot, space, *limit)]
            } else if budget.sum {
                vec![sum(&rows, *limit)]
            } else {
                rows.iter().map(|row| Judged::row(row, *limit)).collect()
            };
            verdicts.push(verdict(budget, snapshot, space, (*limit, *allowed), &judged, &rows));
        }
    }
    if matched { Ok(verdicts) } else { Err(nothing_matches(budget, snapshot)) }
}

fn rows<'a>(budget: &Budget, snapshot: &'a Snapshot, space: &str) -> Vec<&'a Record> {
    let matches = |row: &&Record| {
        budget.scope.as_ref().is_none_or(|glob| glob.matches(&row.function))
            && budget.file.as_ref().is_none_or(|glob| glob.matches(&row.file))
    };
    snapshot.records(space).iter().filter(matches).collect()
}

fn nothing_matches(budget: &Budget, snapshot: &Snapshot) -> String {
    let names = snapshot.spaces().flat_map(|space| snapshot.records(space)).map(|row| one_line(&row.function));
    let some: Vec<String> = names.take(3).collect();
    let some = if some.is_empty() { "none".to_owned() } else { format!("{}, ..", some.join(", ")) };
    format!("{}: {} matches no row; the profile has: {some}", budget.title, budget.subject)
}

/// One number that is judged.
struct Judged<'a> {
    name: String,
    value: i128,
    /// The limit is for each of so many.
    calls: i128,
    row: Option<&'a Record>,
}

impl<'a> Judged<'a> {
    fn row(row: &'a Record, limit: Limit) -> Self {
        let calls = if limit == Limit::Kept { i128::from(row.ncalls.max(1)) } else { 1 };
        Self { name: one_line(&row.name), value: limit.of_record(row), calls, row: Some(row) }
    }
}

fn whole<'a>(snapshot: &Snapshot, space: &str, limit: Limit) -> Judged<'a> {
    let value = limit.of_totals(&snapshot.totals(space)).unwrap_or(0);
    Judged { name: one_line(space), value, calls: 1, row: None }
}

fn sum<'a>(rows: &[&Record], limit: Limit) -> Judged<'a> {
    let value = rows.iter().map(|row| limit.of_record(row)).sum();
    Judged { name: format!("{} rows together", thousands(rows.len() as u64)), value, calls: 1, row: None }
}

fn verdict(
    budget: &Budget,
    snapshot: &Snapshot,
    space: &str,
    (limit, allowed): (Limit, i128),
    judged: &[Judged<'_>],
    rows: &[&Record],
) -> Verdict {
    let over = |one: &Judged<'_>| one.value - allowed * one.calls;
    let nearest = judged.iter().rev().max_by_key(|one| over(one));
    let failures = judged.iter().filter(|one| over(one) > 0).map(|one| {
        let (held, holders) = if budget.sum { parts(rows, limit) } else { holders(snapshot, space, one.row, limit) };
        Failure {
            name: one.name.clone(),
            measured: one.value,
            allowed: allowed * one.calls,
            text: format!("{}, {} more than allowed", said(one, limit, allowed), thousands(over(one))),
            held,
            holders,
        }
    });
    Verdict {
        kind: "budget",
        title: format!("{}, {} in {}: {}", budget.title, budget.subject, one_line(space), limit.name()),
        space: space.to_owned(),
        limit: limit.name(),
        rows: judged.len(),
        nearest: nearest.map_or_else(String::new, |one| format!("{} ({})", said(one, limit, allowed), one.name)),
        failures: failures.collect(),
    }
}

/// Of rows that are judged together, those that have most.
fn parts(rows: &[&Record], limit: Limit) -> (&'static str, Vec<Holder>) {
    let mut parts: Vec<Holder> =
        rows.iter().map(|row| Holder { bytes: limit.of_record(row), name: one_line(&row.name) }).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
    parts.truncate(MOST_HOLDERS);
    ("most of it in", parts)
}

/// `677,027 of 1,000,000 bytes`; what is kept, as an average.
fn said(one: &Judged<'_>, limit: Limit, allowed: i128) -> String {
    let (value, most, unit) = (thousands(one.value), thousands(allowed * one.calls), limit.unit());
    match limit {
        Limit::Kept => format!("{value} of {most} {unit} in {} calls", thousands(one.calls)),
        _ => format!("{value} of {most} {unit}"),
    }
}
