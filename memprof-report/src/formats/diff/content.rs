//! What a report of differences says, whatever its format: what is worse, by how much, and where.
//!
//! The order, the measure and the columns that nobody chose are decided here, by whether both profiles are of one
//! process. Rows are paired by [`Diff`]; text and Markdown lay out what this says, and flame graph and page take from
//! it what they are about. Shares are rounded to a tenth of a percent; all other numbers are exact.

use std::cmp::Reverse;

use crate::{
    diff::{Change, Diff},
    formats::content::{counted, plans},
    measure::{Measure, OUTSIDE},
    one_line::one_line,
    options::Choice,
    process::Process,
    record::{Field, Totals},
    snapshot::Snapshot,
    thousands::thousands,
};

/// How many places the line that says where has.
const MOST_PLACES: usize = 3;

/// The first line.
pub(super) fn title(diff: &Diff) -> &'static str {
    if diff.is_growth() { "Memory, growth between two moments of one process" } else { "Memory, before and after" }
}

/// By which field rows are compared.
pub(super) fn order(diff: &Diff, choice: &Choice) -> Field {
    choice.order.unwrap_or(if diff.is_growth() { Field::Live } else { Field::MemoryPeak })
}

/// Which measure the places and the flame graph are about.
pub(super) fn measure(diff: &Diff, choice: &Choice) -> Measure {
    choice.measure.unwrap_or(if diff.is_growth() { Measure::Live } else { Measure::AtPeak })
}

/// The fields of which a difference stands beside the one that is compared.
pub(super) fn columns(diff: &Diff, choice: &Choice) -> Vec<Field> {
    let growth: &[Field] = &[Field::Kept, Field::KeptCalls, Field::Ncalls, Field::MemoryPeak];
    let two_runs: &[Field] = &[Field::MemoryPeak, Field::MemoryTotal, Field::AtPeak, Field::Live, Field::Ncalls];
    let chosen = choice.columns.as_deref().unwrap_or(if diff.is_growth() { growth } else { two_runs });
    let compared = order(diff, choice);
    chosen.iter().copied().filter(|field| is_amount(*field) && *field != compared).collect()
}

/// Whether the field is a number of bytes, blocks or calls, so that it has a difference.
fn is_amount(field: Field) -> bool {
    !matches!(field, Field::Name | Field::File | Field::Line | Field::Function)
}

/// The spaces that are shown.
pub(super) fn spaces<'a>(diff: &'a Diff, choice: &Choice) -> Vec<&'a str> {
    diff.spaces().filter(|space| choice.space.as_deref().is_none_or(|asked| asked == *space)).collect()
}

/// Which profiles they are, a line each; and a line where their order is strange.
pub(super) fn sources(diff: &Diff, choice: &Choice) -> Vec<String> {
    let mut lines = Vec::new();
    for (side, snapshot) in [diff.before(), diff.after()].into_iter().enumerate() {
        let name = choice.names.as_ref().map(|names| one_line(&names[side]));
        let parts: Vec<String> = name.into_iter().chain(process(snapshot.process())).collect();
        let said =
            if parts.is_empty() { "a profile that does not say of which process".to_owned() } else { parts.join(", ") };
        lines.push(format!("{} {said}", ["before:", "after: "][side]));
    }
    if diff.is_growth() && diff.after().process().seconds < diff.before().process().seconds {
        lines.push("the second was taken before the first: what grew meanwhile stands below as shrunk".to_owned());
    }
    lines
}

/// `flights, label "rank 3", pid 12, taken 2026-01-31T23:59:59.999Z`, as far as the profile says it.
fn process(process: &Process) -> impl Iterator<Item = String> {
    let of = |text: &str, what: &str| (!text.is_empty()).then(|| format!("{what}{}", one_line(text)));
    let label = process.label.as_deref().and_then(|label| of(label, "label "));
    let pid = (process.pid != 0).then(|| format!("pid {}", process.pid));
    [of(&process.program, ""), label, pid, of(&process.taken, "taken ")].into_iter().flatten()
}

