//! Two profiles as one: the rows of both, with the numbers of both.
//!
//! A site of the first is a site of the second if file (of a registry crate without its version), function and name are the
//! same. Of several alike, those at one place belong together first, then those at one line, then the rest in order of line. So a
//! moved line and an upgrade are no difference. Paths belong together where all their sites do.

use std::collections::HashMap;

use super::rows::{Before, FIRST, Place, Rows, SECOND};

/// For sites of the first profile, those of the second that they are.
pub(super) type Pairs<'a> = HashMap<Place<'a>, Place<'a>>;

/// The pairs among all places of two profiles.
pub(super) fn pairs<'a>(first: impl Iterator<Item = Place<'a>>, second: impl Iterator<Item = Place<'a>>) -> Pairs<'a> {
    let (mut alike, mut pairs) = (HashMap::new(), Pairs::new());
    for (side, places) in [(0, first.collect::<Vec<_>>()), (1, second.collect())] {
        for place in places {
            if let Place::Site { function, file, .. } = place {
                let group: &mut [Vec<Place<'a>>; 2] = alike.entry((without_version(file), function)).or_default();
                group[side].push(place);
            }
        }
    }
    for [mut first, mut second] in alike.into_values() {
        for places in [&mut first, &mut second] {
            places.sort_by_key(line_and_file);
            places.dedup();
        }
        take(&mut first, &mut second, &mut pairs, |a, b| a == b);
        take(&mut first, &mut second, &mut pairs, |a, b| line_and_file(a).0 == line_and_file(b).0);
        take(&mut first, &mut second, &mut pairs, |_, _| true);
    }
    pairs
}

/// Moves what is the same into the pairs, in order.
fn take<'a>(
    first: &mut Vec<Place<'a>>,
    second: &mut Vec<Place<'a>>,
    pairs: &mut Pairs<'a>,
    same: impl Fn(&Place<'a>, &Place<'a>) -> bool,
) {
    // Both are in order of line, so the one that is sought stands at or after the last that was found.
    let mut from = 0;
    first.retain(|place| {
        let Some(found) = second[from..].iter().position(|other| same(place, other)) else { return true };
        from += found;
        pairs.insert(*place, second.remove(from));
        false
    });
}

fn line_and_file<'a>(place: &Place<'a>) -> (u32, &'a str) {
    match place {
        Place::Site { file, line, .. } => (*line, file),
        Place::Outside | Place::Other => (0, ""),
    }
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

/// The rows of the second profile and then those that only the first has, each with the numbers of both.
pub(super) fn union<'a>(first: &Rows<'a>, second: Rows<'a>, pairs: &Pairs<'a>) -> Rows<'a> {
    let mut all = second;
    let mut known = HashMap::new();
    for row in 0..all.len() {
        known.entry((all.parents[row], all.places[row])).or_insert(row);
    }
    let of_second = all.len();
    all.before = Some(Before {
        numbers: first.numbers.iter().map(|_| vec![0; of_second]).collect(),
        sides: vec![SECOND; of_second],
    });
    let mut index = Vec::with_capacity(first.len());
    for row in 0..first.len() {
        let place = pairs.get(&first.places[row]).copied().unwrap_or(first.places[row]);
        let parent = first.parents[row].map(|parent| index[parent]);
        // Each row of the second is met once; what a file has twice stays two rows.
        let at = known.remove(&(parent, place)).unwrap_or_else(|| {
            all.push(place, parent, |_| 0);
            all.len() - 1
        });
        index.push(at);
        if let Some(before) = &mut all.before {
            before.sides[at] = FIRST | if at < of_second { SECOND } else { 0 };
            for (to, from) in before.numbers.iter_mut().zip(&first.numbers) {
                to[at] = from[row];
            }
        }
    }
    all
}
