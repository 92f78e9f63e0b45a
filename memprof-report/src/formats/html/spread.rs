//! How the processes of a merged profile differ, as the page's data has it.
//!
//! Which rows differ, and how, is [`differing`]'s; here they are numbers that JavaScript does not round, and at most [`MOST_SPREAD`].

use serde::Serialize;

use super::names::{Number, cut};
use crate::{
    formats::spread::{Differing, differing},
    snapshot::Snapshot,
};

/// Rows that differ between processes, by each number: beyond these the saved profile says it.
const MOST_SPREAD: usize = 200;

/// How the processes of a merged profile differ in one number, widest first.
#[derive(Serialize)]
pub(super) struct SpreadRows {
    field: &'static str,
    /// How many rows differ.
    count: usize,
    rows: Vec<SpreadRow>,
}

#[derive(Serialize)]
struct SpreadRow {
    name: String,
    ranks: Number,
    least: Number,
    median: Number,
    greatest: Number,
    /// Which processes have the least and the greatest.
    least_of: String,
    greatest_of: String,
}

/// A page whose rows are few has few of these too.
pub(super) fn spread(snapshot: &Snapshot, space: &str, most_rows: usize) -> Vec<SpreadRows> {
    let Some(merged) = snapshot.merged() else { return Vec::new() };
    let row = |row: &Differing<'_>| SpreadRow {
        name: cut(&row.row.name),
        ranks: Number(row.row.ranks.into()),
        least: Number(row.least),
        median: Number(row.median),
        greatest: Number(row.greatest),
        least_of: cut(row.least_of),
        greatest_of: cut(row.greatest_of),
    };
    let tables = differing(merged, space).into_iter().filter(|(_, rows)| !rows.is_empty());
    let table = |(field, rows): (_, Vec<Differing<'_>>)| SpreadRows {
        field,
        count: rows.len(),
        rows: rows.iter().take(MOST_SPREAD.min(most_rows)).map(row).collect(),
    };
    tables.map(table).collect()
}
