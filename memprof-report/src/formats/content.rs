//! What a report for people says, whatever its format.
//!
//! The texts, which rows and spaces stand in it and in which order are decided here once, for text and Markdown, and in
//! part for all other formats: so they say the same. Names are on one line already; escapes of a format, and its
//! layout, are its own. Blocks of a kind of their own (who held it, crates, spread, resident) have a module each beside
//! this.

use crate::{
    device::Device,
    formats::{
        crates::{self, Crates},
        held::Held,
        resident,
        spread::{self, SpreadTable},
    },
    one_line::one_line,
    options::{Asker, Options},
    plan::Plan,
    record::{Cell, Field, Record, Totals},
    snapshot::{HostState, Snapshot, SpaceData},
    thousands::thousands,
};

#[cfg(test)]
mod tests;

/// The first line.
pub(crate) const TITLE: &str = "Memory Profiling";

/// The columns if none are asked for.
pub(crate) const DEFAULT_COLUMNS: &[Field] = &[Field::Ncalls, Field::MemoryPeak, Field::MemoryTotal, Field::Name];

const OFF: &str = "memprof is off: run with MEMPROF=1 or call memprof::enable()";
const NO_ALLOCATOR: &str = "measuring, but no allocator reports: \
     add #[global_allocator] static ALLOC: memprof::Alloc = memprof::Alloc::system();";
/// The same of a program that `cargo memprof` gave its allocator, or was to.
const NO_ALLOCATOR_FOUND: &str = "measuring, but the program’s allocator does not report to memprof";
const NO_SCOPE: &str = "measuring, but no scope was entered: add #[memprof::track] to a function";
/// The same of a program whose functions `cargo memprof` tracks.
const NO_CALL: &str = "measuring, but no tracked function was called";
const UNTAGGED: &str =
    "host was not measured: the process started without MEMPROF=1, and its allocator is not Alloc::system().always()";

/// The one line of a report that has nothing to show, or `None` where there is something.
pub(crate) fn nothing_to_show(snapshot: &Snapshot) -> Option<&'static str> {
    let state = snapshot.parts();
    if snapshot.parts().spaces.iter().any(|space| !space.records.is_empty()) {
        return None;
    }
    if !state.enabled {
        return Some(OFF);
    }
    if state.scopes_entered {
        return None;
    }
    let unheard = state.host == HostState::NoAllocator && snapshot.spaces().next().is_none();
    Some(match snapshot.plan() {
        plan if unheard => no_allocator(plan),
        Some(_) => NO_CALL,
        None => NO_SCOPE,
    })
}

fn no_allocator(plan: Option<&Plan>) -> &'static str {
    if plan.is_some() { NO_ALLOCATOR_FOUND } else { NO_ALLOCATOR }
}

/// The lines at the end of a report: the devices in whose space nothing was recorded, the snapshot's notes, then why the
/// host's numbers are missing.
///
/// Where one space is asked for, it has its table, and other devices have no line.
pub(crate) fn last_lines(snapshot: &Snapshot, options: &Options) -> Vec<String> {
    let has_table = |device: &&Device| snapshot.spaces().any(|space| space == device.space);
    let devices = snapshot.devices().iter().filter(|device| !has_table(device) && is_asked_for(&device.space, options));
    let mut lines: Vec<String> = devices.map(device_line).collect();
    lines.extend(snapshot.notes().map(one_line).filter(|line| !line.trim().is_empty()));
    if nothing_to_show(snapshot).is_some() {
        return lines;
    }
    match snapshot.parts().host {
        HostState::NoAllocator if snapshot.spaces().next().is_none() => {
            lines.push(no_allocator(snapshot.plan()).to_owned());
        }
        HostState::Untagged => lines.push(UNTAGGED.to_owned()),
        HostState::Measured | HostState::NoAllocator => {}
    }
    lines
}

/// The table of one space: which rows it has.
///
/// Where one space has events, or none, a table holds every record; where several have, only those that say
/// something of its space. At most `options.rows` are kept.
#[derive(Debug)]
pub(crate) struct Sheet<'a> {
    pub(crate) space: &'a SpaceData,
    pub(crate) rows: Vec<&'a Record>,
    left_out: usize,
    /// Rows that were not asked for.
    others: usize,
    asker: Asker,
}

