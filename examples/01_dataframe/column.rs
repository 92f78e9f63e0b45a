//! One column of a table: values of one type, any of which may be missing.

use std::str::FromStr;

use crate::Result;

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    Int,
    Float,
    Text,
}

/// The values, top to bottom; `None` where one is missing.
#[derive(Debug)]
pub(crate) enum Column {
    Int(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

#[memprof::track]
impl Column {
    pub(crate) fn new(kind: Type) -> Self {
        match kind {
            Type::Int => Self::Int(Vec::new()),
            Type::Float => Self::Float(Vec::new()),
            Type::Text => Self::Text(Vec::new()),
        }
    }

    /// Appends a cell of a file. `skip`: it runs once a cell, and its memory is better read in the
    /// row of the function that reads the file.
    #[track(skip)]
    pub(crate) fn push(&mut self, cell: &str) -> Result<()> {
        let present = (cell != "NA").then_some(cell);
        match self {
            Self::Int(values) => values.push(present.map(parse).transpose()?),
            Self::Float(values) => values.push(present.map(parse).transpose()?),
            Self::Text(values) => values.push(present.map(str::to_owned)),
        }
        Ok(())
    }

    /// The values at `rows`, in that order; a missing value for a row past the end.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        match self {
            Self::Int(values) => Self::Int(gather(values, rows)),
            Self::Float(values) => Self::Float(gather(values, rows)),
            Self::Text(values) => Self::Text(gather(values, rows)),
        }
    }

    /// The values of a column of numbers, to compute with.
    #[expect(clippy::cast_precision_loss, reason = "counts, minutes and miles stay far below 2^52")]
    pub(crate) fn numbers(&self) -> Result<Vec<Option<f64>>> {
        match self {
            Self::Int(values) => Ok(values.iter().map(|v| v.map(|number| number as f64)).collect()),
            Self::Float(values) => Ok(values.clone()),
            Self::Text(_) => Err("cannot compute with a column of text".to_owned()),
        }
    }

    /// The values of a column of text, to group and join by.
    #[track(skip)]
    pub(crate) fn texts(&self) -> Result<&[Option<String>]> {
        match self {
            Self::Text(values) => Ok(values),
            Self::Int(_) | Self::Float(_) => Err("cannot group or join by a column of numbers".to_owned()),
        }
    }

    /// One value as it is printed.
    #[track(skip)]
    pub(crate) fn cell(&self, row: usize) -> String {
        let cell = match self {
            Self::Int(values) => values[row].map(|number| number.to_string()),
            Self::Float(values) => values[row].map(|number| format!("{number:.1}")),
            Self::Text(values) => values[row].clone(),
        };
        cell.unwrap_or_else(|| "-".to_owned())
    }

    #[track(skip)]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

fn parse<T: FromStr>(cell: &str) -> Result<T> {
    cell.parse().map_err(|_| format!("{cell:?} is not a number of the column's type"))
}

fn gather<T: Clone>(values: &[Option<T>], rows: &[usize]) -> Vec<Option<T>> {
    rows.iter().map(|&row| values.get(row).cloned().flatten()).collect()
}
