//! [`Merge`]: one profile out of those of many processes: ranks, workers, or runs.
//!
//! What adds up is summed: what was allocated, is live, and was owned at the peak of each one's space. What does not add up,
//! as the processes did not stand at their peaks at one moment, is the greatest of them: `peak`, `memory_peak`, `largest`. The sum
//! of the peaks stands beside, as `peak_sum`: what the fleet needs where each process may need its peak at any time.
//!
//! Profiles are taken in one after another, and each may be dropped then: what is held is in proportion to the rows of the
//! result, not to their number. The median of a row needs the numbers of all; whoever merges keeps them, in memory or in a file.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    io, mem,
};

use crate::{
    merged::{Merged, Range, Spread},
    process::Process,
    record::{PathRecord, Record, Totals},
    snapshot::{HostState, Snapshot, SnapshotParts, SpaceData},
    thousands::thousands,
};

#[cfg(all(test, feature = "formats"))]
mod tests;

/// Most notes of the processes' own that the result has; then a line says how many more there are.
const MOST_NOTES: usize = 100;

/// One profile in the making.
///
/// ```
/// # let json = r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
/// #     "notes": [], "spaces": []}"#;
/// # let ranks: [memprof_report::Snapshot; 2] = [serde_json::from_str(json)?, serde_json::from_str(json)?];
/// use memprof_report::{Merge, median};
///
/// let (mut merge, mut numbers) = (Merge::default(), Vec::<(Vec<u64>, Vec<i64>)>::new());
/// for (rank, snapshot) in ranks.iter().enumerate() {
///     merge.add(snapshot, &format!("rank {rank}"), &mut |row, memory_peak, live| {
///         numbers.resize(numbers.len().max(row + 1), Default::default());
///         numbers[row].0.push(memory_peak);
///         numbers[row].1.push(live);
///     })?;
/// }
/// let fleet = merge.finish(&mut |row| Ok((median(&mut numbers[row].0), median(&mut numbers[row].1))))?;
/// assert_eq!(fleet.merged().map(|merged| merged.ranks.len()), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Merge {
    ranks: Vec<Process>,
    state: State,
    notes: Vec<String>,
    /// By name.
    spaces: BTreeMap<String, Space>,
    /// Of all spaces together.
    rows: usize,
}

#[derive(Debug, Default)]
struct State {
    enabled: bool,
    scopes_entered: bool,
    was_off: bool,
    host: Option<HostState>,
}

#[derive(Debug, Default)]
struct Space {
    has_events: bool,
    totals: Totals,
    /// Index in `records` of each name, and of run-time names apart: they can be called like a place.
    sites: [HashMap<String, usize>; 2],
    records: Vec<Row>,
    /// Index in `tree` by the path around and the site.
    paths: HashMap<(Option<usize>, usize), usize>,
    tree: Vec<PathRecord>,
}

#[derive(Debug)]
struct Row {
    record: Record,
    /// `None` where only paths have the site so far.
    spread: Option<(usize, Spread)>,
}

/// The median of the numbers of the processes that have a row: of an even number the lower one of the two in the middle. The
/// order of the slice is changed. 0 of none.
pub fn median<T: Copy + Ord + Default>(numbers: &mut [T]) -> T {
    let Some(middle) = numbers.len().checked_sub(1).map(|last| last / 2) else { return T::default() };
    *numbers.select_nth_unstable(middle).1
}

