//! Records: what a snapshot shows of each site and of each path, from the sums of the paths.
//!
//! Plain functions of numbers that were read before.
//!
//! A flat record of a site is the sum of its paths' records, but for what was inside another activation of the same
//! site: recursion is not counted twice ([`merge_flat`](PathSums::merge_flat)). A record of a path is that path's
//! alone. Peaks are not added but compared: of all activations, the highest.

use memprof_report::{PathRecord, Record};

use crate::base::state;
use crate::names::path::PathId;
use crate::names::site::{Shown, Site};
use crate::observe::sums::PathSums;

/// What sites are called, made once for a snapshot: a site stands in a record of its own, and in one of each of its paths.
#[derive(Default)]
pub(super) struct Names(Vec<Option<Shown>>);

impl Names {
    /// What the site of this number is called.
    fn of(&mut self, id: u32) -> Option<&Shown> {
        let (site, place) = (Site::of_id(id)?, id as usize);
        if self.0.len() <= place {
            self.0.resize_with(place + 1, || None);
        }
        Some(self.0[place].get_or_insert_with(|| site.shown()))
    }
}

/// One record a site, in the order in which ties are shown.
pub(super) fn flat_records(sums: &[PathSums], calls: &[u64], names: &mut Names) -> Vec<Record> {
    flat_records_of(sums, calls, names, |_| true)
}

/// The same, of what the paths below `path` recorded.
pub(super) fn records_below(path: PathId, sums: &[PathSums], calls: &[u64]) -> Vec<Record> {
    // A path has a greater number than its parent.
    let mut is_below = vec![false; sums.len()];
    for index in path.index() + 1..sums.len() {
        let parent = PathId::of_index(index).parent();
        is_below[index] = parent == path || is_below[parent.index()];
    }
    flat_records_of(sums, calls, &mut Names::default(), |path| is_below[path])
}

/// One record for each site that has a path which `of` takes and which has something to show.
fn flat_records_of(sums: &[PathSums], calls: &[u64], names: &mut Names, of: impl Fn(usize) -> bool) -> Vec<Record> {
    let paths =
        PathsBySite::of((1..sums.len()).filter(|path| of(*path) && sums[*path].is_shown(calls_of(calls, *path))));
    let epoch = state::epoch();
    let mut sites: Vec<_> = paths.sites().filter_map(|id| Some((Site::of_id(id)?.order(epoch), id))).collect();
    sites.sort_by_key(|(order, _)| *order);
    let mut records = Vec::with_capacity(sites.len());
    for (_, id) in sites {
        let Some(site) = names.of(id) else { continue };
        let (mut all_calls, mut all) = (0, PathSums::default());
        for path in paths.of_site(id) {
            all_calls += calls_of(calls, path);
            all.merge_flat(&sums[path]);
        }
        records.push(all.record(site, all_calls));
    }
    records
}

/// Paths by their site: a list for each, the latest path first.
#[derive(Default)]
struct PathsBySite {
    /// By site: the path that begins its list, or 0, which is no site's.
    first: Vec<u32>,
    /// By path: the one behind it.
    next: Vec<u32>,
}

impl PathsBySite {
    /// Of paths that each have a greater number than those before.
    fn of(paths: impl Iterator<Item = usize>) -> Self {
        let mut by_site = Self::default();
        for path in paths {
            let site = PathId::of_index(path).site() as usize;
            by_site.first.resize(by_site.first.len().max(site + 1), 0);
            by_site.next.resize(path, 0);
            by_site.next.push(core::mem::replace(&mut by_site.first[site], path as u32));
        }
        by_site
    }

    /// The sites that have a path.
    fn sites(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.first).filter(|(_, first)| **first != 0).map(|(site, _)| site)
    }

    /// The paths of one that has.
    fn of_site(&self, site: u32) -> impl Iterator<Item = usize> {
        core::iter::successors(Some(self.first[site as usize]), |path| Some(self.next[*path as usize]))
            .take_while(|path| *path != 0)
            .map(|path| path as usize)
    }
}

/// One record a path, parents first.
///
/// A path that has nothing to show is there all the same if one below it has: otherwise that one would stand at no
/// place.
pub(super) fn tree(sums: &[PathSums], calls: &[u64], names: &mut Names) -> Vec<PathRecord> {
    let mut shown: Vec<bool> =
        sums.iter().enumerate().map(|(path, sums)| sums.is_shown(calls_of(calls, path))).collect();
    // A path has a greater number than its parent.
    for path in (1..shown.len()).rev() {
        if shown[path] {
            shown[PathId::of_index(path).parent().index()] = true;
        }
    }
    let mut places = vec![None; sums.len()];
    let mut records = Vec::with_capacity(shown.iter().filter(|shown| **shown).count());
    for path in (1..sums.len()).filter(|path| shown[*path]) {
        let id = PathId::of_index(path);
        let Some(site) = names.of(id.site()) else { continue };
        places[path] = Some(records.len());
        records.push(PathRecord::new(sums[path].record(site, calls_of(calls, path)), places[id.parent().index()]));
    }
    records
}

/// Calls of a path, none if it was made after the snapshot began.
fn calls_of(calls: &[u64], path: usize) -> u64 {
    calls.get(path).copied().unwrap_or(0)
}
