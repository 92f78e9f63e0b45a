//! Perfetto: heap graphs of each space, at its high-water mark and at the end.
//!
//! Each space is a heap, `cuda:0`, of one process, with two dumps. In the first, a path's unreleased memory is what it owned when the space stood at
//! its mark; in the second, what is live, and its total what it ever allocated. So per heap and dump the unreleased sizes sum to
//! `at_peak_level` and `live`. The moments have no times of their own: the dumps of the spaces follow each other, a millisecond apart.
//! The outermost frame is the space, `[cuda:0]`: the viewer tells paths by their frames alone, whatever the heap.
//!
//! The messages' source: `protos/perfetto/trace/` in <https://github.com/google/perfetto> (`profile_packet.proto`,
//! `profile_common.proto`, `interned_data.proto`, `clock_snapshot.proto`).

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use crate::{
    formats::{
        protobuf::Message,
        stacks::{Amount, Amounts, Part, parts, spaces},
    },
    options::Options,
    snapshot::Snapshot,
};

#[cfg(test)]
mod tests;

/// Fields of `Trace` and `TracePacket`.
mod packet {
    pub(super) const PACKET: u32 = 1;
    pub(super) const CLOCK_SNAPSHOT: u32 = 6;
    pub(super) const TIMESTAMP: u32 = 8;
    pub(super) const SEQUENCE: u32 = 10;
    pub(super) const INTERNED_DATA: u32 = 12;
    pub(super) const SEQUENCE_FLAGS: u32 = 13;
    pub(super) const PROFILE: u32 = 37;
}

/// Fields of `InternedData`.
mod interned {
    pub(super) const FUNCTION_NAMES: u32 = 5;
    pub(super) const FRAMES: u32 = 6;
    pub(super) const CALLSTACKS: u32 = 7;
    pub(super) const MAPPING_PATHS: u32 = 17;
    pub(super) const MAPPINGS: u32 = 19;
}

/// The writer of all packets: without a number the interned data belongs to nobody.
const SEQUENCE: u64 = 1;
/// `SEQ_INCREMENTAL_STATE_CLEARED` and `SEQ_NEEDS_INCREMENTAL_STATE`: the interned data begins here, and is needed.
const STATE_CLEARED: u64 = 1;
const NEEDS_STATE: u64 = 2;
/// `BUILTIN_CLOCK_MONOTONIC_COARSE`: without a snapshot of it heap dumps are dropped.
const MONOTONIC_COARSE: u64 = 4;
/// `BUILTIN_CLOCK_BOOTTIME`, that of the trace.
const BOOTTIME: u64 = 6;
/// The id of the one mapping, and of its path's one part.
const MAPPING: u64 = 1;
/// Ids of texts, frames and stacks are their places and one: 0 is none.
const PROCESS: u64 = 1;
/// A time of 0 is none.
const FIRST_DUMP_NS: u64 = 1_000_000_000;
const BETWEEN_DUMPS_NS: u64 = 1_000_000;

/// Writes all spaces, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut stacks = Stacks::default();
    let mut dumps = Vec::new();
    for space in spaces(snapshot, options) {
        let mut amounts_of: BTreeMap<u64, Amounts> = BTreeMap::new();
        for part in parts(space) {
            amounts_of.entry(stacks.stack(&space.name, &part)).or_default().add(&part.amounts);
        }
        for moment in [Sample::at_the_mark, Sample::at_the_end] {
            let time = FIRST_DUMP_NS + BETWEEN_DUMPS_NS * dumps.len() as u64;
            let samples = amounts_of.iter().map(|(stack, amounts)| moment(*stack, amounts));
            dumps.push(dump(&space.name, time, samples));
        }
    }

    let mut first = Message::default();
    first.number(packet::TIMESTAMP, FIRST_DUMP_NS).number(packet::SEQUENCE, SEQUENCE);
    first.number(packet::SEQUENCE_FLAGS, STATE_CLEARED).message(packet::CLOCK_SNAPSHOT, &clocks());
    first.message(packet::INTERNED_DATA, &stacks.interned);
    let mut trace = Message::default();
    trace.message(packet::PACKET, &first);
    for dump in &dumps {
        trace.message(packet::PACKET, dump);
    }
    out.write_all(&trace.into_bytes())
}

