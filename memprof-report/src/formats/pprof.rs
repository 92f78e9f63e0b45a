//! pprof: the profile of `go tool pprof`, Pyroscope, Parca and Polar Signals, one protobuf message in gzip.
//!
//! A sample for each path and space, with six values: `alloc_objects`, `alloc_space` (ever allocated), `inuse_objects`,
//! `inuse_space` (live), `peak_objects`, `peak_space` (owned at the high-water mark). Each sums to the space's total; samples
//! tell their space by the label `space`. A scope's own peak is no sample type, since pprof adds up what it shows. What is
//! shown first is the measure asked for, else it depends on the content: the peak, or what was allocated where no peak is known.
//!
//! The message's source: `proto/profile.proto` in <https://github.com/google/pprof>.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use crate::{
    formats::{
        gzip,
        protobuf::Message,
        stacks::{Amounts, Frame, Frames, Stacks, spaces},
    },
    measure::Measure,
    options::Options,
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

/// Names and units in the order of a sample's values: the first four as Go's heap profile has them.
const SAMPLE_TYPES: [[&str; 2]; 6] = [
    ["alloc_objects", "count"],
    ["alloc_space", "bytes"],
    ["inuse_objects", "count"],
    ["inuse_space", "bytes"],
    ["peak_objects", "count"],
    ["peak_space", "bytes"],
];

/// Fields of `Profile`, by their numbers in profile.proto; those of the messages inside stand where they are written.
mod field {
    pub(super) const SAMPLE_TYPE: u32 = 1;
    pub(super) const SAMPLE: u32 = 2;
    pub(super) const MAPPING: u32 = 3;
    pub(super) const LOCATION: u32 = 4;
    pub(super) const FUNCTION: u32 = 5;
    pub(super) const STRING_TABLE: u32 = 6;
    pub(super) const PERIOD_TYPE: u32 = 11;
    pub(super) const PERIOD: u32 = 12;
    pub(super) const COMMENT: u32 = 13;
    pub(super) const DEFAULT_SAMPLE_TYPE: u32 = 14;
}

/// The one mapping. pprof looks for a program's file where there is none.
const MAPPING: u64 = 1;

/// Writes all spaces, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    gzip::write(&profile(snapshot, options), out)
}

/// The message itself, as `go tool pprof` reads it too.
fn profile(snapshot: &Snapshot, options: &Options) -> Vec<u8> {
    let mut profile = Profile::default();
    // The table's first entry must be empty.
    profile.text("");
    for [name, unit] in SAMPLE_TYPES {
        let value_type = profile.value_type(name, unit);
        profile.message.message(field::SAMPLE_TYPE, &value_type);
    }
    let mut has_peak = false;
    let mut frames = Frames::default();
    let spaces = spaces(snapshot, options);
    let stacks: Vec<Stacks> = spaces.iter().map(|space| Stacks::of(space, &mut frames)).collect();
    for (index, frame) in frames.all().iter().enumerate() {
        profile.location(id(index), frame);
    }
    for (space, stacks) in spaces.iter().zip(&stacks) {
        for (index, amounts) in stacks.parts() {
            has_peak |= amounts.at_peak.bytes != 0;
            profile.sample(&space.name, stacks.frames(index), amounts);
        }
    }
    let by_content = if has_peak { Measure::AtPeak } else { Measure::SelfTotal };
    let first = match options.measure.unwrap_or(by_content) {
        Measure::AtPeak => "peak_space",
        Measure::Live => "inuse_space",
        Measure::SelfTotal => "alloc_space",
    };
    profile.finish(first, snapshot.notes())
}

/// Location and function have the same id: the index of their frame, and one, since 0 is none.
fn id(frame: usize) -> u64 {
    frame as u64 + 1
}

#[derive(Default)]
struct Profile {
    message: Message,
    texts: Vec<String>,
    index_of_text: HashMap<String, u64>,
}

impl Profile {
    /// The index of `text` in the table.
    fn text(&mut self, text: &str) -> u64 {
        if let Some(index) = self.index_of_text.get(text) {
            return *index;
        }
        let index = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.index_of_text.insert(text.to_owned(), index);
        index
    }

    fn value_type(&mut self, name: &str, unit: &str) -> Message {
        let (name, unit) = (self.text(name), self.text(unit));
        let mut value_type = Message::default();
        value_type.number(1, name).number(2, unit);
        value_type
    }

    /// Adds a sample: the locations from the innermost on, the values, the label.
    fn sample(&mut self, space: &str, frames: Vec<usize>, amounts: &Amounts) {
        let locations = frames.into_iter().rev().map(id);
        let Amounts { at_peak, live, allocated } = *amounts;
        let values = [allocated, live, at_peak]
            .into_iter()
            .flat_map(|amount| [amount.blocks, amount.bytes])
            .map(i64::cast_unsigned);
        let (key, space) = (self.text("space"), self.text(space));
        let mut label = Message::default();
        label.number(1, key).number(2, space);
        let mut sample = Message::default();
        sample.packed(1, locations).packed(2, values).message(3, &label);
        self.message.message(field::SAMPLE, &sample);
    }

    /// Adds the location of `frame`, and its function.
    fn location(&mut self, id: u64, frame: &Frame<'_>) {
        let (name, file) = (self.text(&frame.function), self.text(frame.file));
        // No system_name: pprof takes one that equals the name for mangled, and cuts `<..>` out of it.
        let mut function = Message::default();
        function.number(1, id).number(2, name).number(4, file);
        let mut line = Message::default();
        line.number(1, id).number(2, frame.line.into());
        let mut location = Message::default();
        location.number(1, id).number(2, MAPPING).message(4, &line);
        self.message.message(field::FUNCTION, &function).message(field::LOCATION, &location);
    }

    fn finish<'n>(mut self, shown_first: &str, notes: impl Iterator<Item = &'n str>) -> Vec<u8> {
        let program = self.text("memprof");
        // It has functions, file names and line numbers: nothing is to be looked up in the program.
        let mut mapping = Message::default();
        mapping.number(1, MAPPING).number(5, program).number(7, 1).number(8, 1).number(9, 1);
        let period_type = self.value_type("space", "bytes");
        let shown_first = self.text(shown_first);
        let notes: Vec<u64> = notes.map(|note| self.text(note)).collect();
        // Every byte is counted, so a sample stands for one.
        self.message
            .message(field::MAPPING, &mapping)
            .message(field::PERIOD_TYPE, &period_type)
            .number(field::PERIOD, 1);
        self.message.packed(field::COMMENT, notes).number(field::DEFAULT_SAMPLE_TYPE, shown_first);
        for text in &self.texts {
            self.message.bytes(field::STRING_TABLE, text.as_bytes());
        }
        self.message.into_bytes()
    }
}