impl Sheet<'_> {
    /// The sheets of a report: one for each space that has events, or the one of them that is asked for; the host's where
    /// none has.
    pub(crate) fn all<'a>(snapshot: &'a Snapshot, options: &Options) -> Vec<Sheet<'a>> {
        let with_zeros = !has_several(snapshot);
        asked_spaces(snapshot, options).map(|space| Sheet::new(space, options, with_zeros)).collect()
    }

    fn new<'a>(space: &'a SpaceData, options: &Options, with_zeros: bool) -> Sheet<'a> {
        let mut rows = ordered(space, options.order);
        rows.retain(|record| with_zeros || !is_zero(record));
        let all = rows.len();
        rows.retain(|record| is_wanted(record, options));
        let others = all - rows.len();
        let most = options.rows.unwrap_or(usize::MAX);
        let left_out = rows.len().saturating_sub(most);
        rows.truncate(most);
        Sheet { space, rows, left_out, others, asker: options.asker }
    }

    /// The line that says how many rows are left out, and how many were not asked for, if any are.
    pub(crate) fn left_out(&self) -> Option<String> {
        let cut = (self.left_out > 0).then(|| {
            let more = counted(self.left_out as u64, "more row");
            format!("{more} left out ({})", how_to_get_more(self.rows.len(), self.asker))
        });
        let others = (self.others > 0).then(|| format!("{} not asked for", counted(self.others as u64, "other row")));
        let said: Vec<String> = cut.into_iter().chain(others).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// How the memory of the device adds up, if this is the space of one.
    pub(crate) fn device_line(&self, snapshot: &Snapshot) -> Option<String> {
        snapshot.devices().iter().find(|device| device.space == self.space.name).map(device_line)
    }

    /// Who held the space's memory at its peak, if anybody did, and the table does not say just that.
    pub(crate) fn held(&self, snapshot: &Snapshot, options: &Options) -> Option<Held> {
        let is_said = snapshot.plan().is_some() && options.order == Field::AtPeak && !options.tree;
        if is_said { None } else { Held::of(self.space, options) }
    }

    /// Which crates held it, where the profile says which were tracked.
    pub(crate) fn crates(&self, snapshot: &Snapshot) -> Option<Crates> {
        Crates::of(self.space, snapshot.plan()?)
    }

    /// Which dependencies can be tracked, so that less is outside any scope.
    pub(crate) fn untracked_line(&self, snapshot: &Snapshot) -> Option<String> {
        crates::untracked_line(snapshot, self.space)
    }

    /// How the rows differ, if several processes were merged.
    pub(crate) fn spread(&self, snapshot: &Snapshot, options: &Options) -> Vec<SpreadTable> {
        snapshot.merged().map_or_else(Vec::new, |merged| spread::tables(merged, &self.space.name, options))
    }

    /// Why the system says more than memprof, if this is the host and the system says it.
    pub(crate) fn resident_line(&self, snapshot: &Snapshot) -> Option<String> {
        if self.space.name == "host" { resident::line(snapshot) } else { None }
    }

    /// `host: peak 32 bytes, total 32 bytes, live 0 bytes; outside any scope: total 0 bytes, live 0 bytes`.
    pub(crate) fn space_line(&self) -> String {
        let totals = &self.space.totals;
        let mut line = format!(
            "{}: peak {} bytes{}{}, total {} bytes, live {} bytes; outside any scope: total {} bytes, live {} bytes",
            one_line(&self.space.name),
            thousands(totals.peak),
            short_by(totals),
            peak_sum(totals),
            thousands(totals.total),
            thousands(totals.live),
            thousands(totals.no_scope_total),
            thousands(totals.no_scope_live),
        );
        for (count, what) in [(totals.unknown_frees, "unknown free"), (totals.missed_frees, "missed free")] {
            if count > 0 {
                line.push_str("; ");
                line.push_str(&counted(count, what));
            }
        }
        line
    }
}

/// ` (short by at most 512 KiB: 8 threads)`, where the peak is not exact: so much each thread may hold that it has not
/// published.
fn short_by(totals: &Totals) -> String {
    const KIB_PER_THREAD: i128 = 64;
    if totals.peak_threads == 0 {
        return String::new();
    }
    let most = thousands(i128::from(totals.peak_threads) * KIB_PER_THREAD);
    format!(" (short by at most {most} KiB: {})", counted(totals.peak_threads, "thread"))
}

/// ` (the greatest), peak_sum 4,000 bytes`, of a merged profile.
fn peak_sum(totals: &Totals) -> String {
    match totals.peak_sum {
        0 => String::new(),
        sum => format!(" (the greatest), peak_sum {} bytes", thousands(sum)),
    }
}

