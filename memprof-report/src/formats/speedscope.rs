//! speedscope: a profile for each space and measure, to switch between, with a sample for each path.
//!
//! The weights of a profile are bytes and sum to the space's total of that measure. speedscope knows no negative weights: paths
//! that own less than nothing stand in a profile of their own, `host: live, below zero`, with the sign taken off.
//!
//! The format's source: `src/lib/file-format-spec.ts` in <https://github.com/jlfwong/speedscope>.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde::Serialize;

use crate::{
    formats::{
        json,
        stacks::{Frame, Part, parts, spaces},
    },
    measure::Measure,
    options::Options,
    snapshot::{Snapshot, SpaceData},
};

#[cfg(test)]
mod tests;

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    shared: Shared<'a>,
    profiles: Vec<Profile>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<FrameEntry<'a>>,
}

#[derive(Serialize)]
struct FrameEntry<'a> {
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    line: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_zero(line: &u32) -> bool {
    *line == 0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

/// Writes all spaces, or the one asked for, in all measures, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut profiles = Vec::new();
    for space in spaces(snapshot, options) {
        for measure in Measure::ALL {
            if options.measure.is_none_or(|asked| asked == *measure) {
                profiles.extend(profiles_of(space, *measure, &mut frames));
            }
        }
    }
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("memprof ", env!("CARGO_PKG_VERSION")),
        shared: Shared { frames: frames.entries },
        profiles,
    };
    json::write_value(&file, out)?;
    out.write_all(b"\n")
}

/// The profile of `space` in `measure`, and where it has negative parts, that of those.
fn profiles_of<'a>(space: &'a SpaceData, measure: Measure, frames: &mut Frames<'a>) -> Vec<Profile> {
    let name = format!("{}: {}", space.name, measure.name());
    let (mut above, mut below) = (Profile::new(name.clone()), Profile::new(name + ", below zero"));
    for part in parts(space) {
        match part.amounts.bytes(measure) {
            0 => {}
            bytes if bytes > 0 => above.add(&part, bytes, frames),
            bytes => below.add(&part, bytes, frames),
        }
    }
    let is_above = !above.weights.is_empty() || below.weights.is_empty();
    let both = [(is_above, above), (!below.weights.is_empty(), below)];
    both.into_iter().filter_map(|(is_shown, profile)| is_shown.then_some(profile)).collect()
}

impl Profile {
    fn new(name: String) -> Self {
        Self {
            r#type: "sampled",
            name,
            unit: "bytes",
            start_value: 0,
            end_value: 0,
            samples: Vec::new(),
            weights: Vec::new(),
        }
    }

    fn add<'a>(&mut self, part: &Part<'a>, bytes: i64, frames: &mut Frames<'a>) {
        self.samples.push(part.frames.iter().map(|frame| frames.index(frame)).collect());
        self.weights.push(bytes.unsigned_abs());
        self.end_value = self.end_value.saturating_add(bytes.unsigned_abs());
    }
}

/// The frames of all profiles, each once.
#[derive(Default)]
struct Frames<'a> {
    entries: Vec<FrameEntry<'a>>,
    index_of: HashMap<Frame<'a>, usize>,
}

impl<'a> Frames<'a> {
    fn index(&mut self, frame: &Frame<'a>) -> usize {
        if let Some(index) = self.index_of.get(frame) {
            return *index;
        }
        let index = self.entries.len();
        self.entries.push(FrameEntry { name: frame.to_string(), file: frame.file, line: frame.line });
        self.index_of.insert(frame.clone(), index);
        index
    }
}
