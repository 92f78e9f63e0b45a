//! By whom a site was called, and what it called, as text.
//!
//! A site that has nothing to show in a space has no tree there. What a way to be called is, and that every byte counts
//! once, is [`Calls`]'s; how a tree looks is [`call_tree`]'s.

use super::{call_tree, table::legends};
use crate::{
    formats::{
        calls::{Calls, Side},
        content::{Sheet, has_several, ordered},
        tree::{BRANCH, SHARE, columns, measure},
    },
    one_line::one_line,
    options::Options,
    snapshot::Snapshot,
};

/// The blocks of each side that is asked for: what its columns mean, and a tree for each site in each space.
pub(crate) fn blocks(snapshot: &Snapshot, options: &Options) -> Vec<String> {
    let sides = [(Side::Callers, &options.callers), (Side::Callees, &options.callees)];
    let asked = sides.into_iter().filter_map(|(side, names)| Some((side, names.as_ref()?)));
    let several = has_several(snapshot);
    let mut blocks = Vec::new();
    for (side, names) in asked {
        blocks.push(legends(&explained(side, options)));
        for sheet in Sheet::all(snapshot, options) {
            let before = blocks.len();
            for site in ordered(sheet.space, options.order).into_iter().filter(|site| names.contains(&site.name)) {
                let Some(calls) = Calls::of(sheet.space, site, side, options, !several) else { continue };
                blocks.push(title(side, &site.name, options));
                blocks.push(call_tree::lines(&calls.tree(sheet.space, options), options).join("\n"));
            }
            if several && blocks.len() > before {
                blocks.insert(before, format!("Space: {}", one_line(&sheet.space.name)));
            }
        }
    }
    blocks.extend(Sheet::all(snapshot, options).iter().map(Sheet::space_line));
    blocks
}

fn title(side: Side, name: &str, options: &Options) -> String {
    let side = match side {
        Side::Callers => "Callers of",
        Side::Callees => "Callees of",
    };
    format!("{side} {} by: {}, branches of less than 1% folded", one_line(name), measure(options).name())
}

fn explained(side: Side, options: &Options) -> Vec<(&'static str, String)> {
    let measure = measure(options).name();
    let (branch, of) = match side {
        Side::Callers => (
            format!("{measure} of the function and of all that it called, when it was called this way (in bytes)"),
            ", of the function when it was called this way",
        ),
        Side::Callees => (format!("{measure} of the path and of all paths below it (in bytes)"), ""),
    };
    let share = "the branch's part of the branch around it, or of the whole space".to_owned();
    let columns = columns(options).into_iter().map(|field| (field.name(), format!("{}{of}", field.meaning())));
    [(BRANCH, branch), (SHARE, share)].into_iter().chain(columns).collect()
}
