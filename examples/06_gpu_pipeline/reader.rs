//! Columns of a CSV file, and as what they go to the device: numbers.

use std::collections::HashMap;
use std::path::Path;

use crate::Result;
use crate::kernels::MISSING;

/// The wanted columns of the file at `path`, as text.
#[memprof::track]
pub(crate) fn read_columns<const N: usize>(path: &Path, names: [&str; N]) -> Result<[Vec<String>; N]> {
    let failed = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    let mut reader = csv::Reader::from_path(path).map_err(|error| failed(&error))?;
    let headers = reader.headers()?.clone();
    let mut fields = [0; N];
    for (field, name) in fields.iter_mut().zip(names) {
        let found = headers.iter().position(|header| header == name);
        *field = found.ok_or_else(|| failed(&format_args!("it has no column {name:?}")))?;
    }
    let mut columns = [const { Vec::new() }; N];
    for record in reader.records() {
        let record = record.map_err(|error| failed(&error))?;
        for (column, &field) in columns.iter_mut().zip(&fields) {
            column.push(record[field].to_owned());
        }
    }
    Ok(columns)
}

/// A column of whole numbers.
#[memprof::track]
pub(crate) fn numbers(cells: &[String]) -> Result<Vec<i32>> {
    let number = |cell: &String| match cell.as_str() {
        "NA" => Ok(MISSING),
        text => text.parse().map_err(|_| format!("{text:?} is not a whole number").into()),
    };
    cells.iter().map(number).collect()
}

/// A column of text: its different texts, numbered in the order in which they are met, and the number of each row's.
pub(crate) struct Keys {
    pub(crate) texts: Vec<String>,
    pub(crate) of_row: Vec<i32>,
}

#[memprof::track]
impl Keys {
    pub(crate) fn new(cells: Vec<String>) -> Result<Self> {
        let mut number_of_text = HashMap::new();
        let mut keys = Self { texts: Vec::new(), of_row: Vec::with_capacity(cells.len()) };
        for cell in cells {
            let next = i32::try_from(number_of_text.len())?;
            let number = *number_of_text.entry(cell).or_insert_with_key(|cell| {
                keys.texts.push(cell.clone());
                next
            });
            keys.of_row.push(number);
        }
        Ok(keys)
    }
}

/// The code of an airline or an airport, at most three letters, as a number.
pub(crate) fn code(text: &str) -> i32 {
    text.bytes().fold(0, |code, letter| code << 8 | i32::from(letter))
}
