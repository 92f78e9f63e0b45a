//! What the page's script reads, as JSON: the profile by columns.
//!
//! ```text
//! { "memprof": "0.1.0", "process": { "program": "flights", … }, "resident": { "now": 4096, … }, "message": null, "notes": ["…"],
//!   "order": "memory_peak", "columns": null, "measure": null, "space": null,
//!   "fields":  [{ "name": "ncalls", "unit": "calls", "meaning": "…", "additive": false }, …],
//!   "strings": ["", "load", "src/io.rs", …],
//!   "sites":   { "function": [1, …], "file": [2, …], "line": [10, …], "crate": [0, …] },
//!   "crates":  ["app", …],
//!   "spaces":  [{ "name": "host", "totals": { "peak": 32, … }, "lines": ["…"], "device": null,
//!                 "spread": [{ "field": "live", "count": 1, "rows": [{ "name": "…", "ranks": 3, "least": 1, … }] }],
//!                 "rows":  { "site": [0, -1], "columns": { "ncalls": [1, 0], … }, "folded": [[5, 120, 80], …] },
//!                 "paths": { "up": [0, 1, …], "site": […], … } }, …] }
//! ```
//!
//! A text stands once, in `strings`; a site is three indices, and one into `crates`, -1 for none, where several crates of
//! the program were tracked. A site of -1 is what happened outside any scope, -2 what was folded, and -3 and less what was
//! folded of the table's rows of the first crate and the next ones: `folded` has how many rows such a row stands for, and
//! how many of these own anything. `up` is the distance to the path around, 0 for none. A column that is 0 everywhere is
//! left out. Of two profiles, `columns` and `totals` are the second's, `before` the first's, and `sides` has 1 for a row of
//! the first, 2 for one of the second, 3 for one of both. A number that JavaScript would round, above 2^53 - 1, is written
//! as a string.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use super::{
    diff,
    embedded::Embedded,
    fold::fold,
    names::{Names, Number, RowColumns, Sites, cut},
    rows::{COLUMNS, Rows, is_additive},
    spread::{SpreadRows, spread},
};
use crate::{
    device::Device,
    formats::{
        content::{self, last_lines, nothing_to_show, plans},
        crates,
        json::writer,
        resident,
    },
    options::Options,
    pairs::Pairs,
    process::{Process, Resident},
    record::{Field, Record, Totals},
    snapshot::Snapshot,
};

/// A process records at most 32 spaces, and few notes; a file that has more is odd.
const MOST_SPACES: usize = 64;
const MOST_NOTES: usize = 100;

#[derive(Serialize)]
struct Page<'a> {
    memprof: &'static str,
    process: Option<ProcessText>,
    resident: Option<ResidentNumbers>,
    message: Option<&'static str>,
    notes: Vec<String>,
    order: &'static str,
    columns: Option<Vec<&'static str>>,
    measure: Option<&'static str>,
    space: Option<&'a str>,
    fields: Vec<FieldText>,
    strings: Vec<String>,
    sites: Sites,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crates: Vec<String>,
    spaces: Vec<SpaceColumns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Diff>,
}

/// What is known of the first of two profiles.
#[derive(Serialize)]
struct Diff {
    process: Option<ProcessText>,
}

/// Which process it was, and when.
#[derive(Serialize)]
struct ProcessText {
    program: String,
    pid: u32,
    started: String,
    seconds: f64,
    label: Option<String>,
}

/// What the system said that the process held.
#[derive(Serialize)]
struct ResidentNumbers {
    now: Number,
    peak: Number,
    limit: Option<Number>,
}

/// What the head of a column says.
#[derive(Serialize)]
struct FieldText {
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    additive: bool,
}

#[derive(Serialize)]
struct SpaceColumns {
    name: String,
    totals: BTreeMap<&'static str, Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<BTreeMap<&'static str, Number>>,
    lines: Vec<String>,
    device: Option<DeviceNumbers>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spread: Vec<SpreadRows>,
    rows: RowColumns,
    paths: RowColumns,
}

#[derive(Serialize)]
struct DeviceNumbers {
    used: Number,
    total: Number,
}

/// One profile, or two.
#[derive(Clone, Copy)]
pub(super) struct Profiles<'a> {
    pub(super) first: Option<&'a Snapshot>,
    pub(super) second: &'a Snapshot,
}

/// A space before it is folded.
struct Unfolded<'a> {
    name: &'a str,
    totals: Totals,
    before: Option<Totals>,
    rows: Rows<'a>,
    paths: Rows<'a>,
}

