//! A table: named columns of one length. Every operation gives a new table.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use crate::Result;
use crate::column::Column;

/// A row number that no table has: what a join takes where the other table lacks the key.
const NO_ROW: usize = usize::MAX;

/// What to compute for each group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aggregate<'a> {
    Count,
    Mean(&'a str),
}

#[derive(Debug)]
pub(crate) struct DataFrame {
    /// All of one length.
    columns: Vec<(String, Column)>,
}

#[memprof::track]
impl DataFrame {
    pub(crate) fn new(columns: Vec<(String, Column)>) -> Self {
        Self { columns }
    }

    #[track(skip)]
    fn column(&self, name: &str) -> Result<&Column> {
        let found = self.columns.iter().find(|(column, _)| column == name);
        found.map(|(_, column)| column).ok_or_else(|| format!("there is no column {name:?}"))
    }

    #[track(skip)]
    fn height(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// The rows with the numbers `rows`, in that order.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        let taken = self.columns.iter().map(|(name, column)| (name.clone(), column.take(rows)));
        Self::new(taken.collect())
    }

    /// The first `count` rows.
    pub(crate) fn head(&self, count: usize) -> Self {
        self.take(&(0..count.min(self.height())).collect::<Vec<_>>())
    }

    /// The rows whose number in column `name` passes `keep`.
    pub(crate) fn filter(&self, name: &str, keep: impl Fn(Option<f64>) -> bool) -> Result<Self> {
        let numbers = self.column(name)?.numbers()?;
        let rows: Vec<usize> = (0..self.height()).filter(|&row| keep(numbers[row])).collect();
        Ok(self.take(&rows))
    }

    /// The rows by their number in column `name`, the greatest first, missing ones last; equal ones
    /// stay in the order they had.
    pub(crate) fn sort_descending(&self, name: &str) -> Result<Self> {
        let numbers = self.column(name)?.numbers()?;
        let mut rows: Vec<usize> = (0..self.height()).collect();
        rows.sort_by(|&a, &b| numbers[b].partial_cmp(&numbers[a]).unwrap_or(Ordering::Equal));
        Ok(self.take(&rows))
    }

    /// One row for each value of `key`, in the order in which they are met, with the aggregates of
    /// the rows that share it.
    pub(crate) fn group_by(&self, key: &str, aggregates: &[Aggregate<'_>]) -> Result<Self> {
        let keys = self.column(key)?;
        let mut group_of_key = HashMap::new();
        let mut first_row_of_group = Vec::new();
        let mut group_of_row = Vec::new();
        for (row, value) in keys.texts()?.iter().enumerate() {
            let group = *group_of_key.entry(value).or_insert(first_row_of_group.len());
            if group == first_row_of_group.len() {
                first_row_of_group.push(row);
            }
            group_of_row.push(group);
        }

        let mut columns = vec![(key.to_owned(), keys.take(&first_row_of_group))];
        for &aggregate in aggregates {
            columns.push(match aggregate {
                Aggregate::Count => ("count".to_owned(), count(&group_of_row)),
                Aggregate::Mean(name) => {
                    let numbers = self.column(name)?.numbers()?;
                    (format!("mean_{name}"), mean(&numbers, &group_of_row))
                }
            });
        }
        Ok(Self::new(columns))
    }

    /// The rows of this table, each followed by those of `other`'s columns that it is joined to: of
    /// the last row there that has the same key, or missing values.
    pub(crate) fn left_join(self, key: &str, other: &Self, other_key: &str) -> Result<Self> {
        let other_keys = other.column(other_key)?.texts()?.iter();
        let row_of_key: HashMap<_, _> = other_keys.enumerate().map(|(row, key)| (key, row)).collect();
        let keys = self.column(key)?.texts()?.iter();
        let rows: Vec<_> = keys.map(|key| *row_of_key.get(key).unwrap_or(&NO_ROW)).collect();

        let mut columns = self.columns;
        columns.extend(other.take(&rows).columns.into_iter().filter(|(name, _)| name != other_key));
        Ok(Self::new(columns))
    }
}

#[memprof::track]
impl fmt::Display for DataFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![String::new(); self.height() + 1];
        for (name, column) in &self.columns {
            let cells: Vec<String> = (0..column.len()).map(|row| column.cell(row)).collect();
            let width = cells.iter().map(String::len).chain([name.len()]).max().unwrap_or(0);
            for (line, cell) in lines.iter_mut().zip([name].into_iter().chain(&cells)) {
                match column {
                    Column::Int(_) | Column::Float(_) => write!(line, "{cell:>width$}  ")?,
                    Column::Text(_) => write!(line, "{cell:width$}  ")?,
                }
            }
        }
        lines.iter().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

#[memprof::track]
fn count(group_of_row: &[usize]) -> Column {
    let mut counts = vec![Some(0); groups(group_of_row)];
    for &group in group_of_row {
        counts[group] = counts[group].map(|count| count + 1);
    }
    Column::Int(counts)
}

#[memprof::track]
fn mean(numbers: &[Option<f64>], group_of_row: &[usize]) -> Column {
    let mut sums = vec![(0.0, 0.0); groups(group_of_row)];
    for (number, &group) in numbers.iter().zip(group_of_row) {
        if let Some(number) = number {
            sums[group].0 += number;
            sums[group].1 += 1.0;
        }
    }
    let means = sums.into_iter().map(|(sum, count)| (count > 0.0).then_some(sum / count));
    Column::Float(means.collect())
}

/// Groups are numbered from 0, without a gap.
fn groups(group_of_row: &[usize]) -> usize {
    group_of_row.iter().max().map_or(0, |last| last + 1)
}
