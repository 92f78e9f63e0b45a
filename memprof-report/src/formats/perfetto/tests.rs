use std::collections::BTreeMap;

use super::{interned, packet, write};
use crate::{
    Options,
    formats::protobuf::reader::{Value, all, number},
    snapshot::fixtures::forest,
};

fn packets(trace: &[u8]) -> Vec<&[u8]> {
    all(trace, packet::PACKET).into_iter().map(Value::bytes).collect()
}

fn trace() -> Vec<u8> {
    let mut out = Vec::new();
    write(&forest(), &Options::default(), &mut out).expect("nothing can fail in memory");
    out
}

/// Of each dump its heap and the sums of allocated and freed, in bytes and in blocks.
fn dumps(trace: &[u8]) -> Vec<(String, [i64; 4])> {
    let heap = |packet: &&[u8]| Some(all(all(packet, packet::PROFILE).first()?.bytes(), 5)[0].bytes().to_vec());
    let sums = |heap: Vec<u8>| {
        let mut sums = [0; 4];
        for sample in all(&heap, 2) {
            for (sum, field) in sums.iter_mut().zip([2, 3, 5, 6]) {
                *sum += number(sample.bytes(), field).cast_signed();
            }
        }
        (all(&heap, 11)[0].text().to_owned(), sums)
    };
    packets(trace).iter().filter_map(heap).map(sums).collect()
}

#[test]
fn each_space_has_a_dump_at_its_mark_and_one_at_the_end_that_sum_to_its_totals() {
    let snapshot = forest();
    let mut expected = Vec::new();
    for space in snapshot.spaces() {
        let totals = snapshot.totals(space);
        let mark = [totals.at_peak_level.cast_signed(), 0, totals.peak_blocks.cast_signed(), 0];
        let freed = totals.total.cast_signed() - totals.live;
        let freed_blocks = totals.blocks_total.cast_signed() - totals.live_blocks;
        let end = [totals.total.cast_signed(), freed, totals.blocks_total.cast_signed(), freed_blocks];
        expected.extend([(space.to_owned(), mark), (space.to_owned(), end)]);
    }
    assert_eq!(dumps(&trace()), expected);
}

/// What a dump names stands in the packets before it, and times and the sequence are where the viewer looks for them.
#[test]
fn stacks_name_frames_that_are_there_and_times_are_not_zero() {
    let trace = trace();
    let (mut names, mut frames, mut stacks) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut seen = Vec::new();
    for packet in packets(&trace) {
        assert_ne!(number(packet, packet::TIMESTAMP), 0);
        assert_eq!(number(packet, packet::SEQUENCE), 1);
        for data in all(packet, packet::INTERNED_DATA).into_iter().map(Value::bytes) {
            for name in all(data, interned::FUNCTION_NAMES).into_iter().map(Value::bytes) {
                names.insert(number(name, 1), all(name, 2)[0].text());
            }
            for frame in all(data, interned::FRAMES).into_iter().map(Value::bytes) {
                frames.insert(number(frame, 1), names[&number(frame, 2)]);
            }
            for stack in all(data, interned::CALLSTACKS).into_iter().map(Value::bytes) {
                let texts: Vec<&str> = all(stack, 2).iter().map(|frame| frames[&frame.number()]).collect();
                assert_eq!(stacks.insert(number(stack, 1), texts), None, "a stack's id stands once");
            }
        }
        for profile in all(packet, packet::PROFILE).into_iter().map(Value::bytes) {
            let heap = all(profile, 5)[0].bytes();
            seen.extend(all(heap, 2).iter().map(|sample| stacks[&number(sample.bytes(), 1)].clone()));
        }
    }
    assert!(seen.contains(&vec!["[cuda:0]", "load (src/load.rs:10)", "Parser::parse (src/load.rs:40)"]));
    assert!(seen.contains(&vec!["[host]", "(outside any scope)"]));
}
