//! Judges a profile by a baseline: each space, and each scope that both have.
//!
//! A scope that one of the two lacks is judged by nothing and named in a note; a number that one of the two lacks is an error. Where the
//! baseline is of several runs, the greatest number counts; making one is left to [`baseline`](super::baseline).

use memprof_report::{Snapshot, one_line, thousands};

use super::{
    amount::Allowance,
    baseline::{Baseline, Range, keyed},
    limit::Limit,
    verdict::{Failure, Verdict, holders},
};

/// What came of a comparison.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) verdicts: Vec<Verdict>,
    /// What no number judges: scopes that one of the two has not.
    pub(crate) notes: Vec<String>,
}

/// How many scopes a note names.
const MOST_NAMES: usize = 5;

/// Judges every space of the baseline by each allowance.
///
/// # Errors
///
/// A space of the baseline, or a number, that was not measured; a number that the baseline does not have.
pub(crate) fn compare(
    baseline: &Baseline,
    name: &str,
    allowances: &[(Limit, Allowance)],
    snapshot: &Snapshot,
) -> Result<Comparison, String> {
    let mut comparison = Comparison { verdicts: Vec::new(), notes: Vec::new() };
    for (space, base) in &baseline.spaces {
        if !snapshot.spaces().any(|measured| measured == space) {
            return Err(format!("space ‘{}’ of {name} was not measured", one_line(space)));
        }
        let rows = keyed(snapshot, space);
        for (limit, allowance) in allowances {
            limit.check(snapshot)?;
            let head = |subject: &str| format!("{name}, {subject} in {}: {}", one_line(space), limit.name());
            let index = Limit::ALL.iter().position(|one| one == limit).unwrap_or(0);
            let totals = snapshot.totals(space);
            if let Some(value) = limit.of_totals(&totals) {
                let range = base.whole[index].ok_or_else(|| lacking(name, *limit, "the whole process", space))?;
                let judged = [Judged { name: one_line(space), value, range, row: None }];
                comparison.verdicts.push(verdict(
                    head("the whole process"),
                    snapshot,
                    space,
                    *limit,
                    *allowance,
                    &judged,
                ));
            }
            let both = rows.iter().filter_map(|(key, record)| Some((key, record, base.scopes.get(key)?)));
            let both = both.map(|(key, record, numbers)| {
                let subject = || format!("scope ‘{}’", one_line(&key.scope));
                let range = numbers[index].ok_or_else(|| lacking(name, *limit, &subject(), space))?;
                Ok(Judged { name: one_line(&record.name), value: limit.of_record(record), range, row: Some(*record) })
            });
            let both = both.collect::<Result<Vec<Judged<'_>>, String>>()?;
            if !both.is_empty() {
                comparison.verdicts.push(verdict(head("each scope"), snapshot, space, *limit, *allowance, &both));
            }
        }
        let new = rows.keys().filter(|key| !base.scopes.contains_key(key)).map(|key| &*key.scope);
        comparison.notes.extend(note("new, so not judged by", name, space, new));
        let gone = base.scopes.keys().filter(|key| !rows.contains_key(key)).map(|key| &*key.scope);
        comparison.notes.extend(note("no longer called, but in", name, space, gone));
    }
    for space in snapshot.spaces().filter(|space| !baseline.spaces.contains_key(*space)) {
        comparison.notes.push(format!("new, so not judged by {name}: space {}", one_line(space)));
    }
    Ok(comparison)
}

/// That the baseline was made without a number, of an older profile or by hand, or that a hand took it out.
fn lacking(name: &str, limit: Limit, subject: &str, space: &str) -> String {
    let why = if limit == Limit::Kept { " (a profile of schema version 1 has none)" } else { "" };
    let (limit, space) = (limit.name(), one_line(space));
    format!("{name} has no {limit} of {subject} in {space}{why}; --accept of a newer profile writes it")
}

/// `new, so not judged by the baseline ‘x.json’ in host: 2 scopes (a, b); ..`.
fn note<'a>(what: &str, name: &str, space: &str, scopes: impl Iterator<Item = &'a str>) -> Option<String> {
    let scopes: Vec<String> = scopes.map(one_line).collect();
    let named = scopes.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    let more = if scopes.len() > MOST_NAMES { ", .." } else { "" };
    let plural = if scopes.len() == 1 { "" } else { "s" };
    let count = thousands(scopes.len() as u64);
    (!scopes.is_empty()).then(|| {
        format!(
            "{what} {name} in {}: {count} scope{plural} ({named}{more}); --accept takes that into it",
            one_line(space)
        )
    })
}

struct Judged<'a> {
    name: String,
    value: i128,
    range: Range,
    row: Option<&'a memprof_report::Record>,
}

fn verdict(
    title: String,
    snapshot: &Snapshot,
    space: &str,
    limit: Limit,
    allowance: Allowance,
    judged: &[Judged<'_>],
) -> Verdict {
    let allowed = |one: &Judged<'_>| allowance.limit(one.range.greatest);
    let over = |one: &Judged<'_>| one.value - allowed(one);
    let failures = judged.iter().filter(|one| over(one) > 0).map(|one| {
        let (held, holders) = holders(snapshot, space, one.row, limit);
        let varied = if one.range.varied() {
            format!(
                "; it varied from {} to {} in the baseline",
                thousands(one.range.least),
                thousands(one.range.greatest)
            )
        } else {
            String::new()
        };
        Failure {
            name: one.name.clone(),
            measured: one.value,
            allowed: allowed(one),
            text: format!("{}, {} more than allowed{varied}", said(one, limit, allowed(one)), thousands(over(one))),
            held,
            holders,
        }
    });
    let nearest = judged.iter().rev().max_by_key(|one| over(one));
    Verdict {
        kind: "baseline",
        title,
        space: space.to_owned(),
        limit: limit.name(),
        rows: judged.len(),
        nearest: nearest.map_or_else(String::new, |one| format!("{} ({})", said(one, limit, allowed(one)), one.name)),
        failures: failures.collect(),
    }
}

fn said(one: &Judged<'_>, limit: Limit, allowed: i128) -> String {
    format!("{} of {} {}", thousands(one.value), thousands(allowed), limit.unit())
}
