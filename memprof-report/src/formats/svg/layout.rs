//! [`Layout`]: where each frame of a flame graph begins and ends, in bytes.
//!
//! Frames of one text under one frame are one. A frame's bytes are its own and those below it, to the byte; no pixel is known here.

use std::collections::HashMap;

use crate::{
    formats::stacks::{Frame, parts, spaces},
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

/// A frame while the tree is built.
struct Node {
    text: String,
    file: String,
    bytes: i128,
    children: Vec<usize>,
}

impl Layout {
    /// Lays out the spaces that `options` asks for.
    pub(crate) fn new(snapshot: &Snapshot, options: &Options, measure: Measure) -> Self {
        let mut tree = Tree::default();
        let mut below_zero = 0;
        let spaces = spaces(snapshot, options);
        for space in &spaces {
            let outermost = (spaces.len() > 1).then(|| Frame::of_words(format!("[{}]", space.name)));
            for part in parts(space) {
                let bytes = i128::from(part.amounts.bytes(measure));
                if bytes < 0 {
                    below_zero += bytes;
                } else if bytes > 0 {
                    tree.add(outermost.iter().chain(&part.frames), bytes);
                }
            }
        }
        let whole = tree.roots.iter().map(|root| tree.nodes[*root].bytes).sum();
        let spaces = spaces.iter().map(|space| space.name.clone()).collect();
        Self { boxes: tree.boxes(), whole, below_zero, spaces }
    }
}

#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    roots: Vec<usize>,
    /// By the frame around it, and its text.
    index_of: HashMap<(Option<usize>, String), usize>,
}

impl Tree {
    /// Adds `bytes` to each of `frames`, the outermost first.
    fn add<'a>(&mut self, frames: impl Iterator<Item = &'a Frame<'a>>, bytes: i128) {
        let mut parent = None;
        for frame in frames {
            let text = frame.to_string();
            let index = *self.index_of.entry((parent, text.clone())).or_insert_with(|| {
                let index = self.nodes.len();
                self.nodes.push(Node { text, file: frame.file.to_owned(), bytes: 0, children: Vec::new() });
                match parent {
                    Some(parent) => self.nodes[parent].children.push(index),
                    None => self.roots.push(index),
                }
                index
            });
            self.nodes[index].bytes += bytes;
            parent = Some(index);
        }
    }

    /// The frames row by row, the greatest first.
    fn boxes(mut self) -> Vec<Box> {
        let mut boxes = Vec::with_capacity(self.nodes.len());
        let mut row: Vec<(i128, Vec<usize>)> = vec![(0, std::mem::take(&mut self.roots))];
        for depth in 0.. {
            let mut below = Vec::new();
            for (mut start, mut siblings) in row {
                siblings.sort_by_key(|index| std::cmp::Reverse(self.nodes[*index].bytes));
                for index in siblings {
                    let node = &mut self.nodes[index];
                    let (text, file) = (std::mem::take(&mut node.text), std::mem::take(&mut node.file));
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
