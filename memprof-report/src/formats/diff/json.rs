//! The differences as JSON, for programs: the numbers of both sides, row by row.
//!
//! ```text
//! { "growth": false, "before": { "program": "flights", … }, "after": { … },
//!   "spaces": [{ "name": "host", "before": { "peak": 32, … }, "after": { … },
//!                "records": [{ "name": "src/a.rs:3(load)", "change": "grown", "before": { … }, "after": { … } }, …],
//!                "tree":    [{ "parent": null, "change": "new", "before": null, "after": { … } }, …] }] }
//! ```
//!
//! `before` and `after` of a row are those of a saved profile, and `null` where the profile has no such row. Where `cargo memprof` tracked other functions in
//! the one than in the other, `plans` says which. `change` goes by
//! `memory_peak`.

use std::io::{self, Write};

use serde::Serialize;

use crate::{
    diff::Diff,
    formats::{content::plans, json::write_value},
    process::Process,
    record::{Field, PathRecord, Record, Totals},
};

#[derive(Serialize)]
struct Differences<'a> {
    growth: bool,
    before: &'a Process,
    after: &'a Process,
    /// In which different functions were tracked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plans: Vec<String>,
    spaces: Vec<Space<'a>>,
}

#[derive(Serialize)]
struct Space<'a> {
    name: &'a str,
    before: Totals,
    after: Totals,
    records: Vec<Row<'a>>,
    tree: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    change: &'static str,
    before: Option<&'a Record>,
    after: Option<&'a Record>,
}

#[derive(Serialize)]
struct Node<'a> {
    parent: Option<usize>,
    change: &'static str,
    before: Option<&'a PathRecord>,
    after: Option<&'a PathRecord>,
}

/// Writes it on one line, and a newline.
pub(crate) fn write(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    let space = |name| {
        let [before, after] = diff.totals(name);
        let row = |change: crate::diff::Change<'_>| change.kind(Field::MemoryPeak).name();
        let node = |change: crate::diff::PathChange<'_>| change.kind(Field::MemoryPeak).name();
        Space {
            name,
            before,
            after,
            records: diff
                .records(name)
                .map(|change| Row {
                    name: change.name(),
                    change: row(change),
                    before: change.before,
                    after: change.after,
                })
                .collect(),
            tree: diff
                .tree(name)
                .map(|change| Node {
                    parent: change.parent,
                    change: node(change),
                    before: change.before,
                    after: change.after,
                })
                .collect(),
        }
    };
    let differences = Differences {
        growth: diff.is_growth(),
        before: diff.before().process(),
        after: diff.after().process(),
        plans: plans(diff.before(), diff.after()),
        spaces: diff.spaces().map(space).collect(),
    };
    write_value(&differences, out)?;
    out.write_all(b"\n")
}
