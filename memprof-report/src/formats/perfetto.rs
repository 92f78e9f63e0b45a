//! Perfetto: heap graphs of each space, at its high-water mark and at the end.
//!
//! Each space is a heap, `cuda:0`, of one process, with two dumps. In the first, a path's unreleased memory is what it owned when the space stood at
//! its mark; in the second, what is live, and its total what it ever allocated. So per heap and dump the unreleased sizes sum to
//! `at_peak_level` and `live`. The moments have no times of their own: the dumps of the spaces follow each other, a millisecond apart.
//! The outermost frame is the space, `[cuda:0]`: the viewer tells paths by their frames alone, whatever the heap.
//!
//! The messages' source: `protos/perfetto/trace/` in <https://github.com/google/perfetto> (`profile_packet.proto`,
//! `profile_common.proto`, `interned_data.proto`, `clock_snapshot.proto`).

use std::io::{self, Write};

use crate::{
    formats::{
        protobuf::Message,
        stacks::{Amount, Amounts, Frame, Frames, Stacks, spaces},
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
const PROCESS: u64 = 1;
const STACKS_A_PACKET: usize = 4096;
/// A time of 0 is none.
const FIRST_DUMP_NS: u64 = 1_000_000_000;
const BETWEEN_DUMPS_NS: u64 = 1_000_000;

/// Writes all spaces, or the one asked for.
pub(crate) fn write(snapshot: &Snapshot, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut spaces_with_stacks = Vec::new();
    for space in spaces(snapshot, options) {
        let outermost = frames.index(Frame::of_words(format!("[{}]", space.name)));
        spaces_with_stacks.push((space, outermost, Stacks::of(space, &mut frames)));
    }

    let mut first = Message::default();
    first.number(packet::TIMESTAMP, FIRST_DUMP_NS).number(packet::SEQUENCE, SEQUENCE);
    first.number(packet::SEQUENCE_FLAGS, STATE_CLEARED).message(packet::CLOCK_SNAPSHOT, &clocks());
    first.message(packet::INTERNED_DATA, &interned_frames(&frames));
    write_packet(&first, out)?;

    // Ids of stacks go on from space to space.
    let (mut stacks_before, mut time) = (0, FIRST_DUMP_NS);
    for (space, outermost, stacks) in &spaces_with_stacks {
        for stacks in call_stacks(*outermost, stacks, stacks_before) {
            let mut packet = Message::default();
            packet.number(packet::TIMESTAMP, time).number(packet::SEQUENCE, SEQUENCE);
            packet.number(packet::SEQUENCE_FLAGS, NEEDS_STATE).message(packet::INTERNED_DATA, &stacks);
            write_packet(&packet, out)?;
        }
        for moment in [Sample::at_the_mark, Sample::at_the_end] {
            let samples = stacks.parts().map(|(index, amounts)| moment(id(stacks_before + index), amounts));
            write_packet(&dump(&space.name, time, samples), out)?;
            time += BETWEEN_DUMPS_NS;
        }
        stacks_before += stacks.nodes().len();
    }
    Ok(())
}

/// Ids of frames and stacks are their places and one: 0 is none.
fn id(index: usize) -> u64 {
    index as u64 + 1
}

/// A trace is its packets, one after another.
fn write_packet(packet: &Message, out: &mut dyn Write) -> io::Result<()> {
    let mut trace = Message::default();
    trace.message(packet::PACKET, packet);
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

/// The mapping, and every frame with its name.
fn interned_frames(frames: &Frames<'_>) -> Message {
    let mut path = Message::default();
    path.number(1, MAPPING).bytes(2, b"memprof");
    let mut mapping = Message::default();
    mapping.number(1, MAPPING).number(7, MAPPING);
    let mut interned = Message::default();
    interned.message(interned::MAPPING_PATHS, &path).message(interned::MAPPINGS, &mapping);
    for (index, frame) in frames.all().iter().enumerate() {
        let mut name = Message::default();
        name.number(1, id(index)).bytes(2, frame.to_string().as_bytes());
        let mut frame = Message::default();
        // `rel_pc` tells frames apart.
        frame.number(1, id(index)).number(2, id(index)).number(3, MAPPING).number(4, id(index));
        interned.message(interned::FUNCTION_NAMES, &name).message(interned::FRAMES, &frame);
    }
    interned
}

/// The stacks that have samples, some thousands a message: all of them at once would be many times the profile.
fn call_stacks(outermost: usize, stacks: &Stacks, stacks_before: usize) -> impl Iterator<Item = Message> {
    let mut parts = stacks.parts().map(|(index, _)| index).peekable();
    std::iter::from_fn(move || {
        parts.peek()?;
        let mut interned = Message::default();
        for index in parts.by_ref().take(STACKS_A_PACKET) {
            let mut stack = Message::default();
            stack.number(1, id(stacks_before + index)).number(2, id(outermost));
            for frame in stacks.frames(index) {
                stack.number(2, id(frame));
            }
            interned.message(interned::CALLSTACKS, &stack);
        }
        Some(interned)
    })
}