/// The JSON of the page, at most `most_bytes` long, safe between the tags of a script element.
pub(super) fn json(profiles: Profiles<'_>, options: &Options, most_bytes: usize) -> io::Result<String> {
    let (spaces, all_spaces) = unfolded(profiles, options);
    let count = spaces.iter().map(|space| space.rows.len() + space.paths.len()).sum::<usize>();
    let mut most_rows = count;
    loop {
        // Without any rows it is what it is.
        let mut text = Embedded::new(if most_rows == 0 { usize::MAX } else { most_bytes });
        writer::write(&page(profiles, options, &spaces, all_spaces, [most_rows, count]), &mut text)?;
        let length = text.length();
        if let Some(text) = text.into_text() {
            return Ok(text);
        }
        // A little fewer than what the mean row allows: names differ in length.
        let fitting = most_rows as u128 * most_bytes as u128 * 95 / (length as u128 * 100);
        most_rows = usize::try_from(fitting).unwrap_or(0).min(most_rows - 1);
    }
}

/// The spaces to show, and how many there are.
fn unfolded<'a>(profiles: Profiles<'a>, options: &Options) -> (Vec<Unfolded<'a>>, usize) {
    let Profiles { first, second } = profiles;
    let names = shown(second, first);
    let several = names.len() > 1;
    let pairs = first.map(|first| Pairs::of(first, second));
    let all = names.len();
    let space = |name: &'a str| {
        let of = |snapshot: &'a Snapshot| {
            let totals = snapshot.totals(name);
            let mut records: Vec<&Record> = snapshot.records(name).iter().collect();
            records.sort_by(|a, b| options.order.cell(a).rank(&options.order.cell(b)));
            (Rows::of_sites(&records, &totals), Rows::of_paths(snapshot.tree(name), &totals), totals)
        };
        let (mut rows, mut paths, totals) = of(second);
        let mut before = None;
        if let (Some(first), Some(pairs)) = (first, &pairs) {
            let (first_rows, first_paths, first_totals) = of(first);
            rows = diff::union(&first_rows, rows, pairs);
            paths = diff::union(&first_paths, paths, pairs);
            before = Some(first_totals);
        }
        // As in the text: where there are several tables, each holds what says something of its space.
        if several {
            (rows, paths) = (rows.without_zeros(), paths.without_zeros());
        }
        Unfolded { name, totals, before, rows, paths }
    };
    (names.into_iter().take(MOST_SPACES).map(space).collect(), all)
}

/// Host first, then by name: the spaces of the second profile that have something to show, and those that only the first has.
fn shown<'a>(second: &'a Snapshot, first: Option<&'a Snapshot>) -> Vec<&'a str> {
    let named = |snapshot: &'a Snapshot| {
        let spaces = content::shown_spaces(snapshot).into_iter();
        spaces.filter(|space| space.has_events || !space.records.is_empty()).map(|space| space.name.as_str())
    };
    let mut names: Vec<&str> = named(second).chain(first.into_iter().flat_map(named)).collect();
    names.sort_unstable_by_key(|name| (*name != "host", *name));
    names.dedup();
    names
}

/// Everything, with about `most_rows` of the `count` rows.
fn page<'a>(
    profiles: Profiles<'a>,
    options: &'a Options,
    spaces: &[Unfolded<'a>],
    all_spaces: usize,
    [most_rows, count]: [usize; 2],
) -> Page<'a> {
    let snapshot = profiles.second;
    let mut names = Names::of_plans([Some(snapshot), profiles.first].into_iter().flatten().filter_map(Snapshot::plan));
    let most = |rows: &Rows<'a>| (rows.len() * most_rows).div_ceil(count.max(1));
    let spaces = spaces
        .iter()
        .map(|space| SpaceColumns {
            name: cut(space.name),
            totals: totals(&space.totals),
            before: space.before.as_ref().map(totals),
            lines: lines(snapshot, space.name),
            device: device(snapshot, space.name).map(DeviceNumbers::of),
            spread: if profiles.first.is_some() { Vec::new() } else { spread(snapshot, space.name, most_rows) },
            rows: {
                let rows = fold(&space.rows, most(&space.rows), |place| names.of_crate(place));
                names.columns_of(&rows)
            },
            paths: names.columns_of(&fold(&space.paths, most(&space.paths), |_| -1)),
        })
        .collect();
    let names = names.with_several_crates();
    Page {
        memprof: env!("CARGO_PKG_VERSION"),
        process: ProcessText::of(snapshot),
        resident: snapshot.resident().map(ResidentNumbers::of),
        message: nothing_to_show(snapshot),
        notes: notes(profiles, all_spaces),
        order: options.order.name(),
        columns: options.columns.as_ref().map(|fields| fields.iter().map(|field| field.name()).collect()),
        measure: options.measure.map(crate::measure::Measure::name),
        space: options.space.as_deref(),
        diff: profiles.first.map(|first| Diff { process: ProcessText::of(first) }),
        fields: COLUMNS.iter().copied().map(FieldText::of).collect(),
        strings: names.strings,
        sites: names.sites,
        crates: names.crates,
        spaces,
    }
}

