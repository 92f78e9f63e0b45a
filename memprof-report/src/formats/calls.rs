//! [`Calls`]: a site of a space by the ways on which it was called, or by all that it called.
//!
//! The call paths of the site are put together, from its outermost call on: where it calls itself, the inner calls are a part of
//! the outer one, so every byte counts once. Either way it is a tree whose root is the site, with all that it called:
//!
//! * by **callers** a line is a way to be called, its last step first. It has the numbers of the site as it was called that way. The branches
//!   below one are the ways that lead to it; what they lack of it is of calls with nothing else around them.
//! * by **callees** a line is what the site called, with numbers of its own. What the branches below one lack of it is its own part.

use std::collections::HashMap;

use crate::{
    formats::tree::{self, CallTree, is_zero},
    measure::{Node, weigh},
    merge::{add_path, bare_of},
    options::Options,
    record::{PathRecord, Record},
    snapshot::SpaceData,
};

#[cfg(test)]
mod tests;

/// A way to be called is followed over so many steps; all before are one line.
const MOST_STEPS: usize = 40;
const FURTHER: &str = "(further callers)";

/// Which side of a site is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Callers,
    Callees,
}

/// The tree of one site.
#[derive(Debug)]
pub(crate) struct Calls {
    /// The site, then each line after the one that it stands below.
    paths: Vec<PathRecord>,
    /// Of each line, what of the measure is in none below it.
    own: Vec<i128>,
    /// By the line around and the site.
    known: HashMap<(usize, Site), usize>,
}

/// What tells sites apart: a run-time name can be called like a place.
type Site = (String, bool);

impl Calls {
    /// The calls of `site` in `space`. `None` where it was not called, or, unless `with_zeros`, where the space says nothing of it.
    pub(crate) fn of(
        space: &SpaceData,
        site: &Record,
        side: Side,
        options: &Options,
        with_zeros: bool,
    ) -> Option<Self> {
        let is_wanted = |path: &PathRecord| path.name == site.name && path.file == site.file;
        let mut is_inside: Vec<bool> = Vec::with_capacity(space.tree.len());
        for path in &space.tree {
            is_inside.push(path.parent.is_some_and(|parent| is_inside[parent]) || is_wanted(path));
        }
        let is_outermost = |path: &PathRecord| !path.parent.is_some_and(|parent| is_inside[parent]);
        let first = space.tree.iter().find(|path| is_wanted(path))?;
        let root = PathRecord::new(bare_of(first), None);
        let mut calls = Self { paths: vec![root], own: vec![0], known: HashMap::new() };
        let nodes = weigh(&space.tree, &space.totals, tree::measure(options));
        // Of a path inside, its line.
        let mut line_of = vec![0; space.tree.len()];
        for (index, path) in space.tree.iter().enumerate().filter(|(index, _)| is_inside[*index]) {
            match (side, is_outermost(path)) {
                (Side::Callers, true) => calls.add_way(&space.tree, index, nodes[index].with_children),
                (Side::Callers, false) => {}
                (Side::Callees, is_outermost) => {
                    let line = match path.parent {
                        Some(parent) if !is_outermost => calls.below(line_of[parent], path),
                        _ => 0,
                    };
                    add_path(&mut calls.paths[line], path);
                    calls.own[line] += nodes[index].own;
                    line_of[index] = line;
                }
            }
        }
        (with_zeros || !calls.paths.iter().all(is_zero)).then_some(calls)
    }

    /// Adds an outermost call and the way that led to it.
    fn add_way(&mut self, tree: &[PathRecord], call: usize, branch: i128) {
        let (mut line, mut at) = (0, call);
        add_path(&mut self.paths[line], &tree[call]);
        for steps in 1_usize.. {
            let Some(caller) = tree[at].parent else { break };
            line = if steps > MOST_STEPS {
                self.below(line, &PathRecord { name: FURTHER.to_owned(), ..PathRecord::default() })
            } else {
                self.below(line, &tree[caller])
            };
            add_path(&mut self.paths[line], &tree[call]);
            if steps > MOST_STEPS {
                break;
            }
            at = caller;
        }
        self.own[line] += branch;
    }

    /// The line of `path`'s site below this one.
    fn below(&mut self, line: usize, path: &PathRecord) -> usize {
        let site = (path.name.clone(), path.file.is_empty());
        *self.known.entry((line, site)).or_insert_with(|| {
            self.paths.push(PathRecord::new(bare_of(path), Some(line)));
            self.own.push(0);
            self.own.len() - 1
        })
    }

    /// The lines to be shown.
    pub(crate) fn tree(&self, space: &SpaceData, options: &Options) -> CallTree<'_> {
        let lines = self.paths.iter().zip(self.own.iter().copied());
        let mut nodes: Vec<Node<'_>> = lines
            .map(|(path, own)| Node { path: Some(path), parent: path.parent, own, own_blocks: 0, with_children: own })
            .collect();
        for index in (0..nodes.len()).rev() {
            let Node { parent, with_children, .. } = nodes[index];
            if let Some(parent) = parent {
                nodes[parent].with_children += with_children;
            }
        }
        CallTree::of_nodes(&nodes, tree::measure(options).whole(&space.totals), options, true)
    }
}
