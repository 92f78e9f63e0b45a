//! [`Layout`]: where each frame of a flame graph of differences begins and ends, in bytes.
//!
//! What paths own more of is one graph, what they own less of another: nothing is netted away. A frame's bytes are the
//! differences of its own part and of those below it, as far as they go that way. So a frame can stand in both. No pixel is
//! known here.

use crate::{
    diff::{Diff, Kind, PathChange},
    measure::{Measure, OUTSIDE, frame},
    one_line::one_line,
};

/// Frames further in are not drawn, as nothing could be read there; what they changed is in those around them.
const MOST_DEPTH: usize = 512;

/// One frame of a graph.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    /// `function (file:line)`, a run-time name, or words.
    pub(super) text: String,
    /// Whether only one of the profiles has it.
    pub(super) kind: Kind,
    /// 0 for the outermost.
    pub(super) depth: usize,
    /// Bytes of what stands before it in its row.
    pub(super) start: i128,
    /// By how much it changed this way; above 0.
    pub(super) bytes: i128,
    /// What it owned with all below it, before and after.
    pub(super) amounts: [i128; 2],
}

/// Both graphs of one measure.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    /// Row by row, from left to right.
    pub(super) grown: Vec<Frame>,
    /// Likewise.
    pub(super) shrunk: Vec<Frame>,
    /// What the outermost frames of each sum to.
    pub(super) whole: [i128; 2],
    /// Frames that are too far in.
    pub(super) too_deep: usize,
}

/// A path of both trees.
struct Node {
    text: String,
    kind: Kind,
    parent: Option<usize>,
    amounts: [i128; 2],
    /// How much its own part and those below it grew, and shrank.
    ways: [i128; 2],
}

impl Node {
    fn new(text: String, kind: Kind, parent: Option<usize>, amounts: [i128; 2]) -> Self {
        let more = amounts[1] - amounts[0];
        Self { text, kind, parent, amounts, ways: [more.max(0), (-more).max(0)] }
    }
}

impl Layout {
    /// Lays out these spaces.
    pub(super) fn new(diff: &Diff, spaces: &[&str], measure: Measure) -> Self {
        let nodes = nodes(diff, spaces, measure);
        let mut children = vec![Vec::new(); nodes.len()];
        let mut roots = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            node.parent.map_or(&mut roots, |parent| &mut children[parent]).push(index);
        }
        let whole = [0, 1].map(|way: usize| roots.iter().map(|root| nodes[*root].ways[way]).sum());
        let mut too_deep = 0;
        let [grown, shrunk] = [0, 1].map(|way| frames(&nodes, &roots, &children, way, &mut too_deep));
        Self { grown, shrunk, whole, too_deep }
    }
}

/// The paths of all spaces and what happened outside any scope, each with what is below it.
fn nodes(diff: &Diff, spaces: &[&str], measure: Measure) -> Vec<Node> {
    let mut nodes = Vec::new();
    for space in spaces {
        let around = (spaces.len() > 1).then_some(nodes.len());
        if around.is_some() {
            nodes.push(Node::new(format!("[{}]", one_line(space)), Kind::Same, None, [0, 0]));
        }
        let first = nodes.len();
        for path in diff.tree(space) {
            let parent = path.parent.map_or(around, |parent| Some(first + parent));
            nodes.push(Node::new(text(&path), kind(&path), parent, own(&path, measure)));
        }
        let outside = diff.totals(space).map(|totals| measure.outside(&totals));
        nodes.push(Node::new(OUTSIDE.to_owned(), Kind::Same, around, outside));
    }
    // A parent stands before its children, so a node is complete when it is met from the end.
    for index in (0..nodes.len()).rev() {
        let Node { parent, amounts, ways, .. } = nodes[index];
        if let Some(parent) = parent {
            for side in [0, 1] {
                nodes[parent].amounts[side] += amounts[side];
                nodes[parent].ways[side] += ways[side];
            }
        }
    }
    nodes
}

fn own(path: &PathChange<'_>, measure: Measure) -> [i128; 2] {
    [path.before, path.after].map(|path| path.map_or(0, |path| measure.own(path)))
}

fn text(path: &PathChange<'_>) -> String {
    path.after.or(path.before).map_or_else(String::new, |path| one_line(&frame(path)))
}

fn kind(path: &PathChange<'_>) -> Kind {
    match (path.before, path.after) {
        (None, _) => Kind::New,
        (_, None) => Kind::Gone,
        _ => Kind::Same,
    }
}

/// The frames that changed this way, row by row, the greatest first.
fn frames(nodes: &[Node], roots: &[usize], children: &[Vec<usize>], way: usize, too_deep: &mut usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut row: Vec<(i128, &[usize])> = vec![(0, roots)];
    for depth in 0.. {
        let mut below: Vec<(i128, &[usize])> = Vec::new();
        for (mut start, siblings) in row {
            let mut siblings: Vec<usize> =
                siblings.iter().copied().filter(|index| nodes[*index].ways[way] > 0).collect();
            siblings.sort_by_key(|index| std::cmp::Reverse(nodes[*index].ways[way]));
            for index in siblings {
                let Node { ref text, kind, amounts, ways, .. } = nodes[index];
                below.push((start, &children[index]));
                if depth < MOST_DEPTH {
                    frames.push(Frame { text: text.clone(), kind, depth, start, bytes: ways[way], amounts });
                } else {
                    *too_deep += 1;
                }
                start += ways[way];
            }
        }
        if below.is_empty() {
            break;
        }
        row = below;
    }
    frames
}
