//! Reads the wanted columns of a CSV file; the others are never kept.

use std::fmt::Display;
use std::path::Path;

use crate::Result;
use crate::column::{Column, Type};
use crate::dataframe::DataFrame;

/// Reads `columns` of the file at `path`, in the order in which they are asked for.
#[memprof::track]
pub(crate) fn read_csv(path: &Path, columns: &[(&str, Type)]) -> Result<DataFrame> {
    let failed = |why: &dyn Display| format!("cannot read {}: {why}", path.display());

    let mut reader = csv::Reader::from_path(path).map_err(|error| failed(&error))?;
    let headers = reader.headers().map_err(|error| failed(&error))?;
    let mut fields = Vec::new();
    let mut frame = Vec::new();
    for &(name, kind) in columns {
        let field = headers.iter().position(|header| header == name);
        fields.push(field.ok_or_else(|| failed(&format_args!("it has no column {name:?}")))?);
        frame.push((name.to_owned(), Column::new(kind)));
    }

    // Every record is read into the same one: the text of the file is never in memory as a whole.
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| failed(&error))? {
        for (&field, (_, column)) in fields.iter().zip(&mut frame) {
            column.push(&record[field]).map_err(|error| {
                let line = record.position().map_or(0, csv::Position::line);
                failed(&format_args!("line {line}: {error}"))
            })?;
        }
    }
    Ok(DataFrame::new(frame))
}
