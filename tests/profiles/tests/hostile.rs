//! Hostile profiles: bytes that are none, and snapshots that no program makes. `scripts/fuzz` looks for more.

use std::fs;

use memprof_profiles::{hostile, large, law};

/// Bytes without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[2]).collect()
    }
}

/// More where the compiler optimises.
const ROUNDS: usize = if cfg!(debug_assertions) { 2 } else { 400 };

#[test]
fn every_format_is_written_of_any_snapshot_and_has_its_readers_form() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        law::holds(&hostile::snapshot(&random.bytes(12_000)));
    }
}

/// Each profile is cut, and put together anew with bytes lost, doubled and exchanged.
#[test]
fn bytes_that_were_a_profile_once_are_one_or_an_error() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let whole = large::json(large::Shape::Program, 12).into_bytes();
    for end in 0..whole.len() {
        assert!(serde_json::from_slice::<memprof_report::Snapshot>(&whole[..end]).is_err(), "cut after {end} bytes");
    }
    let pieces: [&[u8]; 9] =
        [b"-1", b"18446744073709551615", b"1e999", b"null", b"\"\\ud800\"", b"[", b"}", b"\xff", b"0.5"];
    for _ in 0..ROUNDS * 20 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let from = random.below(bytes.len());
            let to = (from + random.below(30)).min(bytes.len());
            let piece = match random.below(3) {
                0 => Vec::new(),
                1 => bytes[from..to].repeat(2),
                _ => pieces[random.below(pieces.len())].to_vec(),
            };
            bytes.splice(from..to, piece);
        }
        law::holds_of_bytes(&bytes);
    }
}

/// Of the corpus, one file of so many.
const APART: usize = if cfg!(debug_assertions) { 16 } else { 1 };

/// What `scripts/fuzz` has found of different kinds.
#[test]
fn the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus");
    let files = |target: &str| {
        let files = fs::read_dir(format!("{folder}/{target}")).expect("a corpus");
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        paths.into_iter().step_by(APART).map(|path| fs::read(path).expect("a file"))
    };
    files("bytes").for_each(|bytes| law::holds_of_bytes(&bytes));
    files("snapshot").for_each(|bytes| law::holds(&hostile::snapshot(&bytes)));
}
