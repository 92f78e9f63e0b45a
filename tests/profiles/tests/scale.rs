//! Large profiles: what reading one and writing it in each format holds at once, by memprof's own count, and how long a page is.
//!
//! How long it takes is the machine's: `scripts/scale` says it.

use std::io::{self, Write};

use memprof::{Scope, Space};
use memprof_profiles::large::{Shape, json};
use memprof_report::{Format, Snapshot};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system().always();

/// Without optimisation fewer: the bound is in proportion.
const PATHS: u32 = if cfg!(debug_assertions) { 1_000 } else { 100_000 };

/// 500 MB for 100,000 paths.
const MOST_BYTES: i64 = 5_000 * PATHS as i64;

const MOST_BYTES_OF_A_PAGE: u64 = 5_000_000;

/// Counts what it is given.
struct Length(u64);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `work` makes, what it holds at once at most, and what of that it leaves.
fn measured<T>(work: impl FnOnce() -> T) -> (T, [i64; 2]) {
    let scope = Scope::enter(memprof::site!("work"));
    let made = work();
    let counters = scope.finish().counters(Space::HOST);
    (made, [counters.peak_bytes, counters.current_bytes])
}

/// As the command does it: the file in memory, the profile that it is read to, and then each format of that.
#[test]
fn reading_and_writing_in_any_format_hold_less_than_five_hundred_megabytes_for_a_hundred_thousand_paths() {
    memprof::enable();
    for shape in Shape::ALL {
        let text = json(*shape, PATHS as usize);
        let (snapshot, [reading, profile]) = measured(|| serde_json::from_str::<Snapshot>(&text).expect("a profile"));
        let file = i64::try_from(text.len()).expect("a length");
        assert!(file + reading <= MOST_BYTES, "{}: {file} and {reading} bytes while it is read", shape.name());
        drop(text);
        for tree in [false, true] {
            for format in Format::ALL {
                let mut length = Length(0);
                let report = snapshot.report().tree(tree).format(*format);
                let (written, [writing, left]) = measured(|| report.write(&mut length));
                written.expect("it takes all");
                let what = format!("{}, {format:?}", shape.name());
                assert!(profile + writing <= MOST_BYTES, "{what}: {profile} and {writing} bytes");
                assert_eq!(left, 0, "{what} leaves something behind");
                assert!(*format != Format::Html || length.0 <= MOST_BYTES_OF_A_PAGE, "{what}: {} bytes", length.0);
            }
        }
    }
}