fn notes(profiles: Profiles<'_>, all_spaces: usize) -> Vec<String> {
    // All spaces are on the page, whichever is asked for.
    let Profiles { first, second } = profiles;
    let mut all = first.map_or_else(Vec::new, |first| plans(first, second));
    all.extend(last_lines(second, &Options::default()));
    let mut notes: Vec<String> = all.iter().take(MOST_NOTES).map(|note| cut(note)).collect();
    if all.len() > MOST_NOTES {
        notes.push(format!("and {} more notes, which the saved profile has", all.len() - MOST_NOTES));
    }
    if all_spaces > MOST_SPACES {
        notes.push(format!("{MOST_SPACES} of {all_spaces} spaces are on this page; the saved profile has all"));
    }
    notes
}

/// What stands below the figures of a space, as in the text.
fn lines(snapshot: &Snapshot, space: &str) -> Vec<String> {
    let resident = if space == "host" { resident::line(snapshot) } else { None };
    let device = device(snapshot, space).map(content::device_line);
    let found = snapshot.parts().spaces.iter().find(|found| found.name == space);
    let untracked = found.and_then(|space| crates::untracked_line(snapshot, space));
    resident.into_iter().chain(device).chain(untracked.map(|line| cut(&line))).collect()
}

fn device<'a>(snapshot: &'a Snapshot, space: &str) -> Option<&'a Device> {
    snapshot.devices().iter().find(|device| device.space == space)
}

impl ProcessText {
    /// `None` of a profile that does not say it: version 1 did not.
    fn of(snapshot: &Snapshot) -> Option<Self> {
        let Process { program, pid, started, seconds, label, .. } = snapshot.process();
        let text = ProcessText {
            program: cut(program),
            pid: *pid,
            started: cut(started),
            seconds: *seconds,
            label: label.as_deref().map(cut),
        };
        (!started.is_empty()).then_some(text)
    }
}

impl ResidentNumbers {
    fn of(resident: Resident) -> Self {
        let Resident { now, peak, limit, .. } = resident;
        let number = |bytes: u64| Number(bytes.into());
        ResidentNumbers { now: number(now), peak: number(peak), limit: limit.map(number) }
    }
}

impl DeviceNumbers {
    fn of(device: &Device) -> Self {
        DeviceNumbers { used: Number(device.used.into()), total: Number(device.total.into()) }
    }
}

fn totals(totals: &Totals) -> BTreeMap<&'static str, Number> {
    let Totals {
        live,
        live_blocks,
        peak,
        peak_blocks,
        peak_sum,
        at_peak_level,
        total,
        blocks_total,
        failed,
        unknown_frees,
        missed_frees,
        no_scope_live,
        no_scope_total,
        no_scope_at_peak,
        no_scope_live_blocks,
        no_scope_blocks,
        no_scope_at_peak_blocks,
        peak_threads,
    } = totals;
    let mut numbers = BTreeMap::from([
        ("live", Number((*live).into())),
        ("live_blocks", Number((*live_blocks).into())),
        ("peak", Number((*peak).into())),
        ("peak_blocks", Number((*peak_blocks).into())),
        ("at_peak_level", Number((*at_peak_level).into())),
        ("total", Number((*total).into())),
        ("blocks_total", Number((*blocks_total).into())),
        ("failed", Number((*failed).into())),
        ("unknown_frees", Number((*unknown_frees).into())),
        ("missed_frees", Number((*missed_frees).into())),
        ("no_scope_live", Number((*no_scope_live).into())),
        ("no_scope_total", Number((*no_scope_total).into())),
        ("no_scope_at_peak", Number((*no_scope_at_peak).into())),
        ("no_scope_live_blocks", Number((*no_scope_live_blocks).into())),
        ("no_scope_blocks", Number((*no_scope_blocks).into())),
        ("no_scope_at_peak_blocks", Number((*no_scope_at_peak_blocks).into())),
        ("peak_threads", Number((*peak_threads).into())),
    ]);
    // One process has none.
    if *peak_sum > 0 {
        numbers.insert("peak_sum", Number((*peak_sum).into()));
    }
    numbers
}

impl FieldText {
    fn of(field: Field) -> FieldText {
        let unit = match field {
            Field::Ncalls | Field::KeptCalls => "calls",
            Field::Reallocs | Field::Failed => "times",
            field if field.meaning().contains("(in bytes)") => "bytes",
            _ => "blocks",
        };
        FieldText { name: field.name(), unit, meaning: field.meaning(), additive: is_additive(field) }
    }
}
