//! The environment's settings: `MEMPROF` and its companions, read once at the start.
//!
//! Reading is a pure function of the variables' values. A value that is not understood yields one line, for
//! the caller to print, and counts as unset. An empty value is unset too.
//!
//! What is said about a variable, in this order; each at most once:
//!
//! | it | line on stderr |
//! |---|---|
//! | has a value that is not understood | `memprof: NAME=‘value’ is ignored; accepted: ..` |
//! | says how to report, and nothing is reported | `memprof: NAME has no effect without MEMPROF=1` |
//! | begins with `MEMPROF` and is none of them | `memprof: NAME is not a variable that memprof reads; the nearest is ..` |
//!
//! A program is never ended for a wrong setting: it may be one that somebody else started.

use core::ffi::c_int;
use std::{
    ffi::{OsStr, OsString},
    sync::OnceLock,
    time::Duration,
};

use memprof_report::__common::{Increase, TIMES, time};
use memprof_report::__recorder::one_line;
use memprof_report::{Field, Format, Options};

use crate::base::platform;
use crate::base::tags::says_on;
use crate::process::address::{ADDRESSES, Address};
use crate::process::output::Output;
use crate::process::token::{TOKENS, Token};

#[cfg(all(test, feature = "runtime"))]
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
    "MEMPROF_HTTP_TOKEN",
    "MEMPROF_RISE",
    "MEMPROF_SIGNAL",
    "MEMPROF_LABEL",
    "MEMPROF_TREE",
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
    /// `MEMPROF_RISE`: also write the file when the process's mark has risen by so much since the last one. Only
    /// ever set together with `output`.
    pub(crate) rise: Option<Increase>,
    /// `MEMPROF_SIGNAL`: the signal that has the report written.
    pub(crate) signal: Option<c_int>,
    /// `MEMPROF_CUDA=intercept`: record what the CUDA driver does for anybody in the process.
    pub(crate) intercept_cuda: bool,
    /// `MEMPROF_LABEL`: what tells this process from others in saved profiles.
    pub(crate) label: Option<String>,
    /// `MEMPROF_HTTP`: where the program answers while it runs.
    pub(crate) http: Option<Address>,
    /// `MEMPROF_HTTP_TOKEN`: the secret of who may ask. Only ever set together with `http`.
    pub(crate) http_token: Option<Token>,
    /// `MEMPROF_ORDER`, `MEMPROF_COLUMNS`, `MEMPROF_ROWS`, `MEMPROF_TREE`: what the report shows.
    pub(crate) report: Options,
}

impl Settings {
    /// The settings that `variable` gives, which looks up a variable by name; and a line for each value that is
    /// ignored, to be printed on stderr.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> (Settings, Vec<String>) {
        let mut reader = Reader { variable, problems: Vec::new() };
        let enabled = reader.read("MEMPROF", SWITCH, says_on);
        let output = reader.read("MEMPROF_OUTPUT", &accepted_outputs(), Output::parse);
        let order = reader.read("MEMPROF_ORDER", &accepted_fields("one of"), |value| Field::parse(value.trim()));
        let columns =
            reader.read("MEMPROF_COLUMNS", &(accepted_fields("a comma-separated list of") + ", all"), columns);
        let interval = reader.read(
            "MEMPROF_INTERVAL",
            if output.is_some() { TIMES } else { "only together with MEMPROF_OUTPUT" },
            |value| time(value).filter(|_| output.is_some()),
        );
        let rise = reader.read(
            "MEMPROF_RISE",
            if output.is_some() { RISES } else { "only together with MEMPROF_OUTPUT" },
            |value| rise(value.trim()).filter(|_| output.is_some()),
        );
        let signal = reader.read("MEMPROF_SIGNAL", "USR1 or USR2", |value| platform::signal(value.trim()));
        let rows =
            reader.read("MEMPROF_ROWS", "a whole number from 1", |value| whole(value.trim()).filter(|rows| *rows > 0));

        let tree = reader.read("MEMPROF_TREE", SWITCH, says_on);
        let cuda = reader
            .read("MEMPROF_CUDA", "intercept", |value| value.trim().eq_ignore_ascii_case("intercept").then_some(true));

        let (http, http_token) = reader.read_http();
        let label = reader.read("MEMPROF_LABEL", "text in UTF-8", |value| Some(value.to_owned()));

        let mut report = Options::default();
        report.order = order.unwrap_or(report.order);
        (report.columns, report.rows, report.tree) = (columns, rows, tree.unwrap_or(false));
        let (enabled, intercept_cuda) = (enabled.unwrap_or(false), cuda.unwrap_or(false));
        let settings =
            Settings { enabled, output, interval, rise, signal, intercept_cuda, label, http, http_token, report };
        (settings, reader.problems)
    }
}