impl Merge {
    /// Takes in the profile of one process, called `name` where it has no label. `seen` hears of each row that it has: the
    /// row's number, and the process's `memory_peak` and `live` there.
    ///
    /// # Errors
    ///
    /// A profile that was merged itself: a median of medians is none. Nothing of it is taken in.
    pub fn add(&mut self, snapshot: &Snapshot, name: &str, seen: &mut dyn FnMut(usize, u64, i64)) -> io::Result<()> {
        if snapshot.merged().is_some() {
            let problem = "it is merged already; accepted: profiles of single processes";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let SnapshotParts { enabled, host, scopes_entered, was_off, process, resident: _, notes, spaces, devices: _ } =
            snapshot.parts();
        let called = process.label.as_deref().unwrap_or(name);
        self.state.enabled |= enabled;
        self.state.scopes_entered |= scopes_entered;
        self.state.was_off |= was_off;
        self.state.host = match (self.state.host, *host) {
            (Some(HostState::Measured), _) | (_, HostState::Measured) => Some(HostState::Measured),
            (Some(before), _) => Some(before),
            (None, host) => Some(host),
        };
        self.notes.extend(notes.iter().map(|note| format!("{called}: {note}")));
        self.ranks.push(process.clone());
        for space in spaces {
            let merged = self.spaces.entry(space.name.clone()).or_default();
            merged.add(space, called, &mut self.rows, seen);
            merged.add_tree(snapshot.tree(&space.name));
        }
        Ok(())
    }

    /// The profile of them all. `median` gives the median of a row's numbers: of `memory_peak`, and of `live`.
    ///
    /// # Errors
    ///
    /// Those of `median`.
    pub fn finish(mut self, median: &mut dyn FnMut(usize) -> io::Result<(u64, i64)>) -> io::Result<Snapshot> {
        let count = self.ranks.len();
        let mut merged = Merged { ranks: mem::take(&mut self.ranks), spread: BTreeMap::new() };
        let mut spaces = Vec::new();
        for (name, mut space) in mem::take(&mut self.spaces) {
            // As a snapshot orders them, so that rows and their spread are in one order.
            space.records.sort_by_key(|row| std::cmp::Reverse(row.record.memory_peak));
            let mut spreads = Vec::with_capacity(space.records.len());
            let mut records = Vec::with_capacity(space.records.len());
            for Row { record, spread } in space.records {
                let Some((row, mut spread)) = spread else { continue };
                (spread.memory_peak.median, spread.live.median) = median(row)?;
                spreads.push(spread);
                records.push(record);
            }
            merged.spread.insert(name.clone(), spreads);
            spaces.push(SpaceData {
                name,
                has_events: space.has_events,
                totals: space.totals,
                records,
                tree: space.tree,
            });
        }
        spaces.sort_by(|a, b| (a.name != "host", &a.name).cmp(&(b.name != "host", &b.name)));
        let parts = SnapshotParts {
            enabled: self.state.enabled,
            host: self.state.host.unwrap_or(HostState::Measured),
            scopes_entered: self.state.scopes_entered,
            was_off: self.state.was_off,
            process: process(&merged.ranks),
            resident: None,
            notes: notes(count, self.notes),
            spaces,
            devices: Vec::new(),
        };
        Ok(Snapshot::of_many(parts, merged))
    }
}

impl Space {
    fn add(&mut self, space: &SpaceData, called: &str, rows: &mut usize, seen: &mut dyn FnMut(usize, u64, i64)) {
        self.has_events |= space.has_events;
        add_totals(&mut self.totals, &space.totals);
        for record in &space.records {
            let index = self.site(&record.name, &record.file, || bare(record));
            let row = &mut self.records[index];
            add_record(&mut row.record, record);
            let (number, spread) = row.spread.get_or_insert_with(|| {
                *rows += 1;
                (*rows - 1, Spread { name: record.name.clone(), ..Spread::default() })
            });
            seen(*number, record.memory_peak, record.live);
            let is_first = spread.ranks == 0;
            widen(&mut spread.memory_peak, record.memory_peak, called, is_first);
            widen(&mut spread.live, record.live, called, is_first);
            spread.ranks += 1;
        }
    }

    fn add_tree(&mut self, tree: &[PathRecord]) {
        let mut index_of: Vec<usize> = Vec::with_capacity(tree.len());
        for path in tree {
            let parent = path.parent.map(|parent| index_of[parent]);
            let site = self.site(&path.name, &path.file, || bare_of(path));
            let index = match self.paths.entry((parent, site)) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    self.tree.push(PathRecord::new(bare_of(path), parent));
                    *entry.insert(self.tree.len() - 1)
                }
            };
            add_path(&mut self.tree[index], path);
            index_of.push(index);
        }
    }

    /// The row of the site; one without numbers where it is the first that is heard of it.
    fn site(&mut self, name: &str, file: &str, new: impl FnOnce() -> Record) -> usize {
        let known = &mut self.sites[usize::from(file.is_empty())];
        if let Some(index) = known.get(name) {
            return *index;
        }
        known.insert(name.to_owned(), self.records.len());
        self.records.push(Row { record: new(), spread: None });
        self.records.len() - 1
    }
}

/// Where a record belongs, without its numbers.
fn bare(record: &Record) -> Record {
    let Record { name, file, line, function, .. } = record;
    Record { name: name.clone(), file: file.clone(), line: *line, function: function.clone(), ..Record::default() }
}

