//! [`Measure`]: the numbers of a path that add up over the call tree; and [`weigh`], the tree by one of them.
//!
//! What happened outside any scope is a path of its own here, so that the parts sum to the whole, to the byte: that is
//! what every format builds its areas, samples and widths on. Numbers that do not add up (a scope's own peak) are no
//! measure; they may stand beside a path, never in a sum.

use std::fmt;

use crate::record::{PathRecord, Totals};

#[cfg(all(test, feature = "formats"))]
mod tests;

/// What stands for what happened outside any scope, where a path's name would.
pub const OUTSIDE: &str = "(outside any scope)";

/// A number of a path that is additive over the call tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Bytes that the path owned when its space stood at its high-water mark.
    AtPeak,
    /// Bytes that the path owns now.
    Live,
    /// Bytes that the path itself ever allocated.
    SelfTotal,
}

impl Measure {
    /// Every measure.
    pub const ALL: &[Measure] = &[Measure::AtPeak, Measure::Live, Measure::SelfTotal];

    /// The name of its field in a record: `at_peak`, `live`, `self_total`.
    pub fn name(self) -> &'static str {
        match self {
            Measure::AtPeak => "at_peak",
            Measure::Live => "live",
            Measure::SelfTotal => "self_total",
        }
    }

    /// The measure of this name.
    pub fn parse(name: &str) -> Option<Measure> {
        Measure::ALL.iter().copied().find(|measure| measure.name() == name)
    }

    /// What of it is this path's own, without its children's.
    pub fn own(self, path: &PathRecord) -> i128 {
        match self {
            Measure::AtPeak => path.at_peak.into(),
            Measure::Live => path.live.into(),
            Measure::SelfTotal => path.self_total.into(),
        }
    }

    /// What of it happened outside any scope.
    pub fn outside(self, totals: &Totals) -> i128 {
        match self {
            Measure::AtPeak => totals.no_scope_at_peak.into(),
            Measure::Live => totals.no_scope_live.into(),
            Measure::SelfTotal => totals.no_scope_total.into(),
        }
    }

    /// The blocks of [`own`](Self::own).
    pub fn own_blocks(self, path: &PathRecord) -> i128 {
        match self {
            Measure::AtPeak => path.at_peak_blocks.into(),
            Measure::Live => path.live_blocks.into(),
            Measure::SelfTotal => path.self_blocks.into(),
        }
    }

    /// The blocks of [`outside`](Self::outside).
    pub fn outside_blocks(self, totals: &Totals) -> i128 {
        match self {
            Measure::AtPeak => totals.no_scope_at_peak_blocks.into(),
            Measure::Live => totals.no_scope_live_blocks.into(),
            Measure::SelfTotal => totals.no_scope_blocks.into(),
        }
    }

    /// What all paths and the part outside any scope sum to.
    pub fn whole(self, totals: &Totals) -> i128 {
        match self {
            Measure::AtPeak => totals.at_peak_level.into(),
            Measure::Live => totals.live.into(),
            Measure::SelfTotal => totals.total.into(),
        }
    }
}

/// A node of the call tree with its part of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node<'a> {
    /// `None` for what happened outside any scope.
    pub path: Option<&'a PathRecord>,
    /// The node around this one, as an index into the same `Vec` and lower than this one's own.
    pub parent: Option<usize>,
    /// This node's own part. Negative where more was freed than is known to have been allocated.
    pub own: i128,
    /// The blocks of its own part.
    pub own_blocks: i128,
    /// Its own part and those of all nodes below it.
    pub with_children: i128,
}

impl Node<'_> {
    /// What stands for it in a report: `file:line(function)`, a run-time name, or [`OUTSIDE`].
    pub fn name(&self) -> &str {
        self.path.map_or(OUTSIDE, |path| &path.name)
    }

    /// What stands for it in a viewer: `function (file:line)`, a run-time name, or [`OUTSIDE`].
    pub fn frame(&self) -> String {
        self.path.map_or_else(|| OUTSIDE.to_owned(), frame)
    }
}

/// The text of a path's innermost frame in a viewer: `function (file:line)`, or the run-time name.
pub fn frame(path: &PathRecord) -> String {
    let mut text = String::new();
    // A `String` takes whatever is written to it.
    let _ = write_frame(&mut text, &path.function, &path.file, path.line);
    text
}

/// Writes a frame's text: `function (file:line)`, or the function alone where it has no file.
pub(crate) fn write_frame(out: &mut dyn fmt::Write, function: &str, file: &str, line: u32) -> fmt::Result {
    out.write_str(function)?;
    if file.is_empty() { Ok(()) } else { write!(out, " ({file}:{line})") }
}

/// The call tree of a space by `measure`: a node for each path, at the path's own index, and then one for what happened
/// outside any scope. The nodes' own parts sum to [`Measure::whole`].
///
/// ```
/// # let json = r#"{"schema_version": 1, "state": {"enabled": true, "host": "measured", "scopes_entered": true},
/// #     "notes": [], "spaces": []}"#;
/// # let snapshot: memprof_report::Snapshot = serde_json::from_str(json)?;
/// use memprof_report::{Measure, weigh};
///
/// let (tree, totals) = (snapshot.tree("host"), snapshot.totals("host"));
/// let nodes = weigh(tree, &totals, Measure::Live);
/// assert_eq!(nodes.iter().map(|node| node.own).sum::<i128>(), i128::from(totals.live));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn weigh<'a>(tree: &'a [PathRecord], totals: &Totals, measure: Measure) -> Vec<Node<'a>> {
    let node = |path: &'a PathRecord| {
        let own = measure.own(path);
        Node { path: Some(path), parent: path.parent, own, own_blocks: measure.own_blocks(path), with_children: own }
    };
    let mut nodes: Vec<Node<'a>> = tree.iter().map(node).collect();
    // A parent stands before its children, so a node is complete when it is met from the end.
    for index in (0..nodes.len()).rev() {
        let Node { parent, with_children, .. } = nodes[index];
        if let Some(parent) = parent {
            nodes[parent].with_children += with_children;
        }
    }
    let outside = measure.outside(totals);
    let own_blocks = measure.outside_blocks(totals);
    nodes.push(Node { path: None, parent: None, own: outside, own_blocks, with_children: outside });
    nodes
}
