//! speedscope: a profile for each space and measure, to switch between, with a sample for each path.
//!
//! The weights of a profile are bytes and sum to the space's total of that measure. speedscope knows no negative weights: paths
//! that own less than nothing stand in a profile of their own, `host: live, below zero`, with the sign taken off.
//!
//! The format's source: `src/lib/file-format-spec.ts` in <https://github.com/jlfwong/speedscope>.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::{
    formats::{
        json,
        stacks::{Frame, Frames, Stacks, spaces},
    },
    measure::Measure,
    options::Options,
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    shared: Shared,
    profiles: Vec<Profile<'a>>,
}

#[derive(Serialize)]
struct Shared {
    frames: Vec<FrameEntry>,
}

#[derive(Serialize)]
struct FrameEntry {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
    #[serde(skip_serializing_if = "is_zero")]
    line: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_zero(line: &u32) -> bool {
    *line == 0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Samples<'a>,
    weights: Vec<u64>,
}

/// The stacks of a profile, frames by their indices, outermost first. They are made as they are written: all of them in memory would be many
/// times the profile.
struct Samples<'a> {
    stacks: &'a Stacks,
    shown: Vec<usize>,
}

impl Serialize for Samples<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.shown.iter().map(|index| self.stacks.frames(*index)))
    }
}

/// Writes all spaces, or the one asked for, in all measures, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames::default();
    let spaces = spaces(snapshot, options);
    let stacks: Vec<Stacks> = spaces.iter().map(|space| Stacks::of(space, &mut frames)).collect();
    let mut profiles = Vec::new();
    for (space, stacks) in spaces.iter().zip(&stacks) {
        for measure in Measure::ALL {
            if options.measure.is_none_or(|asked| asked == *measure) {
                profiles.extend(profiles_of(&space.name, stacks, *measure));
            }
        }
    }
    let entry =
        |frame: &Frame<'_>| FrameEntry { name: frame.to_string(), file: frame.file.to_owned(), line: frame.line };
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("memprof ", env!("CARGO_PKG_VERSION")),
        shared: Shared { frames: frames.all().iter().map(entry).collect() },
        profiles,
    };
    json::write_value(&file, out)?;
    out.write_all(b"\n")
}

/// The profile of a space in `measure`, and where it has negative parts, that of those.
fn profiles_of<'a>(space: &str, stacks: &'a Stacks, measure: Measure) -> Vec<Profile<'a>> {
    let name = format!("{space}: {}", measure.name());
    let mut above = Profile::new(name.clone(), stacks);
    let mut below = Profile::new(name + ", below zero", stacks);
    for (index, amounts) in stacks.parts() {
        match amounts.bytes(measure) {
            0 => {}
            bytes if bytes > 0 => above.add(index, bytes),
            bytes => below.add(index, bytes),
        }
    }
    let is_above = !above.weights.is_empty() || below.weights.is_empty();
    let both = [(is_above, above), (!below.weights.is_empty(), below)];
    both.into_iter().filter_map(|(is_shown, profile)| is_shown.then_some(profile)).collect()
}

impl<'a> Profile<'a> {
    fn new(name: String, stacks: &'a Stacks) -> Self {
        Self {
            r#type: "sampled",
            name,
            unit: "bytes",
            start_value: 0,
            end_value: 0,
            samples: Samples { stacks, shown: Vec::new() },
            weights: Vec::new(),
        }
    }

    fn add(&mut self, index: usize, bytes: i64) {
        self.samples.shown.push(index);
        self.weights.push(bytes.unsigned_abs());
        self.end_value = self.end_value.saturating_add(bytes.unsigned_abs());
    }
}
