//! Who held a space's memory when it stood highest: what is said of it below the space's table.
//!
//! Rows and the rest sum to the level that the title names, to the byte. Where that level is a picture from before the
//! peak, which `host` has with several threads, the title says so.

use crate::{
    measure::OUTSIDE, one_line::one_line, options::Options, record::Record, snapshot::SpaceData, thousands::thousands,
};

#[cfg(test)]
mod tests;

/// Rows before the rest is one line.
const MOST_ROWS: usize = 10;

/// Who held a space's memory at its peak.
#[derive(Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) title: String,
    /// Bytes, blocks and the name: largest first, then the rest.
    pub(crate) rows: Vec<(i128, i128, String)>,
}

/// The titles of the columns.
pub(crate) const COLUMNS: [&str; 3] = ["at_peak", "blocks", "filename:lineno(function)"];

impl Held {
    /// `None` where nothing was held.
    pub(crate) fn of(space: &SpaceData, options: &Options) -> Option<Held> {
        let totals = &space.totals;
        let of_record = |record: &Record| (record.at_peak.into(), record.at_peak_blocks.into(), record.name.clone());
        let outside = (totals.no_scope_at_peak.into(), totals.no_scope_at_peak_blocks.into(), OUTSIDE.to_owned());
        let mut rows: Vec<(i128, i128, String)> = space.records.iter().map(of_record).chain([outside]).collect();
        rows.retain(|(bytes, ..)| *bytes != 0);
        rows.sort_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
        let most = options.rows.unwrap_or(MOST_ROWS).min(MOST_ROWS);
        if rows.len() > most {
            let rest = rows.split_off(most);
            let sum = |of: fn(&(i128, i128, String)) -> i128| rest.iter().map(of).sum();
            rows.push((sum(|row| row.0), sum(|row| row.1), format!("({} more)", thousands(rest.len() as u64))));
        }
        let title = title(space, "");
        (!rows.is_empty()).then_some(Held { title, rows })
    }
}

/// Of which moment the rows are, and `by` what they are told apart. Of a merged profile each process stood at its own peak.
pub(crate) fn title(space: &SpaceData, by: &str) -> String {
    let (name, totals) = (one_line(&space.name), &space.totals);
    let level = thousands(totals.at_peak_level);
    if totals.peak_sum > 0 {
        return format!("Held at the peaks of {name}, each process at its own ({level} bytes in all){by}:");
    }
    let moment = if totals.at_peak_level == totals.peak { "" } else { ", the last picture before the peak" };
    format!("Held at the peak of {name} ({level} bytes{moment}){by}:")
}
