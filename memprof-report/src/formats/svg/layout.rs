//! [`Layout`]: where each frame of a flame graph begins and ends, in bytes.
//!
//! Frames of one text under one frame are one. A frame's bytes are its own and those below it, to the byte; no pixel is known here.

use crate::{
    formats::stacks::{Frame, Frames, Stacks, spaces},
    measure::Measure,
    options::Options,
    snapshot::Snapshot,
};

/// One frame of the graph.
#[derive(Debug, PartialEq)]
pub(crate) struct Box {
    /// `function (file:line)`, a run-time name, or words.
    pub(crate) text: String,
    /// Empty where there is none.
    pub(crate) file: String,
    /// 0 for the outermost.
    pub(crate) depth: usize,
    /// Bytes of what stands before it in its row.
    pub(crate) start: i128,
    /// Its own bytes, and those of all below it.
    pub(crate) bytes: i128,
}

/// A flame graph of one measure.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Row by row, from left to right.
    pub(crate) boxes: Vec<Box>,
    /// What all outermost frames sum to.
    pub(crate) whole: i128,
    /// The sum of the paths that own less than nothing: no width shows it.
    pub(crate) below_zero: i128,
    /// What is shown.
    pub(crate) spaces: Vec<String>,
}

/// A frame that is drawn, while the tree is built.
struct Node {
    frame: usize,
    bytes: i128,
    children: Vec<usize>,
}

impl Layout {
    /// Lays out the spaces that `options` asks for.
    pub(crate) fn new(snapshot: &Snapshot, options: &Options, measure: Measure) -> Self {
        let mut frames = Frames::default();
        let mut tree = Tree::default();
        let mut below_zero = 0;
        let spaces = spaces(snapshot, options);
        for space in &spaces {
            let stacks = Stacks::of(space, &mut frames);
            let outermost = (spaces.len() > 1).then(|| frames.index(Frame::of_words(format!("[{}]", space.name))));
            below_zero += tree.add(outermost, &stacks, measure);
        }
        let whole = tree.roots.iter().map(|root| tree.nodes[*root].bytes).sum();
        let spaces = spaces.iter().map(|space| space.name.clone()).collect();
        Self { boxes: tree.boxes(&frames), whole, below_zero, spaces }
    }
}

#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    roots: Vec<usize>,
}

impl Tree {
    /// Adds the stacks of a space, below a frame of its own if it has one, and gives the sum of what is below zero.
    fn add(&mut self, outermost: Option<usize>, stacks: &Stacks, measure: Measure) -> i128 {
        let mut below_zero = 0;
        let mut bytes: Vec<i128> = Vec::with_capacity(stacks.nodes().len());
        for node in stacks.nodes() {
            let own = i128::from(node.amounts.bytes(measure));
            below_zero += own.min(0);
            bytes.push(own.max(0));
        }
        // A stack stands behind the one around it.
        for (index, node) in stacks.nodes().iter().enumerate().rev() {
            if let Some(parent) = node.parent {
                bytes[parent] += bytes[index];
            }
        }
        let roots = stacks.nodes().iter().zip(&bytes).filter(|(node, _)| node.parent.is_none());
        let whole: i128 = roots.map(|(_, bytes)| bytes).sum();
        let outermost = outermost.filter(|_| whole > 0).map(|frame| self.push(None, frame, whole));
        let mut place_of: Vec<Option<usize>> = Vec::with_capacity(bytes.len());
        for (node, bytes) in stacks.nodes().iter().zip(&bytes) {
            let around = node.parent.map_or(outermost, |parent| place_of[parent]);
            place_of.push((*bytes > 0).then(|| self.push(around, node.frame, *bytes)));
        }
        below_zero
    }

    fn push(&mut self, parent: Option<usize>, frame: usize, bytes: i128) -> usize {
        let index = self.nodes.len();
        match parent {
            Some(parent) => self.nodes[parent].children.push(index),
            None => self.roots.push(index),
        }
        self.nodes.push(Node { frame, bytes, children: Vec::new() });
        index
    }

    /// The frames row by row, the greatest first.
    fn boxes(mut self, frames: &Frames<'_>) -> Vec<Box> {
        let mut boxes = Vec::with_capacity(self.nodes.len());
        let mut row: Vec<(i128, Vec<usize>)> = vec![(0, std::mem::take(&mut self.roots))];
        for depth in 0.. {
            let mut below = Vec::new();
            for (mut start, mut siblings) in row {
                siblings.sort_by_key(|index| std::cmp::Reverse(self.nodes[*index].bytes));
                for index in siblings {
                    let node = &mut self.nodes[index];
                    let frame = &frames.all()[node.frame];
                    let (text, file) = (frame.to_string(), frame.file.to_owned());
                    boxes.push(Box { text, file, depth, start, bytes: node.bytes });
                    below.push((start, std::mem::take(&mut node.children)));
                    start += node.bytes;
                }
            }
            if below.is_empty() {
                break;
            }
            row = below;
        }
        boxes
    }
}
