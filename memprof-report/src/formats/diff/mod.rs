//! The formats of a difference: `fn write(&Diff, &Choice, &mut dyn Write) -> io::Result<()>`.
//!
//! What those for people say stands in [`content`]. The page is that of a profile, which shows two as well as one.

mod content;
mod layout;

pub(crate) mod json;
pub(crate) mod svg;
pub(crate) mod text;

pub(crate) mod markdown;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::html;
use crate::{
    diff::Diff,
    options::{Choice, Options},
};

/// Writes the page.
pub(crate) fn write_html(diff: &Diff, choice: &Choice, out: &mut dyn Write) -> io::Result<()> {
    let options = Options {
        order: content::order(diff, choice),
        measure: Some(content::measure(diff, choice)),
        columns: choice.columns.clone(),
        space: choice.space.clone(),
        ..Options::default()
    };
    html::write_diff(diff.before(), diff.after(), &options, out)
}