/// See [`bare`].
pub(crate) fn bare_of(path: &PathRecord) -> Record {
    let PathRecord { name, file, line, function, .. } = path;
    Record { name: name.clone(), file: file.clone(), line: *line, function: function.clone(), ..Record::default() }
}

/// Writes `add_record` and `add_path` from one list: what is summed, and of what the greatest counts. A field that is in neither
/// does not compile.
macro_rules! adders {
    (sum $sum:tt; greatest $greatest:tt; $($name:ident $record:ident $others:tt;)+) => {
        $(adders!(@one $name $record $others $sum $greatest);)+
    };
    (@one $name:ident $record:ident [$($other:ident)*] [$($sum:ident)+] [$($greatest:ident)+]) => {
        pub(crate) fn $name(into: &mut $record, from: &$record) {
            let $record { name: _, file: _, line: _, function: _, $($other: _,)* $($sum,)+ $($greatest),+ } = from;
            $(into.$sum = into.$sum.saturating_add(*$sum);)+
            $(into.$greatest = into.$greatest.max(*$greatest);)+
        }
    };
}

adders! {
    sum [
        ncalls memory_total blocks_total self_total self_blocks reallocs failed live live_blocks at_peak at_peak_blocks
        temporary kept kept_calls
    ];
    greatest [memory_peak largest];
    add_record Record [];
    add_path PathRecord [parent];
}

fn add_totals(into: &mut Totals, from: &Totals) {
    let Totals {
        live,
        live_blocks,
        peak,
        peak_blocks,
        peak_sum: _,
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
    } = from;
    for (into, from) in [
        (&mut into.peak_sum, peak),
        (&mut into.at_peak_level, at_peak_level),
        (&mut into.total, total),
        (&mut into.blocks_total, blocks_total),
        (&mut into.failed, failed),
        (&mut into.unknown_frees, unknown_frees),
        (&mut into.missed_frees, missed_frees),
        (&mut into.no_scope_total, no_scope_total),
        (&mut into.no_scope_at_peak, no_scope_at_peak),
        (&mut into.no_scope_blocks, no_scope_blocks),
        (&mut into.no_scope_at_peak_blocks, no_scope_at_peak_blocks),
    ] {
        *into = into.saturating_add(*from);
    }
    for (into, from) in [
        (&mut into.live, live),
        (&mut into.live_blocks, live_blocks),
        (&mut into.no_scope_live, no_scope_live),
        (&mut into.no_scope_live_blocks, no_scope_live_blocks),
    ] {
        *into = into.saturating_add(*from);
    }
    // The blocks and the exactness of the greatest.
    if *peak > into.peak {
        (into.peak, into.peak_blocks, into.peak_threads) = (*peak, *peak_blocks, *peak_threads);
    }
}

fn widen<T: Copy + Ord>(range: &mut Range<T>, number: T, called: &str, is_first: bool) {
    if is_first || number < range.least {
        range.least = number;
        called.clone_into(&mut range.least_of);
    }
    if is_first || number > range.greatest {
        range.greatest = number;
        called.clone_into(&mut range.greatest_of);
    }
}

/// What all have in common; from the first start to the last snapshot.
fn process(ranks: &[Process]) -> Process {
    let same = |of: fn(&Process) -> &String| {
        let first = ranks.first().map_or("", |rank| of(rank));
        if ranks.iter().all(|rank| of(rank) == first) { first.to_owned() } else { String::new() }
    };
    let times = |of: fn(&Process) -> &String| ranks.iter().map(of).filter(|time| !time.is_empty());
    Process {
        program: same(|rank| &rank.program),
        pid: 0,
        started: times(|rank| &rank.started).min().cloned().unwrap_or_default(),
        taken: times(|rank| &rank.taken).max().cloned().unwrap_or_default(),
        seconds: ranks.iter().map(|rank| rank.seconds).fold(0.0, f64::max),
        memprof: same(|rank| &rank.memprof),
        processor_seconds: ranks.iter().map(|rank| rank.processor_seconds).sum(),
        label: None,
    }
}

/// That it is a merged one and what that means, then what limited the processes.
fn notes(count: usize, own: Vec<String>) -> Vec<String> {
    let more = own.len().saturating_sub(MOST_NOTES);
    let mut notes = vec![format!(
        "merged of {} profiles: peak, memory_peak and largest are the greatest of them, all else is their sum",
        thousands(count as u64)
    )];
    notes.extend(own.into_iter().take(MOST_NOTES));
    if more > 0 {
        notes.push(format!("{} more notes of the processes are left out", thousands(more as u64)));
    }
    notes
}