/// Variables that say how to report: nothing without `MEMPROF=1`.
const OF_THE_REPORT: [&str; 11] = [
    "MEMPROF_OUTPUT",
    "MEMPROF_ORDER",
    "MEMPROF_COLUMNS",
    "MEMPROF_INTERVAL",
    "MEMPROF_ROWS",
    "MEMPROF_TREE",
    "MEMPROF_RISE",
    "MEMPROF_SIGNAL",
    "MEMPROF_CUDA",
    "MEMPROF_HTTP",
    "MEMPROF_HTTP_TOKEN",
];

/// Variables whose names are taken, and that do nothing yet.
const OF_LATER: [&str; 1] = ["MEMPROF_RECORD"];

/// A line for each variable that is set, that nothing was said of in `said`, and that has no effect in this process.
pub(crate) fn without_effect(
    variable: impl Fn(&str) -> Option<OsString>,
    enabled: bool,
    said: &[String],
) -> Vec<String> {
    let is_set = |name: &&str| {
        let value = variable(name).filter(|value| !value.to_string_lossy().trim().is_empty());
        value.is_some() && !said.iter().any(|line| line.starts_with(&format!("memprof: {name}=")))
    };
    let of_the_report = OF_THE_REPORT.into_iter().filter(|_| !enabled).filter(is_set);
    let of_later = OF_LATER.into_iter().filter(is_set);
    let lines = of_the_report.map(|name| format!("memprof: {name} has no effect without MEMPROF=1"));
    lines.chain(of_later.map(|name| format!("memprof: {name} has no effect in this version"))).collect()
}

static READ: OnceLock<Settings> = OnceLock::new();

/// What the environment asked for, once it was read.
pub(crate) fn get() -> Option<&'static Settings> {
    READ.get()
}

/// Keeps what was read.
pub(crate) fn keep(settings: Settings) -> &'static Settings {
    READ.get_or_init(|| settings)
}

/// `5%`, `64MiB`, `1 GB`. Without a unit it is not understood: `5` could mean percent or bytes.
fn rise(value: &str) -> Option<Increase> {
    let has_unit = !value.ends_with(|character: char| character.is_ascii_digit());
    Increase::parse(value).filter(|rise| has_unit && !rise.is_none())
}

const RISES: &str = "a number above 0 and its unit, such as 5%, 64MiB or 1GB";

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

impl<F: Fn(&str) -> Option<OsString>> Reader<F> {
    /// Where to answer, and to whom. The value of the token is in no line.
    fn read_http(&mut self) -> (Option<Address>, Option<Token>) {
        let given = (self.variable)("MEMPROF_HTTP_TOKEN").filter(|value| !value.is_empty());
        let token = given.as_ref().and_then(|value| value.to_str()).and_then(Token::parse);
        let accepted = if cfg!(unix) { ADDRESSES } else { "nothing on this system" };
        let http = self.read("MEMPROF_HTTP", accepted, |value| {
            Address::parse(value.trim()).filter(|address| cfg!(unix) && (token.is_some() || !address.is_public()))
        });
        if given.is_none() || token.is_some() && http.is_some() {
            return (http, token);
        }
        // Who wants a token does not want to answer without one.
        self.problems.push(ignored("MEMPROF_HTTP_TOKEN", OsStr::new("***"), TOKENS));
        (None, None)
    }
}

/// The line for a value that is not understood. The value is shown on one line, as anything may stand in a variable.
fn ignored(name: &str, value: &OsStr, accepted: &str) -> String {
    format!("memprof: {name}=‘{}’ is ignored; accepted: {accepted}", one_line(&value.to_string_lossy()))
}

/// What is accepted where columns are named; `peak` and `total` are short for the two that the report is about.
fn accepted_fields(how_many: &str) -> String {
    let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
    format!("{how_many} {}, peak, total", names.join(", "))
}

fn accepted_outputs() -> String {
    format!("a file name in UTF-8 that ends in one of {}", Format::endings())
}

const SWITCH: &str = "1, true, on, 0, false, off";

/// Columns in the order in which they are named; `all` stands for all of them.
fn columns(value: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    for name in value.split(',').map(str::trim) {
        if name == "all" {
            fields.extend(Field::ALL);
        } else {
            fields.push(Field::parse(name)?);
        }
    }
    Some(fields)
}

/// Decimal digits alone: no sign, which `parse` would take.
fn whole<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

/// How many characters must be put in, taken out or exchanged to make `a` of `b` (Levenshtein).
///
/// It takes one row of the usual table, as long as `b`: names are short, and there are a dozen to compare with.
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
