//! `OpenMetrics`: what Prometheus scrapes, one file of gauges and counters.
//!
//! By space: `memprof_live_bytes`, `memprof_peak_bytes`, `memprof_allocated_bytes_total` and `memprof_blocks` (live ones); of the host also
//! `memprof_resident_bytes`, where the system says what the process holds. By scope, for the first
//! 500 by live bytes over all spaces: `memprof_scope_live_bytes`, `memprof_scope_peak_bytes` (the greatest growth of one call),
//! `memprof_scope_allocated_bytes_total` (with what it calls) and `memprof_scope_calls_total`, with the label `scope`. What happened outside any scope is the scope
//! `(outside any scope)`. So the number of series is bounded, whatever the program.
//!
//! The format's source: <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
};

use crate::{
    formats::{content::is_asked_for, stacks::spaces},
    measure::OUTSIDE,
    options::Options,
    record::Record,
    snapshot::{Snapshot, SpaceData},
};

#[cfg(test)]
mod tests;

/// The most scopes that have series of their own.
const MOST_SCOPES: usize = 500;

/// What a metric of a space is, and its value.
type OfSpace = (Metric, fn(&SpaceData) -> i128);

/// What a metric of a scope is, and its value.
type OfScope = (Metric, fn(&Scope) -> Option<i128>);

/// A family of series.
struct Metric {
    name: &'static str,
    kind: Kind,
    /// A metric's name ends with its unit, as the specification has it; empty where there is none.
    unit: &'static str,
    help: &'static str,
}

enum Kind {
    Gauge,
    /// Only grows; its series' names end with `_total`.
    Counter,
}

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help }
}

const OF_SPACES: [OfSpace; 4] = [
    (gauge("memprof_live_bytes", "bytes", "Live memory of the space."), |space| space.totals.live.into()),
    (gauge("memprof_peak_bytes", "bytes", "High-water mark of the space."), |space| space.totals.peak.into()),
    (counter("memprof_allocated_bytes", "bytes", "Memory ever allocated in the space."), |space| {
        space.totals.total.into()
    }),
    (gauge("memprof_blocks", "", "Live blocks of the space."), |space| space.totals.live_blocks.into()),
];

/// Of the host alone, of which the system says it.
const RESIDENT: Metric =
    gauge("memprof_resident_bytes", "bytes", "Memory of the process that is resident, as the system counts it.");

const OF_SCOPES: [OfScope; 4] = [
    (gauge("memprof_scope_live_bytes", "bytes", "Live memory that the scope itself allocated."), |scope| {
        Some(scope.live)
    }),
    (
        gauge("memprof_scope_peak_bytes", "bytes", "Greatest growth of one call of the scope, with what it calls."),
        |scope| scope.peak,
    ),
    (
        counter("memprof_scope_allocated_bytes", "bytes", "Memory ever allocated in the scope, with what it calls."),
        |scope| Some(scope.total),
    ),
    (counter("memprof_scope_calls", "", "Calls of the scope."), |scope| scope.calls),
];

/// A scope in a space. Records of one name are one scope here, since a series stands once.
#[derive(Default)]
struct Scope {
    live: i128,
    total: i128,
    /// `None` for what happened outside any scope: it has no calls, and no peak of its own.
    peak: Option<i128>,
    calls: Option<i128>,
}

impl Scope {
    fn add(&mut self, record: &Record) {
        self.live += i128::from(record.live);
        self.total += i128::from(record.memory_total);
        self.peak = self.peak.max(Some(record.memory_peak.into()));
        self.calls = Some(self.calls.unwrap_or(0) + i128::from(record.ncalls));
    }
}

/// Writes all spaces, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let spaces = spaces(snapshot, options);
    for (metric, value) in OF_SPACES {
        metric.write_head(out)?;
        for space in &spaces {
            metric.write_series(&[("space", &space.name)], value(space), out)?;
        }
    }
    if let Some(resident) = snapshot.resident().filter(|_| is_asked_for("host", options)) {
        RESIDENT.write_head(out)?;
        RESIDENT.write_series(&[("space", "host")], resident.now.into(), out)?;
    }
    let scopes = greatest_scopes(&spaces);
    for (metric, value) in OF_SCOPES {
        metric.write_head(out)?;
        for ((space, name), scope) in &scopes {
            if let Some(value) = value(scope) {
                metric.write_series(&[("space", space), ("scope", name)], value, out)?;
            }
        }
    }
    out.write_all(b"# EOF\n")
}

/// The scopes that own most now, by space and name.
fn greatest_scopes<'a>(spaces: &[&'a SpaceData]) -> Vec<((&'a str, &'a str), Scope)> {
    let mut scopes: BTreeMap<(&str, &str), Scope> = BTreeMap::new();
    for space in spaces {
        for record in &space.records {
            scopes.entry((&space.name, &record.name)).or_default().add(record);
        }
        let outside = scopes.entry((&space.name, OUTSIDE)).or_default();
        outside.live += i128::from(space.totals.no_scope_live);
        outside.total += i128::from(space.totals.no_scope_total);
    }
    let mut scopes: Vec<_> = scopes.into_iter().collect();
    scopes.sort_by_key(|(_, scope)| std::cmp::Reverse(scope.live));
    scopes.truncate(MOST_SCOPES);
    scopes
}

impl Metric {
    fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        let kind = match self.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        writeln!(out, "# TYPE {} {kind}", self.name)?;
        if !self.unit.is_empty() {
            writeln!(out, "# UNIT {} {}", self.name, self.unit)?;
        }
        writeln!(out, "# HELP {} {}", self.name, self.help)
    }

    fn write_series(&self, labels: &[(&str, &str)], value: i128, out: &mut dyn Write) -> io::Result<()> {
        let suffix = match self.kind {
            Kind::Gauge => "",
            Kind::Counter => "_total",
        };
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        writeln!(out, "{}{suffix}{{{}}} {value}", self.name, labels.join(","))
    }
}

/// A label's value: backslash, quote and line feed are escaped, nothing else may be.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            // A `String` takes whatever is written to it.
            other => drop(text.write_char(other)),
        }
    }
    text
}
