use std::collections::BTreeMap;
use std::io::Read as _;

use super::{SAMPLE_TYPES, field, write};
use crate::{
    Options,
    formats::protobuf::reader::{all, number},
    snapshot::{
        Snapshot,
        fixtures::{HOSTILE, forest, measuring, space_of_tree},
    },
};

/// A profile as a reader of pprof has it.
struct Read {
    message: Vec<u8>,
    texts: Vec<String>,
}

fn read(snapshot: &Snapshot) -> Read {
    let mut out = Vec::new();
    write(snapshot, &Options::default(), &mut out).expect("nothing can fail in memory");
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(&out[..]).read_to_end(&mut message).expect("gzip");
    let texts = all(&message, field::STRING_TABLE).iter().map(|text| text.text().to_owned()).collect();
    Read { message, texts }
}

impl Read {
    fn text(&self, index: u64) -> &str {
        &self.texts[index as usize]
    }

    /// Values of all samples summed by the label `space`; each sample's stack, outermost first.
    fn samples(&self) -> Vec<(Vec<String>, &str, Vec<i64>)> {
        let samples = all(&self.message, field::SAMPLE);
        samples
            .iter()
            .map(|sample| {
                let sample = sample.bytes();
                let locations = all(sample, 1)[0].numbers();
                let stack = locations.iter().rev().map(|location| self.frame(*location)).collect();
                let label = all(sample, 3)[0].bytes();
                assert_eq!(self.text(number(label, 1)), "space");
                let values = all(sample, 2)[0].numbers().into_iter().map(u64::cast_signed).collect();
                (stack, self.text(number(label, 2)), values)
            })
            .collect()
    }

    fn frame(&self, location: u64) -> String {
        let entry = |field, id| {
            let entries = all(&self.message, field);
            entries
                .into_iter()
                .map(crate::formats::protobuf::reader::Value::bytes)
                .find(|entry| number(entry, 1) == id)
                .expect("an entry")
        };
        let line = all(entry(field::LOCATION, location), 4)[0].bytes();
        let function = entry(field::FUNCTION, number(line, 1));
        // A name that stands as system_name too would be taken for mangled.
        assert_eq!(number(function, 3), 0);
        format!("{}|{}|{}", self.text(number(function, 2)), self.text(number(function, 4)), number(line, 2))
    }
}

#[test]
fn the_samples_of_each_space_sum_to_its_totals_in_every_sample_type() {
    let snapshot = forest();
    let read = read(&snapshot);
    assert_eq!(read.texts[0], "");
    let names = all(&read.message, field::SAMPLE_TYPE);
    let names: Vec<[&str; 2]> =
        names.iter().map(|entry| [1, 2].map(|field| read.text(number(entry.bytes(), field)))).collect();
    assert_eq!(names, SAMPLE_TYPES);

    let mut sums: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (_, space, values) in read.samples() {
        let sum = sums.entry(space).or_insert_with(|| vec![0; SAMPLE_TYPES.len()]);
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    for space in snapshot.spaces() {
        let totals = snapshot.totals(space);
        let expected = [
            totals.blocks_total.cast_signed(),
            totals.total.cast_signed(),
            totals.live_blocks,
            totals.live,
            totals.peak_blocks.cast_signed(),
            totals.at_peak_level.cast_signed(),
        ];
        assert_eq!(sums[space], expected, "{space}");
    }
}

#[test]
fn names_are_as_they_are_whatever_they_hold() {
    let read = read(&forest());
    let innermost: Vec<String> = read.samples().into_iter().filter_map(|(mut stack, ..)| stack.pop()).collect();
    for (line, name) in (1..).zip(HOSTILE) {
        assert!(innermost.contains(&format!("{name}|src/<odd>.rs|{line}")), "{name:?}");
    }
    assert!(innermost.contains(&"(outside any scope)||0".to_owned()));
    assert!(innermost.contains(&"layer 3||0".to_owned()));
}

/// A view with nothing in it looks like a failure.
#[test]
fn what_is_shown_first_has_something_in_it() {
    let shown_first = |snapshot: &Snapshot| {
        let read = read(snapshot);
        read.text(number(&read.message, field::DEFAULT_SAMPLE_TYPE)).to_owned()
    };
    assert_eq!(shown_first(&forest()), "peak_space");
    let only_allocated = space_of_tree("host", Vec::new(), [[0, 0], [0, 0], [10, 1]]);
    assert_eq!(shown_first(&Snapshot::new(measuring(vec![only_allocated]))), "alloc_space");
}
