//! [`Stacks`]: the call tree of a space as viewers want it, stacks of frames with three amounts each.
//!
//! What happened outside any scope is a stack of its own, so that the bytes of all stacks sum to the space's totals in every
//! measure. Viewers tell frames by their text, so paths whose frames read alike are one stack. Formats promise that sum of what
//! they write; how a frame's text is escaped is left to them.

use std::{borrow::Cow, collections::HashMap, fmt};

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
/// further in than this is one frame, so that stacks stay in proportion to the paths.
const MOST_FRAMES: usize = 512;

/// Stands for the frames further in than [`MOST_FRAMES`].
const FURTHER_IN: &str = "(frames further in)";

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame<'a> {
    /// `Type::method`, a run-time name, or words in parentheses for what is no site.
    pub(crate) function: Cow<'a, str>,
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
    fn add(&mut self, other: &Self) {
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

/// The spaces that a viewer's file shows: those that have events, or of them the one that is asked for.
pub(crate) fn spaces<'a>(snapshot: &'a Snapshot, options: &Options) -> Vec<&'a SpaceData> {
    snapshot.parts().spaces.iter().filter(|space| space.has_events && is_asked_for(&space.name, options)).collect()
}

/// The measure of a format that shows one: the one that is asked for, else what was held at the peak.
pub(crate) fn measure(options: &Options) -> Measure {
    options.measure.unwrap_or(Measure::AtPeak)
}

/// The frames of all stacks of a file, each once.
#[derive(Debug, Default)]
pub(crate) struct Frames<'a> {
    all: Vec<Frame<'a>>,
    index_of_frame: HashMap<Frame<'a>, usize>,
    index_of_text: HashMap<String, usize>,
}

impl<'a> Frames<'a> {
    /// Every frame, at its index.
    pub(crate) fn all(&self) -> &[Frame<'a>] {
        &self.all
    }

    /// The index of a frame that reads like this one.
    pub(crate) fn index(&mut self, frame: Frame<'a>) -> usize {
        if let Some(index) = self.index_of_frame.get(&frame) {
            return *index;
        }
        let next = self.all.len();
        let index = *self.index_of_text.entry(frame.to_string()).or_insert(next);
        if index == next {
            self.all.push(frame.clone());
        }
        self.index_of_frame.insert(frame, index);
        index
    }
}

/// The stacks of a space.
#[derive(Debug)]
pub(crate) struct Stacks {
    nodes: Vec<Node>,
}

/// A stack: one frame within another stack, and the amounts of the paths that read like it.
#[derive(Debug)]
pub(crate) struct Node {
    /// The stack around, which stands before this one.
    pub(crate) parent: Option<usize>,
    pub(crate) frame: usize,
    /// How many stacks are around it.
    depth: usize,
    pub(crate) amounts: Amounts,
}

impl Stacks {
    /// The stacks of `space`, parents first. Their frames join `frames`.
    pub(crate) fn of<'a>(space: &'a SpaceData, frames: &mut Frames<'a>) -> Self {
        let mut builder = Builder::default();
        let mut node_of: Vec<usize> = Vec::with_capacity(space.tree.len());
        for path in &space.tree {
            let around = path.parent.map(|parent| node_of[parent]);
            let node = match around {
                Some(around) if builder.nodes[around].depth >= MOST_FRAMES => around,
                Some(around) if builder.nodes[around].depth == MOST_FRAMES - 1 => {
                    builder.node(Some(around), frames.index(Frame::of_words(FURTHER_IN.to_owned())))
                }
                around => {
                    let frame = Frame { function: path.function.as_str().into(), file: &path.file, line: path.line };
                    builder.node(around, frames.index(frame))
                }
            };
            builder.nodes[node].amounts.add(&amounts(path));
            node_of.push(node);
        }
        let node = builder.node(None, frames.index(Frame::of_words(OUTSIDE.to_owned())));
        builder.nodes[node].amounts.add(&outside(space));
        Self { nodes: builder.nodes }
    }

    /// Every stack, at its index.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The stacks that own or allocated anything themselves, and their indices.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (usize, &Amounts)> {
        let with_index = self.nodes.iter().enumerate().map(|(index, node)| (index, &node.amounts));
        with_index.filter(|(_, amounts)| **amounts != Amounts::default())
    }

    /// The frames of a stack, outermost first.
    pub(crate) fn frames(&self, index: usize) -> Vec<usize> {
        let around = |index: &usize| self.nodes[*index].parent;
        let mut frames: Vec<usize> =
            std::iter::successors(Some(index), around).map(|index| self.nodes[index].frame).collect();
        frames.reverse();
        frames
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    index_of: HashMap<(Option<usize>, usize), usize>,
}

impl Builder {
    /// The stack of this frame within another one, made where it is new.
    fn node(&mut self, parent: Option<usize>, frame: usize) -> usize {
        *self.index_of.entry((parent, frame)).or_insert_with(|| {
            let depth = parent.map_or(0, |parent| self.nodes[parent].depth + 1);
            self.nodes.push(Node { parent, frame, depth, amounts: Amounts::default() });
            self.nodes.len() - 1
        })
    }
}

fn amounts(path: &PathRecord) -> Amounts {
    Amounts {
        at_peak: Amount::of(path.at_peak, path.at_peak_blocks),
        live: Amount::of(path.live, path.live_blocks),
        allocated: Amount::of(path.self_total, path.self_blocks),
    }
}

/// What happened outside any scope. The totals tell its bytes; its blocks are what the paths leave of those of the space.
fn outside(space: &SpaceData) -> Amounts {
    let totals = &space.totals;
    let left = |all: i128, of_paths: fn(&PathRecord) -> i128| all - space.tree.iter().map(of_paths).sum::<i128>();
    let at_peak = left(totals.peak_blocks.into(), |path| path.at_peak_blocks.into());
    let live = left(totals.live_blocks.into(), |path| path.live_blocks.into());
    let allocated = left(totals.blocks_total.into(), |path| path.self_blocks.into());
    Amounts {
        // The most blocks may have been there at another moment than the most bytes.
        at_peak: Amount::of(totals.no_scope_at_peak, if totals.no_scope_at_peak == 0 { 0 } else { at_peak.max(0) }),
        live: Amount::of(totals.no_scope_live, live),
        allocated: Amount::of(totals.no_scope_total, allocated.max(0)),
    }
}
