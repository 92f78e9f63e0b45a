//! [`Pairs`]: which site of one profile is which of another; and [`join`], the rows of both as one list.
//!
//! A site of the first is a site of the second if file (of a registry crate without its version), function and name are the
//! same. Of several alike, those in one file at one line belong together first, then those at one line, then the rest in order
//! of line. So a moved line and an upgrade are no difference. Paths belong together where all their sites do.

use std::{borrow::Cow, collections::HashMap, hash::Hash, mem};

use crate::snapshot::Snapshot;

#[cfg(all(test, feature = "formats"))]
mod tests;

/// A place in the source, or a run-time name: then the file is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site<'a> {
    pub(crate) function: &'a str,
    pub(crate) file: &'a str,
    pub(crate) line: u32,
}

/// For sites of the first profile, those of the second that they are.
#[derive(Debug)]
pub(crate) struct Pairs<'a>(HashMap<Site<'a>, Site<'a>>);

impl<'a> Pairs<'a> {
    /// The pairs among all sites of two profiles, whatever their space.
    pub(crate) fn of(first: &'a Snapshot, second: &'a Snapshot) -> Self {
        let (mut alike, mut pairs) = (HashMap::new(), HashMap::new());
        for (side, snapshot) in [first, second].into_iter().enumerate() {
            for site in sites(snapshot) {
                let group: &mut [Vec<Site<'a>>; 2] =
                    alike.entry((without_version(site.file), site.function)).or_default();
                group[side].push(site);
            }
        }
        for [mut first, mut second] in alike.into_values() {
            for sites in [&mut first, &mut second] {
                sites.sort_by_key(|site| (site.line, site.file));
                sites.dedup();
            }
            take(&mut first, &mut second, &mut pairs, |site| (site.line, site.file));
            take(&mut first, &mut second, &mut pairs, |site| site.line);
            take(&mut first, &mut second, &mut pairs, |_| ());
        }
        Self(pairs)
    }

    /// What the second profile calls a site of the first; the site itself where only the first has it.
    pub(crate) fn in_second(&self, site: Site<'a>) -> Site<'a> {
        self.0.get(&site).copied().unwrap_or(site)
    }
}

fn sites(snapshot: &Snapshot) -> impl Iterator<Item = Site<'_>> {
    snapshot.parts().spaces.iter().flat_map(|space| {
        let records = space.records.iter().map(|record| (&record.function, &record.file, record.line));
        let paths = space.tree.iter().map(|path| (&path.function, &path.file, path.line));
        records.chain(paths).map(|(function, file, line)| Site { function, file, line })
    })
}

/// Moves what has the same key into the pairs, in order: both lists are in the order of the key.
fn take<'a, K: Ord>(
    first: &mut Vec<Site<'a>>,
    second: &mut Vec<Site<'a>>,
    pairs: &mut HashMap<Site<'a>, Site<'a>>,
    key: impl Fn(&Site<'a>) -> K,
) {
    let mut others = mem::take(second).into_iter().peekable();
    first.retain(|site| {
        while let Some(other) = others.next_if(|other| key(other) < key(site)) {
            second.push(other);
        }
        let found = others.next_if(|other| key(other) == key(site));
        found.is_none_or(|other| {
            pairs.insert(*site, other);
            false
        })
    });
    second.extend(others);
}

/// `bytes-1.9.0/src/lib.rs` as `bytes` and `src/lib.rs`; any other file whole.
fn without_version(file: &str) -> (&str, &str) {
    let versioned = file.split_once('/').and_then(|(directory, rest)| {
        let starts = |at: &usize| directory[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        let dash = directory.match_indices('-').map(|(at, _)| at).find(starts)?;
        let is_version = directory[dash + 1..].split('.').count() >= 3;
        is_version.then(|| (&directory[..dash], rest))
    });
    versioned.unwrap_or(("", file))
}

/// A record's file as it is whatever the version of its registry crate: `bytes-1.9.0/src/lib.rs` as `bytes/src/lib.rs`, any
/// other file whole.
///
/// ```
/// use memprof_report::stable_file;
///
/// assert_eq!(stable_file("bytes-1.9.0/src/lib.rs"), "bytes/src/lib.rs");
/// assert_eq!(stable_file("src/load-2/mod.rs"), "src/load-2/mod.rs");
/// ```
pub fn stable_file(file: &str) -> Cow<'_, str> {
    match without_version(file) {
        ("", whole) => Cow::Borrowed(whole),
        (package, rest) => Cow::Owned(format!("{package}/{rest}")),
    }
}

/// A row of two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    /// Its index in the first and in the second list; one of them at least is there.
    pub(crate) sides: [Option<usize>; 2],
    /// The row around this one, lower than its own.
    pub(crate) parent: Option<usize>,
}

/// The rows of the second list, at their own index, and then those that only the first has. A row is a key and the row around
/// it, which stands before it. Keys of the first are as the second has them.
pub(crate) fn join<K: Copy + Eq + Hash>(
    first: impl Iterator<Item = (K, Option<usize>)>,
    second: impl Iterator<Item = (K, Option<usize>)>,
) -> Vec<Joined> {
    let (mut rows, mut known) = (Vec::new(), HashMap::new());
    for (index, (key, parent)) in second.enumerate() {
        known.entry((parent, key)).or_insert(index);
        rows.push(Joined { sides: [None, Some(index)], parent });
    }
    let mut index_of = Vec::new();
    for (index, (key, parent)) in first.enumerate() {
        let parent = parent.map(|parent| index_of[parent]);
        // Each row of the second is met once; what a file has twice stays two rows.
        let at = known.remove(&(parent, key)).unwrap_or_else(|| {
            rows.push(Joined { sides: [None, None], parent });
            rows.len() - 1
        });
        rows[at].sides[0] = Some(index);
        index_of.push(at);
    }
    rows
}
