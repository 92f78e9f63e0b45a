//! Collapsed stacks: a line for each path, its frames from the outermost on with `;` between them, a space, and its bytes in
//! one measure. What inferno, flamegraph.pl and speedscope read.
//!
//! The lines sum to the space's total of that measure, what happened outside any scope included. Where several spaces are
//! shown, the outermost frame is the space, `[cuda:0]`. A `;` in a name is written as `:`, since the format has no escape,
//! and what breaks a line as its escape. A path that owns less than nothing (its blocks were freed more than they are known
//! to have been allocated) stands below the others, with its sign; the viewers pass over such a line.
//!
//! The format's source: the head of `stackcollapse.pl` in <https://github.com/brendangregg/FlameGraph>.

use std::io::{self, Write};

use crate::{
    formats::stacks::{Frames, Stacks, measure, spaces},
    one_line::one_line,
    options::Options,
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

/// Writes one measure (as asked, else at the peak) of one space (as asked) or of all.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let measure = measure(options);
    let spaces = spaces(snapshot, options);
    let mut frames = Frames::default();
    let stacks: Vec<Stacks> = spaces.iter().map(|space| Stacks::of(space, &mut frames)).collect();
    let texts: Vec<String> = frames.all().iter().map(|frame| escaped(&frame.to_string())).collect();
    let mut line = String::new();
    for negative in [false, true] {
        for (space, stacks) in spaces.iter().zip(&stacks) {
            for (index, amounts) in stacks.parts() {
                let bytes = amounts.bytes(measure);
                if bytes == 0 || (bytes < 0) != negative {
                    continue;
                }
                line.clear();
                if spaces.len() > 1 {
                    line.extend(["[", &escaped(&space.name), "];"]);
                }
                for (place, frame) in stacks.frames(index).into_iter().enumerate() {
                    line.push_str(if place == 0 { "" } else { ";" });
                    line.push_str(&texts[frame]);
                }
                writeln!(out, "{line} {bytes}")?;
            }
        }
    }
    Ok(())
}

/// `text` as one frame: never empty, since two `;` in a row would be none.
fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "(no name)".to_owned();
    }
    one_line(text).replace(';', ":")
}