/// What a path holds in a dump: its stack, what was allocated, and what of that was freed.
struct Sample {
    stack: u64,
    allocated: Amount,
    freed: Amount,
}

impl Sample {
    fn at_the_mark(stack: u64, amounts: &Amounts) -> Self {
        Sample { stack, allocated: amounts.at_peak, freed: Amount::default() }
    }

    fn at_the_end(stack: u64, amounts: &Amounts) -> Self {
        let Amounts { at_peak, live, allocated } = amounts;
        // After a reset a path can own more than it has allocated since, and what a heap has allocated never falls.
        let bytes = allocated.bytes.max(live.bytes).max(at_peak.bytes);
        let blocks = allocated.blocks.max(live.blocks).max(at_peak.blocks);
        let freed = Amount { bytes: bytes.saturating_sub(live.bytes), blocks: blocks.saturating_sub(live.blocks) };
        Sample { stack, allocated: Amount { bytes, blocks }, freed }
    }
}

/// A packet with one heap's `samples` at `time`.
fn dump(space: &str, time: u64, samples: impl Iterator<Item = Sample>) -> Message {
    let mut heap = Message::default();
    // Process, time, name, and that every byte is counted.
    heap.number(1, PROCESS).number(9, time).bytes(11, space.as_bytes()).number(12, 1);
    for Sample { stack, allocated, freed } in samples {
        let mut sample = Message::default();
        sample.number(1, stack).signed(2, allocated.bytes).signed(3, freed.bytes);
        sample.signed(5, allocated.blocks).signed(6, freed.blocks);
        heap.message(2, &sample);
    }
    let mut profile = Message::default();
    profile.message(5, &heap);
    let mut dump = Message::default();
    dump.number(packet::TIMESTAMP, time).number(packet::SEQUENCE, SEQUENCE);
    dump.number(packet::SEQUENCE_FLAGS, NEEDS_STATE).message(packet::PROFILE, &profile);
    dump
}

/// Both clocks stand alike.
fn clocks() -> Message {
    let mut snapshot = Message::default();
    for id in [MONOTONIC_COARSE, BOOTTIME] {
        let mut clock = Message::default();
        clock.number(1, id).number(2, FIRST_DUMP_NS);
        snapshot.message(1, &clock);
    }
    snapshot.number(2, BOOTTIME);
    snapshot
}

/// Texts, frames and call stacks, each once.
struct Stacks {
    interned: Message,
    id_of_frame: HashMap<String, u64>,
    id_of_stack: HashMap<Vec<u64>, u64>,
}

impl Default for Stacks {
    fn default() -> Self {
        let mut path = Message::default();
        path.number(1, MAPPING).bytes(2, b"memprof");
        let mut mapping = Message::default();
        mapping.number(1, MAPPING).number(7, MAPPING);
        let mut interned = Message::default();
        interned.message(interned::MAPPING_PATHS, &path).message(interned::MAPPINGS, &mapping);
        Self { interned, id_of_frame: HashMap::new(), id_of_stack: HashMap::new() }
    }
}

impl Stacks {
    /// The call stack of `part`, made where it is new. Two paths whose frames read alike are one.
    fn stack(&mut self, space: &str, part: &Part<'_>) -> u64 {
        let mut frames = vec![self.frame(format!("[{space}]"))];
        frames.extend(part.frames.iter().map(|frame| self.frame(frame.to_string())));
        if let Some(id) = self.id_of_stack.get(&frames) {
            return *id;
        }
        let id = self.id_of_stack.len() as u64 + 1;
        let mut stack = Message::default();
        stack.number(1, id);
        for frame in &frames {
            stack.number(2, *frame);
        }
        self.interned.message(interned::CALLSTACKS, &stack);
        self.id_of_stack.insert(frames, id);
        id
    }

    fn frame(&mut self, text: String) -> u64 {
        if let Some(id) = self.id_of_frame.get(&text) {
            return *id;
        }
        let id = self.id_of_frame.len() as u64 + 1;
        let mut name = Message::default();
        name.number(1, id).bytes(2, text.as_bytes());
        let mut frame = Message::default();
        // `rel_pc` tells frames apart.
        frame.number(1, id).number(2, id).number(3, MAPPING).number(4, id);
        self.interned.message(interned::FUNCTION_NAMES, &name).message(interned::FRAMES, &frame);
        self.id_of_frame.insert(text, id);
        id
    }
}
