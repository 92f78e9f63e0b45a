//! [`CallTree`]: the call tree of a space as lines, each with its share of the one that it stands in.
//!
//! A line's *branch* is its path's part of one measure with those of all paths below it, so the outermost branches sum to
//! the space's level, to the byte, and a branch's own part and the branches below it sum to the branch. Small branches
//! are folded: one line under the path that they stand in says how many paths they are, and sums them.
//!
//! How a line looks on paper is left to the formats.

use crate::{
    formats::cell::cell,
    measure::{Measure, Node, OUTSIDE, weigh},
    one_line::one_line,
    options::Options,
    record::{Cell, Field, PathRecord},
    snapshot::SpaceData,
    thousands::thousands,
};

#[cfg(test)]
mod tests;

/// The columns that stand first.
pub(crate) const BRANCH: &str = "branch";
/// See [`BRANCH`].
pub(crate) const SHARE: &str = "share";

/// A path deeper than this is not moved further to the right; it says how deep it is.
const MOST_INDENTED: usize = 40;

/// What a branch weighs is counted in parts of this many.
const WHOLE: u128 = 1 << 32;

/// A branch that has less than a hundredth of everything is small.
const SMALL: u128 = WHOLE / 100;

/// The call tree of a space.
#[derive(Debug)]
pub(crate) struct CallTree<'a> {
    /// Depth first: a path stands directly before the first of those below it.
    pub(crate) lines: Vec<Line<'a>>,
    /// How many paths are folded though they are not small: more than were asked for.
    pub(crate) cut: usize,
}

/// One line of the tree.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'a> {
    /// 0 for the outermost.
    pub(crate) depth: usize,
    /// What of the measure its path and all below it have.
    pub(crate) branch: i128,
    /// What of the measure the path has that it stands in; of an outermost one, the space.
    pub(crate) around: i128,
    pub(crate) place: Place<'a>,
}

/// What a line is of.
#[derive(Debug, PartialEq)]
pub(crate) enum Place<'a> {
    Path(&'a PathRecord),
    Outside,
    /// So many paths, each too small for a line of its own.
    Folded(usize),
}

/// What a tree is of: the measure that is asked for, else the one that the order stands for.
pub(crate) fn measure(options: &Options) -> Measure {
    options.measure.unwrap_or(match options.order {
        Field::Live | Field::LiveBlocks => Measure::Live,
        Field::SelfTotal | Field::SelfBlocks | Field::MemoryTotal | Field::BlocksTotal => Measure::SelfTotal,
        _ => Measure::AtPeak,
    })
}

/// The columns beside the branch and its share: as asked, else the measure's own part and those of the flat table. The
/// name stands last in any case.
pub(crate) fn columns(options: &Options) -> Vec<Field> {
    let own = match measure(options) {
        Measure::AtPeak => Field::AtPeak,
        Measure::Live => Field::Live,
        Measure::SelfTotal => Field::SelfTotal,
    };
    let asked = options.columns.clone();
    let mut columns = asked.unwrap_or_else(|| vec![own, Field::Ncalls, Field::MemoryPeak, Field::MemoryTotal]);
    columns.retain(|field| *field != Field::Name);
    columns
}

