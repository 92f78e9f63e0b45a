//! [`parts`]: the call tree of a space as viewers want it, a stack of frames and three amounts for each path.
//!
//! What happened outside any scope is a part of its own, so that the parts' bytes sum to the space's totals in every
//! measure. Formats promise that sum of what they write; how a frame's text is escaped is left to them.

use std::fmt;

use crate::{
    formats::content::is_asked_for,
    measure::{Measure, OUTSIDE, write_frame},
    options::Options,
    record::PathRecord,
    snapshot::{Snapshot, SpaceData},
};

#[cfg(test)]
mod tests;

/// A path has a site once, so only a program with hundreds of sites open at once, or a file that nobody measured, is deeper. What is
/// further out than this is one frame, which says how many it stands for: stacks stay in proportion to the paths.
const MOST_FRAMES: usize = 512;

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame<'a> {
    /// `Type::method`, a run-time name, or words in parentheses for what is no site.
    pub(crate) function: std::borrow::Cow<'a, str>,
    /// Empty for a run-time name.
    pub(crate) file: &'a str,
    /// 0 for a run-time name.
    pub(crate) line: u32,
}

impl Frame<'_> {
    /// A frame that is no place in a source file.
    pub(crate) fn of_words(words: String) -> Self {
        Frame { function: words.into(), file: "", line: 0 }
    }
}

/// `function (file:line)`, or the run-time name.
impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_frame(f, &self.function, self.file, self.line)
    }
}

/// Bytes, and the blocks that they are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
}

impl Amount {
    /// Amounts that no process reaches are the greatest that there is.
    fn of(bytes: impl TryInto<i64>, blocks: impl TryInto<i64>) -> Self {
        Self { bytes: bytes.try_into().unwrap_or(i64::MAX), blocks: blocks.try_into().unwrap_or(i64::MAX) }
    }

    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.blocks = self.blocks.saturating_add(other.blocks);
    }
}

/// The additive numbers of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// Owned when the space stood at its mark.
    pub(crate) at_peak: Amount,
    /// Owned now. Negative where more was freed than is known to have been allocated.
    pub(crate) live: Amount,
    /// Ever allocated.
    pub(crate) allocated: Amount,
}

impl Amounts {
    /// Adds those of another path, for a format that takes paths of the same frames for one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.at_peak.add(other.at_peak);
        self.live.add(other.live);
        self.allocated.add(other.allocated);
    }

    /// The bytes of `measure`.
    pub(crate) fn bytes(&self, measure: Measure) -> i64 {
        match measure {
            Measure::AtPeak => self.at_peak.bytes,
            Measure::Live => self.live.bytes,
            Measure::SelfTotal => self.allocated.bytes,
        }
    }
}

/// What one path allocated and owns, or what happened outside any scope.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part<'a> {
    /// Outermost first, never empty.
    pub(crate) frames: Vec<Frame<'a>>,
    pub(crate) amounts: Amounts,
}

/// The spaces that a viewer's file shows: those that have events, or of them the one that is asked for.
pub(crate) fn spaces<'a>(snapshot: &'a Snapshot, options: &Options) -> Vec<&'a SpaceData> {
    snapshot.parts().spaces.iter().filter(|space| space.has_events && is_asked_for(&space.name, options)).collect()
}

/// The measure of a format that shows one: the one that is asked for, else what was held at the peak.
pub(crate) fn measure(options: &Options) -> Measure {
    options.measure.unwrap_or(Measure::AtPeak)
}

/// The parts of `space` that are not zero throughout, parents first, and last what happened outside any scope.
pub(crate) fn parts(space: &SpaceData) -> impl Iterator<Item = Part<'_>> {
    let of_path = |index| {
        let path: &PathRecord = &space.tree[index];
        Part {
            frames: frames(&space.tree, index),
            amounts: Amounts {
                at_peak: Amount::of(path.at_peak, path.at_peak_blocks),
                live: Amount::of(path.live, path.live_blocks),
                allocated: Amount::of(path.self_total, path.self_blocks),
            },
        }
    };
    let paths = (0..space.tree.len()).map(of_path);
    paths.chain(std::iter::once_with(|| outside(space))).filter(|part| part.amounts != Amounts::default())
}

/// The totals tell its bytes; its blocks are what the paths leave of those of the space.
fn outside(space: &SpaceData) -> Part<'_> {
    let totals = &space.totals;
    let left = |all: i128, of_paths: fn(&PathRecord) -> i128| all - space.tree.iter().map(of_paths).sum::<i128>();
    let at_peak = left(totals.peak_blocks.into(), |path| path.at_peak_blocks.into());
    let live = left(totals.live_blocks.into(), |path| path.live_blocks.into());
    let allocated = left(totals.blocks_total.into(), |path| path.self_blocks.into());
    Part {
        frames: vec![Frame::of_words(OUTSIDE.to_owned())],
        amounts: Amounts {
            // The most blocks may have been there at another moment than the most bytes.
            at_peak: Amount::of(totals.no_scope_at_peak, if totals.no_scope_at_peak == 0 { 0 } else { at_peak.max(0) }),
            live: Amount::of(totals.no_scope_live, live),
            allocated: Amount::of(totals.no_scope_total, allocated.max(0)),
        },
    }
}

/// The frames of the path at `index`, outermost first.
fn frames(tree: &[PathRecord], index: usize) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    let mut left_out = 0_usize;
    let mut next = Some(index);
    while let Some(index) = next {
        let path = &tree[index];
        if frames.len() < MOST_FRAMES {
            frames.push(Frame { function: path.function.as_str().into(), file: &path.file, line: path.line });
        } else {
            left_out += 1;
        }
        next = path.parent;
    }
    if left_out > 0 {
        frames.push(Frame::of_words(format!("({left_out} frames further out)")));
    }
    frames.reverse();
    frames
}
