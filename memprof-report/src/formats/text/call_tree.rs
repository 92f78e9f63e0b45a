//! The call tree as text.
//!
//! It lays out a [`CallTree`] that is made already: what is folded, and that branches sum, is decided there. Markdown
//! shows the same lines as a block of code, and [`calls`](super::calls) its own trees.

use tabled::builder::Builder;

use super::table::aligned;
use crate::{
    formats::{
        content::{counted, how_to_get_more},
        tree::{BRANCH, CallTree, SHARE, columns, measure},
    },
    options::Options,
    record::Field,
};

/// What stands above each column but the name, and what it means.
pub(crate) fn legends(options: &Options) -> Vec<(&'static str, String)> {
    let measure = measure(options).name();
    let branch = format!("{measure} of the path and of all paths below it (in bytes)");
    let share = "the branch's part of the branch around it, or of the whole space".to_owned();
    let columns = columns(options).into_iter().map(|field| (field.name(), field.meaning().to_owned()));
    [(BRANCH, branch), (SHARE, share)].into_iter().chain(columns).collect()
}

/// The line that says what is shown in which order.
pub(crate) fn order(options: &Options) -> String {
    format!("Call tree by: {}, branches of less than 1% folded", measure(options).name())
}

/// The lines of a tree, its titles first, and last how many paths it lacks.
pub(crate) fn lines(tree: &CallTree<'_>, options: &Options) -> Vec<String> {
    let columns = columns(options);
    let mut table = Builder::with_capacity(tree.lines.len() + 1, columns.len() + 3);
    let titles = columns.iter().map(|field| field.title());
    table.push_record([BRANCH, SHARE].into_iter().chain(titles).chain([Field::Name.title()]));
    for line in &tree.lines {
        let amounts = columns.iter().map(|field| line.cell(*field));
        table.push_record([line.branch(), line.share()].into_iter().chain(amounts).chain([line.name()]));
    }
    let mut lines = aligned(table);
    let cut = tree.cut;
    lines.extend((cut > 0).then(|| {
        let most = options.rows.unwrap_or(usize::MAX);
        format!("{} folded ({})", counted(cut as u64, "more path"), how_to_get_more(most, options.asker))
    }));
    lines
}
