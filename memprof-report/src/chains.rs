//! Chains of scopes that own nothing, as one line: `run › main › search (3 scopes)`.
//!
//! Where every function is tracked, most of them only call another one: they own no byte, and their peak is that of what they called, so
//! that a table by peak says the same eight times. [`folded`] is the profile without those lines, for table, tree, page and flame
//! graph alike: it is a profile again, and they show it as any other.
//!
//! On each path of the call tree, a scope without bytes of its own (nothing at the peak, live or ever allocated by itself, and nothing that
//! failed) and
//! * with **one** path below it that says something is folded into that one, whose line then names both;
//! * with **none** is left out;
//! * with **several** stays: the ways part there.
//!
//! The site's own row of the table goes where no path of it stays, and has the line's name where all of its paths that stay have the
//! same. **A line has the numbers of its last scope**, which is the only one that owns any: so nothing is computed anew, and all that
//! adds up sums to the totals as before, to the byte.

use std::collections::HashMap;

use crate::{
    record::{PathRecord, Record},
    snapshot::{Snapshot, SnapshotParts, SpaceData},
};

#[cfg(all(test, feature = "formats"))]
mod tests;

/// A longer chain is named by its first scope and its last two.
const MOST_NAMED: usize = 4;

/// A profile with chains of scopes that own nothing as one line each, `run › main › search (3 scopes)`, and without paths that say
/// nothing. Sums stay, to the byte; a line has the numbers of its last scope.
///
/// ```
/// # let json = r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
/// #     "notes": [], "spaces": []}"#;
/// # let snapshot: memprof_report::Snapshot = serde_json::from_str(json)?;
/// println!("{}", memprof_report::folded(&snapshot));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn folded(snapshot: &Snapshot) -> Snapshot {
    let parts = snapshot.parts();
    let spaces = parts.spaces.iter().map(|space| folded_space(space, snapshot.tree(&space.name))).collect();
    snapshot.with_parts(SnapshotParts { spaces, ..parts.clone() })
}

/// What becomes of a path.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Stays,
    /// Its line is that of the one path below it that says something.
    Folded,
    Goes,
}

/// A place in the source, or a run-time name.
type Site<'a> = (&'a str, u32, &'a str);

fn folded_space(space: &SpaceData, paths: &[PathRecord]) -> SpaceData {
    let fates = fates(paths);
    let labels = labels(paths, &fates);
    let mut index = vec![None; paths.len()];
    let mut tree = Vec::new();
    for (path, record) in paths.iter().enumerate() {
        // The nearest path around it that stays: chains stand within their line, and what goes has nothing below it.
        let around = record.parent.and_then(|parent| index[parent]);
        index[path] = around;
        if fates[path] == Fate::Stays {
            index[path] = Some(tree.len());
            tree.push(PathRecord { parent: around, ..named_path(record, &labels[path]) });
        }
    }
    let named = rows(paths, &fates, &labels);
    let records = space.records.iter().filter_map(|record| {
        let label = match named.get(&site(&record.file, record.line, &record.function)) {
            Some(Row::Gone) if !owns_record(record) => return None,
            Some(Row::Named(label)) => *label,
            _ => record.function.as_str(),
        };
        Some(named_record(record, label))
    });
    SpaceData {
        name: space.name.clone(),
        has_events: space.has_events,
        totals: space.totals.clone(),
        records: records.collect(),
        tree,
    }
}

fn fates(tree: &[PathRecord]) -> Vec<Fate> {
    let mut below = vec![0_u32; tree.len()];
    let mut fates = vec![Fate::Goes; tree.len()];
    // A path stands behind the one around it.
    for path in (0..tree.len()).rev() {
        fates[path] = match (owns_path(&tree[path]), below[path]) {
            (false, 0) => continue,
            (false, 1) => Fate::Folded,
            _ => Fate::Stays,
        };
        if let Some(parent) = tree[path].parent {
            below[parent] += 1;
        }
    }
    fates
}

/// Of each path that stays, what its line is called.
fn labels(tree: &[PathRecord], fates: &[Fate]) -> Vec<String> {
    let label = |path: usize| {
        if fates[path] != Fate::Stays {
            return String::new();
        }
        let mut names = vec![tree[path].function.as_str()];
        let mut around = tree[path].parent;
        while let Some(parent) = around.filter(|parent| fates[*parent] == Fate::Folded) {
            names.push(&tree[parent].function);
            around = tree[parent].parent;
        }
        names.reverse();
        joined(&names)
    };
    (0..tree.len()).map(label).collect()
}

/// `run › main › search (3 scopes)`; of a long chain the first name and the last two.
fn joined(names: &[&str]) -> String {
    match names {
        [name] => (*name).to_owned(),
        [first, .., second_last, last] if names.len() > MOST_NAMED => {
            format!("{first} › … › {second_last} › {last} ({} scopes)", names.len())
        }
        names => format!("{} ({} scopes)", names.join(" › "), names.len()),
    }
}

/// What becomes of a site's row.
enum Row<'a> {
    /// No path of it stays.
    Gone,
    /// All that stay have this name.
    Named(&'a str),
    /// They have several.
    Itself,
}

fn rows<'a>(paths: &'a [PathRecord], fates: &[Fate], labels: &'a [String]) -> HashMap<Site<'a>, Row<'a>> {
    let mut rows = HashMap::new();
    for (path, record) in paths.iter().enumerate() {
        let row = rows.entry(site(&record.file, record.line, &record.function)).or_insert(Row::Gone);
        if fates[path] == Fate::Stays {
            *row = match row {
                Row::Gone => Row::Named(&labels[path]),
                Row::Named(label) if *label == labels[path] => Row::Named(label),
                Row::Named(_) | Row::Itself => Row::Itself,
            };
        }
    }
    rows
}

fn site<'a>(file: &'a str, line: u32, function: &'a str) -> Site<'a> {
    (file, line, function)
}

fn owns_path(path: &PathRecord) -> bool {
    let PathRecord { at_peak, at_peak_blocks, self_total, self_blocks, failed, .. } = path;
    [at_peak, at_peak_blocks, self_total, self_blocks, failed].iter().any(|number| **number != 0)
        || path.live != 0
        || path.live_blocks != 0
}

fn owns_record(record: &Record) -> bool {
    let Record { at_peak, at_peak_blocks, self_total, self_blocks, failed, .. } = record;
    [at_peak, at_peak_blocks, self_total, self_blocks, failed].iter().any(|number| **number != 0)
        || record.live != 0
        || record.live_blocks != 0
}

/// `file:line(label)`, or the label alone.
fn named(file: &str, line: u32, label: &str) -> String {
    if file.is_empty() { label.to_owned() } else { format!("{file}:{line}({label})") }
}

fn named_path(path: &PathRecord, label: &str) -> PathRecord {
    if path.function == label {
        return path.clone();
    }
    PathRecord { name: named(&path.file, path.line, label), function: label.to_owned(), ..path.clone() }
}

fn named_record(record: &Record, label: &str) -> Record {
    if record.function == label {
        return record.clone();
    }
    Record { name: named(&record.file, record.line, label), function: label.to_owned(), ..record.clone() }
}
