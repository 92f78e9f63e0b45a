//! The environment's settings: `MEMPROF` and its companions, read once at the start.
//!
//! Reading is a pure function of the variables' values. A value that is not understood yields one line, for
//! the caller to print, and counts as unset. An empty value is unset too.

use std::{
    ffi::{OsStr, OsString},
    time::Duration,
};

use memprof_report::__recorder::one_line;
use memprof_report::{Field, Format, Options};

use crate::base::tags::says_on;
use crate::process::output::Output;

#[cfg(test)]
mod tests;

/// Every variable that memprof or one of its crates reads.
const VARIABLES: &[&str] = &[
    "MEMPROF",
    "MEMPROF_OUTPUT",
    "MEMPROF_ORDER",
    "MEMPROF_COLUMNS",
    "MEMPROF_INTERVAL",
    "MEMPROF_ROWS",
    "MEMPROF_CUDA",
    "MEMPROF_RECORD",
    "MEMPROF_HTTP",
];

/// What the environment asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// `MEMPROF`: measure from the start, and report at exit.
    pub(crate) enabled: bool,
    /// `MEMPROF_OUTPUT`: the file for the report; `None` for stderr. Where a relative one is, the
    /// [`start`](crate::process::start) adds.
    pub(crate) output: Option<Output>,
    /// `MEMPROF_INTERVAL`: also write the file every so often. Only ever set together with `output`, and never
    /// zero; it may be too long to be added to an `Instant`.
    pub(crate) interval: Option<Duration>,
    /// `MEMPROF_CUDA=intercept`: record what the CUDA driver does for anybody in the process.
    pub(crate) intercept_cuda: bool,
    /// `MEMPROF_ORDER`, `MEMPROF_COLUMNS`, `MEMPROF_ROWS`: what the report shows.
    pub(crate) report: Options,
}

impl Settings {
    /// The settings that `variable` gives, which looks up a variable by name; and a line for each value that is
    /// ignored, to be printed on stderr.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> (Settings, Vec<String>) {
        let mut reader = Reader { variable, problems: Vec::new() };
        let enabled = reader.read("MEMPROF", "1, true, on, 0, false, off", says_on);
        let output = reader.read("MEMPROF_OUTPUT", &accepted_outputs(), Output::parse);
        let order = reader.read("MEMPROF_ORDER", &accepted_fields("one of"), |value| Field::parse(value.trim()));
        let columns = reader.read("MEMPROF_COLUMNS", &accepted_fields("a comma-separated list of"), columns);
        let interval = reader.read(
            "MEMPROF_INTERVAL",
            if output.is_some() { INTERVALS } else { "only together with MEMPROF_OUTPUT" },
            |value| interval(value.trim()).filter(|_| output.is_some()),
        );
        let rows =
            reader.read("MEMPROF_ROWS", "a whole number from 1", |value| whole(value.trim()).filter(|rows| *rows > 0));

        let cuda = reader
            .read("MEMPROF_CUDA", "intercept", |value| value.trim().eq_ignore_ascii_case("intercept").then_some(true));

        let mut report = Options::default();
        report.order = order.unwrap_or(report.order);
        (report.columns, report.rows) = (columns, rows);
        let (enabled, intercept_cuda) = (enabled.unwrap_or(false), cuda.unwrap_or(false));
        let settings = Settings { enabled, output, interval, intercept_cuda, report };
        (settings, reader.problems)
    }
}

/// A line for each of `names` that starts with `MEMPROF` and is no variable of memprof: it names the nearest
/// one, which may have been meant.
pub(crate) fn unknown_variables(names: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let names = names.into_iter().map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("MEMPROF") && !VARIABLES.contains(&name.as_str()))
        .filter_map(|name| {
            let nearest = VARIABLES.iter().min_by_key(|variable| distance(&name, variable))?;
            Some(format!("memprof: {} is not a variable that memprof reads; the nearest is {nearest}", one_line(&name)))
        })
        .collect()
}

/// Reads variables, and gathers a line for each that is not understood.
struct Reader<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<OsString>> Reader<F> {
    /// The value of `name` as `parse` understands it; `None` if it is unset, empty or not understood.
    fn read<T>(&mut self, name: &str, accepted: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = (self.variable)(name)?;
        if value.to_str().is_some_and(|value| value.trim().is_empty()) {
            return None;
        }
        let parsed = value.to_str().and_then(parse);
        if parsed.is_none() {
            self.problems.push(ignored(name, &value, accepted));
        }
        parsed
    }
}

fn ignored(name: &str, value: &OsStr, accepted: &str) -> String {
    format!("memprof: {name}=‘{}’ is ignored; accepted: {accepted}", one_line(&value.to_string_lossy()))
}

fn accepted_fields(how_many: &str) -> String {
    let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
    format!("{how_many} {}", names.join(", "))
}

fn accepted_outputs() -> String {
    format!("a file name in UTF-8 that ends in one of {}", Format::endings())
}

const INTERVALS: &str = "a whole number from 1 and its unit, such as 500ms, 10s, 2m or 1h";

fn columns(value: &str) -> Option<Vec<Field>> {
    value.split(',').map(|name| Field::parse(name.trim())).collect()
}

fn interval(value: &str) -> Option<Duration> {
    let (number, unit) = value.split_at(value.find(|character: char| !character.is_ascii_digit())?);
    let number = whole(number).filter(|number| *number > 0)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(60 * 60)?)),
        _ => None,
    }
}

/// Decimal digits alone: no sign, which `parse` would take.
fn whole<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

/// How many characters must be put in, taken out or exchanged to make `a` of `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    // The distances of what was read of `a` to each beginning of `b`.
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for from in a.chars() {
        let mut before = row[0];
        row[0] += 1;
        for (index, to) in b.chars().enumerate() {
            let exchanged = before + usize::from(from != to);
            before = row[index + 1];
            row[index + 1] = exchanged.min(before + 1).min(row[index] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
