//! How the rows of a merged profile differ between its processes: what is said of it below a space's table.
//!
//! Only rows whose numbers differ are in it, the widest difference first and ties as they came; a process that lacks a
//! row is not counted in it. The numbers come from [`merge`](crate::merge); text and Markdown lay out the tables, and
//! the page takes more of the rows by [`differing`].

use crate::{
    merged::{Merged, Range, Spread},
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

/// How one number of a row differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Differing<'a> {
    pub(crate) row: &'a Spread,
    pub(crate) least: i128,
    pub(crate) median: i128,
    pub(crate) greatest: i128,
    pub(crate) least_of: &'a str,
    pub(crate) greatest_of: &'a str,
}

/// By `memory_peak` and by `live` the rows that differ in it, the widest first.
pub(crate) fn differing<'a>(merged: &'a Merged, space: &str) -> [(&'static str, Vec<Differing<'a>>); 2] {
    let rows = merged.spread.get(space).map_or(&[][..], Vec::as_slice);
    [
        ("memory_peak", widest(rows, |row| Differing::of(row, &row.memory_peak))),
        ("live", widest(rows, |row| Differing::of(row, &row.live))),
    ]
}

fn widest<'a>(rows: &'a [Spread], of: impl Fn(&'a Spread) -> Differing<'a>) -> Vec<Differing<'a>> {
    let mut differing: Vec<Differing<'a>> = rows.iter().map(of).filter(|row| row.least != row.greatest).collect();
    differing.sort_by_key(|row| std::cmp::Reverse(row.greatest - row.least));
    differing
}

impl<'a> Differing<'a> {
    fn of<T: Copy + Into<i128>>(row: &'a Spread, range: &'a Range<T>) -> Self {
        let Range { least, median, greatest, least_of, greatest_of } = range;
        let [least, median, greatest] = [*least, *median, *greatest].map(Into::into);
        Self { row, least, median, greatest, least_of, greatest_of }
    }
}

/// A table for `memory_peak` and one for `live`, as far as any row differs in it.
pub(crate) fn tables(merged: &Merged, space: &str, options: &Options) -> Vec<SpreadTable> {
    let count = merged.ranks.len();
    let all = differing(merged, space).into_iter().filter(|(_, rows)| !rows.is_empty());
    all.map(|(field, rows)| table(field, space, count, &rows, options)).collect()
}

fn table(field: &str, space: &str, count: usize, differing: &[Differing<'_>], options: &Options) -> SpreadTable {
    let shown = differing.len().min(options.rows.unwrap_or(MOST_ROWS)).min(MOST_ROWS);
    let row = |differing: &Differing<'_>| {
        let Differing { row, least, median, greatest, greatest_of, .. } = *differing;
        let number = |number: i128| thousands(number).to_string();
        let ranks = thousands(row.ranks).to_string();
        [ranks, number(least), number(median), number(greatest), one_line(greatest_of), one_line(&row.name)]
    };
    let more = differing.len() - shown;
    SpreadTable {
        title: format!("Spread of {field} in {} over {} processes:", one_line(space), thousands(count as u64)),
        rows: differing[..shown].iter().map(row).collect(),
        left_out: (more > 0).then(|| format!("({} more)", thousands(more as u64))),
    }
}