pub(crate) fn device_line(device: &Device) -> String {
    if device.total == 0 {
        return format!(
            "{}: attributed {}; what the device uses is not known: its driver could not be asked while it had a context",
            one_line(&device.space),
            thousands(device.attributed),
        );
    }
    let mut line = format!(
        "{}: device uses {} of {} bytes: attributed {}, pool reserve {}, unattributed {}",
        one_line(&device.space),
        thousands(device.used),
        thousands(device.total),
        thousands(device.attributed),
        thousands(device.pool_reserved.saturating_sub(device.pool_used)),
        thousands(device.unattributed),
    );
    if device.pool_reserved_high > 0 {
        let pool = format!(
            "; pool holds {} (at most {}), hands out {} (at most {})",
            thousands(device.pool_reserved),
            thousands(device.pool_reserved_high),
            thousands(device.pool_used),
            thousands(device.pool_used_high),
        );
        line.push_str(&pool);
    }
    if device.unattributed < 0 {
        line.push_str("; more is attributed than the device has in use");
    }
    if device.last_known {
        line.push_str("; ");
        if !device.silence.is_empty() {
            line.push_str(&one_line(&device.silence));
            line.push_str(": ");
        }
        line.push_str("last known values");
        let then = device.attributed_when_asked();
        if then != device.attributed {
            line.push_str(", from when attributed was ");
            line.push_str(&thousands(then).to_string());
        }
    }
    line
}

/// The spaces that have events; the first, which is the host, where none has.
pub(crate) fn shown_spaces(snapshot: &Snapshot) -> Vec<&SpaceData> {
    let spaces: Vec<&SpaceData> = snapshot.parts().spaces.iter().filter(|space| space.has_events).collect();
    if spaces.is_empty() { snapshot.parts().spaces.iter().take(1).collect() } else { spaces }
}

/// Where `cargo memprof` tracked other functions in the one than in the other: a row that only one has may be that alone.
pub(crate) fn plans(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let of_one = |which: &str| {
        vec![format!(
            "what was tracked was chosen by `cargo memprof` {which} alone: a row that only one has may be that"
        )]
    };
    match (before.plan(), after.plan()) {
        (Some(before), Some(after)) => {
            let differences = after.differences(before).into_iter();
            differences.map(|line| format!("the plans differ, so rows may: {}", one_line(&line))).collect()
        }
        (Some(_), None) => of_one("before"),
        (None, Some(_)) => of_one("after"),
        (None, None) => Vec::new(),
    }
}

/// How so many rows are asked for.
pub(crate) fn how_to_get_more(most: usize, asker: Asker) -> String {
    match asker {
        Asker::Code => format!("rows({most})"),
        Asker::Environment => format!("MEMPROF_ROWS={most}"),
        Asker::Command => format!("--rows {most}"),
    }
}

/// Whether a report that shows the spaces asked for shows this one.
pub(crate) fn is_asked_for(space: &str, options: &Options) -> bool {
    options.space.as_deref().is_none_or(|asked| asked == space)
}

/// Whether several spaces have events, so that each is named.
pub(crate) fn has_several(snapshot: &Snapshot) -> bool {
    shown_spaces(snapshot).len() > 1
}

/// Those of [`shown_spaces`] that are asked for.
pub(crate) fn asked_spaces<'a>(snapshot: &'a Snapshot, options: &Options) -> impl Iterator<Item = &'a SpaceData> {
    shown_spaces(snapshot).into_iter().filter(|space| is_asked_for(&space.name, options))
}

/// Whether the row is among those that are asked for.
fn is_wanted(record: &Record, options: &Options) -> bool {
    options.only.as_ref().is_none_or(|names| names.contains(&record.name))
}

/// The records of `space`, ordered by `order`: amounts descending, all else ascending. Ties keep the
/// snapshot's order.
pub(crate) fn ordered(space: &SpaceData, order: Field) -> Vec<&Record> {
    let mut records: Vec<&Record> = space.records.iter().collect();
    records.sort_by(|a, b| order.cell(a).rank(&order.cell(b)));
    records
}

/// Whether nothing happened in the record's space while it was open: every amount but its calls is zero.
fn is_zero(record: &Record) -> bool {
    let mut fields = Field::ALL.iter().filter(|field| **field != Field::Ncalls);
    fields.all(|field| match field.cell(record) {
        Cell::Amount(amount) => amount == 0,
        Cell::Line(_) | Cell::Text(_) => true,
    })
}

/// `1 unknown free`, `2 unknown frees`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", thousands(count))
}
