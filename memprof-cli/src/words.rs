//! The words that verbs take as values: names of fields and of measures, times, and what is said to any other.
//!
//! What is accepted is `memprof-report`'s own list, and so is what a refusal names: a new field or measure is accepted
//! without a change here.

use std::time::Duration;

use memprof_report::{__common, Field, Measure};

/// A field of a record, by its name.
pub(crate) fn field(name: &str) -> Result<Field, String> {
    Field::parse(name).ok_or_else(|| accepted(Field::ALL.iter()))
}

/// A field that is a number, so that it can be compared.
pub(crate) fn amount(name: &str) -> Result<Field, String> {
    let is_amount = |field: &Field| !matches!(field, Field::Name | Field::File | Field::Line | Field::Function);
    Field::parse(name).filter(is_amount).ok_or_else(|| accepted(Field::ALL.iter().filter(|field| is_amount(field))))
}

fn accepted<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    let names: Vec<&str> = fields.map(|field| field.name()).collect();
    format!("accepted: {}", names.join(", "))
}

/// A measure, by its name.
pub(crate) fn measure(name: &str) -> Result<Measure, String> {
    Measure::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Measure::ALL.iter().map(|measure| measure.name()).collect();
        format!("accepted: {}", names.join(", "))
    })
}

/// A time, as the program's own settings have it.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    __common::time(text).ok_or_else(|| format!("accepted: {}", __common::TIMES))
}
