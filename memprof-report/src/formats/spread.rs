//! How the rows of a merged profile differ between its processes: what is said of it below a space's table.

use crate::{
    merged::{Merged, Spread},
    one_line::one_line,
    options::Options,
    thousands::thousands,
};

/// Rows before the rest is one line.
const MOST_ROWS: usize = 10;

/// The rows that differ most in one number.
#[derive(Debug, PartialEq)]
pub(crate) struct SpreadTable {
    pub(crate) title: String,
    /// The widest spread first.
    pub(crate) rows: Vec<[String; COLUMNS.len()]>,
    /// The line that says how many more rows differ, if any do.
    pub(crate) left_out: Option<String>,
}

/// The titles of the columns: how many processes have the row, what they have, and which has the greatest.
pub(crate) const COLUMNS: [&str; 6] =
    ["ranks", "least", "median", "greatest", "greatest_of", "filename:lineno(function)"];

/// A table for `memory_peak` and one for `live`, as far as any row differs in it.
pub(crate) fn tables(merged: &Merged, space: &str, options: &Options) -> Vec<SpreadTable> {
    let Some(spreads) = merged.spread.get(space) else { return Vec::new() };
    let peak = |spread: &Spread| {
        let range = &spread.memory_peak;
        ([range.least.into(), range.median.into(), range.greatest.into()], range.greatest_of.clone())
    };
    let live = |spread: &Spread| {
        let range = &spread.live;
        ([range.least.into(), range.median.into(), range.greatest.into()], range.greatest_of.clone())
    };
    let count = merged.ranks.len();
    let tables = [
        table("memory_peak", space, count, spreads, &peak, options),
        table("live", space, count, spreads, &live, options),
    ];
    tables.into_iter().flatten().collect()
}

/// The least, the median and the greatest of a row, and which process has the greatest.
type Numbers<'a> = &'a dyn Fn(&Spread) -> ([i128; 3], String);

fn table(
    field: &str,
    space: &str,
    count: usize,
    spreads: &[Spread],
    numbers: Numbers<'_>,
    options: &Options,
) -> Option<SpreadTable> {
    let mut differing: Vec<(i128, &Spread)> = Vec::new();
    for spread in spreads {
        let [least, _, greatest] = numbers(spread).0;
        if least != greatest {
            differing.push((greatest - least, spread));
        }
    }
    differing.sort_by_key(|(width, _)| std::cmp::Reverse(*width));
    let more = differing.len().saturating_sub(options.rows.unwrap_or(MOST_ROWS).min(MOST_ROWS));
    differing.truncate(differing.len() - more);
    let row = |(_, spread): &(i128, &Spread)| {
        let ([least, median, greatest], of) = numbers(spread);
        let number = |number: i128| thousands(number).to_string();
        let ranks = thousands(spread.ranks).to_string();
        [ranks, number(least), number(median), number(greatest), one_line(&of), one_line(&spread.name)]
    };
    (!differing.is_empty()).then(|| SpreadTable {
        title: format!("Spread of {field} in {} over {} processes:", one_line(space), thousands(count as u64)),
        rows: differing.iter().map(row).collect(),
        left_out: (more > 0).then(|| format!("({} more)", thousands(more as u64))),
    })
}