impl<'a> CallTree<'a> {
    /// The tree of `space`. Where several spaces have events, paths of which this one says nothing are left out, as rows
    /// are.
    pub(crate) fn of(space: &'a SpaceData, options: &Options, with_zeros: bool) -> CallTree<'a> {
        let measure = measure(options);
        let nodes = weigh(&space.tree, &space.totals, measure);
        let (paths, outside) = nodes.split_at(space.tree.len());
        let whole = measure.whole(&space.totals);
        let mut tree = CallTree::of_nodes(paths, whole, options, with_zeros);
        let outside = outside.iter().find(|node| node.own != 0).map(|node| Line {
            depth: 0,
            branch: node.own,
            around: whole,
            place: Place::Outside,
        });
        // Before what is folded of the outermost.
        let end = tree.lines.len()
            - usize::from(matches!(tree.lines.last(), Some(line) if line.is_fold() && line.depth == 0));
        tree.lines.splice(end..end, outside);
        tree
    }

    /// The tree of these nodes, each with a path; the outermost have their share of `whole`.
    pub(crate) fn of_nodes(paths: &[Node<'a>], whole: i128, options: &Options, with_zeros: bool) -> CallTree<'a> {
        let says_something = |node: &Node<'_>| with_zeros || node.path.is_some_and(|path| !is_zero(path));
        let says_something: Vec<bool> = paths.iter().map(says_something).collect();
        let (is_shown, cut) = shown(paths, &says_something, options.rows.unwrap_or(usize::MAX));

        // Of each path, and last of the space: those shown that stand in it, and what of it is folded.
        let mut inside = vec![Inside::default(); paths.len() + 1];
        let shown_around = shown_around(paths, &is_shown);
        for (index, node) in paths.iter().enumerate() {
            let inside = &mut inside[shown_around[index]];
            if is_shown[index] {
                inside.shown.push(index);
            } else {
                inside.folded += usize::from(says_something[index]);
                inside.folded_branch += node.own;
            }
        }
        let mut tree = CallTree { lines: Vec::new(), cut };
        tree.add_all(paths, &mut inside, whole);
        tree
    }

    /// Adds what is shown, from the outermost on, without a recursion: a saved profile can be deep.
    fn add_all(&mut self, paths: &[Node<'a>], inside: &mut [Inside], whole: i128) {
        for inside in &mut *inside {
            // Ties keep the order of the tree.
            inside.shown.sort_by_key(|index| std::cmp::Reverse(paths[*index].with_children));
            // The next one is taken from the end.
            inside.shown.reverse();
        }
        let mut open = vec![paths.len()];
        while let Some(parent) = open.last().copied() {
            let depth = open.len() - 1;
            let around = if parent == paths.len() { whole } else { paths[parent].with_children };
            if let Some(index) = inside[parent].shown.pop() {
                let place = paths[index].path.map_or(Place::Outside, Place::Path);
                self.lines.push(Line { depth, branch: paths[index].with_children, around, place });
                open.push(index);
                continue;
            }
            let Inside { folded, folded_branch, .. } = inside[parent];
            if folded > 0 || folded_branch != 0 {
                self.lines.push(Line { depth, branch: folded_branch, around, place: Place::Folded(folded) });
            }
            open.pop();
        }
    }
}

/// What stands in a path.
#[derive(Clone, Debug, Default)]
struct Inside {
    shown: Vec<usize>,
    folded: usize,
    folded_branch: i128,
}

/// Which paths have a line, the greatest `most` of those that are not small, and how many of those have none. A path is at
/// least as great as any below it.
fn shown(paths: &[Node<'_>], says_something: &[bool], most: usize) -> (Vec<bool>, usize) {
    let weights = weights(paths);
    // Where nothing has any weight, nothing is smaller than the rest.
    let least = if weights.iter().all(|weight| *weight == 0) { 0 } else { SMALL };
    let mut shown: Vec<bool> =
        weights.iter().zip(says_something).map(|(weight, says)| *weight >= least && (*says || *weight > 0)).collect();
    show_single_ones(paths, says_something, &mut shown);
    let mut order: Vec<usize> = (0..paths.len()).filter(|index| shown[*index]).collect();
    let cut = order.len().saturating_sub(most);
    if cut > 0 {
        // Ties keep their order, in which a path stands before those below it.
        order.sort_by_key(|index| std::cmp::Reverse(weights[*index]));
        for index in order.split_off(most) {
            shown[index] = false;
        }
    }
    (shown, cut)
}

/// A small path that would be the only one of its line has the line.
fn show_single_ones(paths: &[Node<'_>], says_something: &[bool], shown: &mut [bool]) {
    let mut folded = vec![Vec::new(); paths.len() + 1];
    for (index, around) in shown_around(paths, shown).into_iter().enumerate() {
        // Two are enough to know that there are more than one.
        if !shown[index] && says_something[index] && folded[around].len() < 2 {
            folded[around].push(index);
        }
    }
    for (around, folded) in folded.into_iter().enumerate() {
        // One that stands in a path of which the space says nothing stays folded.
        if let [index] = folded[..]
            && paths[index].parent.unwrap_or(paths.len()) == around
        {
            shown[index] = true;
        }
    }
}

/// The nearest path around each one that is shown, as an index; behind the last where there is none.
fn shown_around(paths: &[Node<'_>], shown: &[bool]) -> Vec<usize> {
    let mut around: Vec<usize> = Vec::with_capacity(paths.len());
    for node in paths {
        let nearest = node.parent.map(|parent| if shown[parent] { parent } else { around[parent] });
        around.push(nearest.unwrap_or(paths.len()));
    }
    around
}

/// How great each branch is, in parts of [`WHOLE`]: as its share of all bytes of the measure, owed ones counted as well, or its
/// peak beside the greatest one, whichever is more.
fn weights(paths: &[Node<'_>]) -> Vec<u128> {
    let mut bytes: Vec<u128> = paths.iter().map(|node| node.own.unsigned_abs()).collect();
    let mut peaks: Vec<u128> = paths.iter().map(|node| node.path.map_or(0, |path| path.memory_peak.into())).collect();
    let all = bytes.iter().sum::<u128>().max(1);
    let greatest = peaks.iter().copied().max().unwrap_or(0).max(1);
    for index in (0..paths.len()).rev() {
        if let Some(parent) = paths[index].parent {
            bytes[parent] += bytes[index];
            peaks[parent] = peaks[parent].max(peaks[index]);
        }
    }
    let weight = |(bytes, peak): (u128, u128)| (bytes * WHOLE / all).max(peak * WHOLE / greatest);
    bytes.into_iter().zip(peaks).map(weight).collect()
}

/// Whether the space says nothing of the path but how often it was called.
pub(crate) fn is_zero(path: &PathRecord) -> bool {
    let mut fields = Field::ALL.iter().filter(|field| **field != Field::Ncalls);
    fields.all(|field| !matches!(field.cell_of_path(path), Cell::Amount(amount) if amount != 0))
}

impl Line<'_> {
    fn is_fold(&self) -> bool {
        matches!(self.place, Place::Folded(_))
    }

    /// `51.0%`, of the path that it stands in; `-` where there is nothing to have a share of.
    pub(crate) fn share(&self) -> String {
        if self.around <= 0 || self.branch < 0 {
            return "-".to_owned();
        }
        let tenths = (self.branch * 2000 + self.around) / (self.around * 2);
        format!("{}.{}%", thousands(tenths / 10), tenths % 10)
    }

    /// The bytes of the branch.
    pub(crate) fn branch(&self) -> String {
        thousands(self.branch).to_string()
    }

    /// The text of a cell beside branch and share. What stands outside any scope, and what is folded, has its branch alone.
    pub(crate) fn cell(&self, field: Field) -> String {
        match &self.place {
            Place::Path(path) => cell(field.cell_of_path(path)),
            Place::Outside | Place::Folded(_) => String::new(),
        }
    }

    /// The name, moved to the right by how deep it stands.
    pub(crate) fn name(&self) -> String {
        let name = match &self.place {
            Place::Path(path) => one_line(&path.name),
            Place::Outside => OUTSIDE.to_owned(),
            Place::Folded(1) => "(1 more path)".to_owned(),
            Place::Folded(count) => format!("({} more paths)", thousands(*count as u64)),
        };
        let indent = "  ".repeat(self.depth.min(MOST_INDENTED));
        if self.depth > MOST_INDENTED { format!("{indent}[{}] {name}", self.depth) } else { format!("{indent}{name}") }
    }
}