/// One number of a space in both profiles: what it is called, and its bytes.
pub(super) type Figure = (&'static str, [i128; 2]);

/// What the whole space needed: the figure that is judged by first.
pub(super) fn figures(diff: &Diff, space: &str) -> [Figure; 3] {
    let totals = diff.totals(space);
    let figure = |name, of: fn(&Totals) -> i128| (name, [of(&totals[0]), of(&totals[1])]);
    let peak = figure("peak", |totals| totals.peak.into());
    let total = figure("total", |totals| totals.total.into());
    let live = figure("live", |totals| totals.live.into());
    if diff.is_growth() { [live, peak, total] } else { [peak, total, live] }
}

/// `peak 1,000 -> 1,500 bytes (+500, +50.0 %)`, or `live 544 bytes as before`.
pub(super) fn figure_text((name, [before, after]): &Figure, arrow: &str) -> String {
    if before == after {
        return format!("{name} {} bytes as before", thousands(*after));
    }
    let share = share(*before, *after).map_or_else(String::new, |share| format!(", {share}"));
    format!("{name} {} {arrow} {} bytes ({}{share})", thousands(*before), thousands(*after), signed(after - before))
}

/// Where the measure changed most: bytes and name of at most three places.
pub(super) fn places(diff: &Diff, choice: &Choice, space: &str) -> Vec<(i128, String)> {
    let measure = measure(diff, choice);
    let field = match measure {
        Measure::AtPeak => Field::AtPeak,
        Measure::Live => Field::Live,
        Measure::SelfTotal => Field::SelfTotal,
    };
    let mut places: Vec<(i128, &str)> =
        diff.records(space).map(|change| (change.difference(field), change.name())).collect();
    let [before, after] = diff.totals(space).map(|totals| measure.outside(&totals));
    places.push((after - before, OUTSIDE));
    places.retain(|(bytes, _)| *bytes != 0);
    places.sort_by_key(|(bytes, _)| Reverse(bytes.unsigned_abs()));
    places.into_iter().take(MOST_PLACES).map(|(bytes, name)| (bytes, one_line(name))).collect()
}

/// What [`places`] are about.
pub(super) fn places_title(diff: &Diff, choice: &Choice) -> &'static str {
    match measure(diff, choice) {
        Measure::AtPeak => "held at the peak",
        Measure::Live => "live",
        Measure::SelfTotal => "allocated",
    }
}

/// The table of one space.
pub(super) struct Sheet<'a> {
    /// The greatest change first.
    pub(super) rows: Vec<Change<'a>>,
    /// How many rows that changed are not shown.
    left_out: usize,
    /// How many rows did not change in any column.
    same: usize,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(diff: &'a Diff, choice: &Choice, space: &str) -> Self {
        let (order, columns) = (order(diff, choice), columns(diff, choice));
        let worth = |change: &Change<'_>| -> Vec<Reverse<u128>> {
            let fields = std::iter::once(&order).chain(&columns);
            fields.map(|field| Reverse(change.difference(*field).unsigned_abs())).collect()
        };
        let (mut rows, same): (Vec<_>, Vec<_>) =
            diff.records(space).partition(|change| worth(change).iter().any(|worth| worth.0 != 0));
        rows.sort_by_cached_key(worth);
        let left_out = choice.rows.map_or(0, |most| rows.len().saturating_sub(most));
        rows.truncate(rows.len() - left_out);
        Self { rows, left_out, same: same.len() }
    }

    /// What stands below the rows.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.left_out > 0 {
            lines.push(format!("{} left out", counted(self.left_out as u64, "more row")));
        }
        if self.same > 0 {
            lines.push(format!("{} did not change in these columns", counted(self.same as u64, "row")));
        }
        lines
    }
}

/// What limits the numbers: that different functions were tracked, and lines of both profiles.
pub(super) fn notes(diff: &Diff) -> Vec<String> {
    let plans = plans(diff.before(), diff.after());
    let of = |which: &'static str, snapshot: &Snapshot| -> Vec<String> {
        snapshot.notes().map(|note| format!("{which}: {}", one_line(note))).collect()
    };
    [plans, of("before", diff.before()), of("after", diff.after())].concat()
}

/// `+1,234`, `-5`, `0`.
pub(super) fn signed(amount: i128) -> String {
    let sign = if amount > 0 { "+" } else { "" };
    format!("{sign}{}", thousands(amount))
}

/// What `after` has more than `before`, as a share of it to a tenth of a percent: `+46.7 %`. `None` where there was nothing,
/// or less.
pub(super) fn share(before: i128, after: i128) -> Option<String> {
    if before <= 0 {
        return None;
    }
    let more = after - before;
    // Rounded to the nearest, halves away from 0.
    let tenths = (more.unsigned_abs() * 2_000 + before.unsigned_abs()) / (2 * before.unsigned_abs());
    let sign = match more {
        0 => "",
        more if more > 0 => "+",
        _ => "-",
    };
    Some(format!("{sign}{}.{} %", thousands(i128::try_from(tenths / 10).unwrap_or(i128::MAX)), tenths % 10))
}
