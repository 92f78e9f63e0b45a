//! Twenty tests that run side by side, each with limits that are exactly what it needs.

use super::support::{bytes, panics};

/// Allocates and frees in turns, so that peak, total and what is kept differ: `size` twice over at the peak, `turns + 1` times in all.
fn work(size: usize, turns: usize) -> Vec<u8> {
    let mut held = bytes(size);
    for _ in 0..turns {
        let next = bytes(size);
        std::thread::yield_now();
        held = next;
    }
    held
}

macro_rules! exact {
    ($($name:ident: $turns:literal, $peak:literal, $total:literal;)+) => {
        $(
            #[test]
            #[memprof::limit(peak = $peak, total = $total, kept = 0)]
            fn $name() {
                drop(work(1000, $turns));
            }
        )+
    };
}

exact! {
    exact_01: 1, 2000, 2000;
    exact_02: 2, 2000, 3000;
    exact_03: 3, 2000, 4000;
    exact_04: 4, 2000, 5000;
    exact_05: 5, "2 kB", "6 kB";
    exact_06: 6, 2000, 7000;
    exact_07: 7, 2000, 8000;
    exact_08: 8, 2000, 9000;
    exact_09: 9, 2000, 10000;
    exact_10: 10, 2000, 11000;
    exact_11: 20, 2000, 21000;
    exact_12: 30, 2000, 31000;
    exact_13: 40, 2000, 41000;
    exact_14: 50, 2000, 51000;
    exact_15: 60, 2000, 61000;
    exact_16: 70, 2000, 71000;
    exact_17: 80, 2000, 81000;
    exact_18: 90, 2000, 91000;
    exact_19: 99, "2 kB", "100 kB";
    exact_20: 999, "2 kB", "1 MB";
}

#[memprof::limit(peak = 1999)]
fn one_byte_less_peak() {
    drop(work(1000, 1));
}

#[memprof::limit(total = 1999)]
fn one_byte_less_total() {
    drop(work(1000, 1));
}

#[memprof::limit(kept = 999)]
fn one_byte_less_kept() -> Vec<u8> {
    work(1000, 1)
}

#[test]
fn one_byte_more_than_allowed_fails() {
    assert!(panics(one_byte_less_peak).contains("peak of host: limit 1,999 bytes, measured 2,000, 1 over"));
    assert!(panics(one_byte_less_total).contains("total of host: limit 1,999 bytes, measured 2,000, 1 over"));
    assert!(panics(one_byte_less_kept).contains("kept of host: limit 999 bytes, measured 1,000, 1 over"));
}

/// The return value is what it leaves.
#[memprof::limit(kept = 1000)]
fn leaves_its_return_value() -> Vec<u8> {
    work(1000, 1)
}

/// What it frees of older memory counts too, so it may leave less than nothing.
#[memprof::limit(kept = 0)]
fn frees_what_was_there(held: &mut Option<Vec<u8>>) -> Vec<u8> {
    *held = None;
    bytes(1000)
}

#[test]
fn kept_is_what_an_activation_leaves() {
    assert_eq!(leaves_its_return_value().capacity(), 1000);
    let mut held = Some(bytes(1000));
    assert_eq!(frees_what_was_there(&mut held).capacity(), 1000);
}

/// One activation after the other: none counts for the next.
#[test]
fn each_activation_is_judged_by_itself() {
    ten_times();
}

pub(crate) fn ten_times() {
    for _ in 0..10 {
        leaves_its_return_value();
    }
}

#[memprof::limit(peak = 5000)]
fn outer() {
    let _inside = work(1000, 3);
    inner();
}

#[memprof::limit(peak = 1000)]
fn inner() {
    drop(bytes(1000));
}

#[test]
fn limits_nest() {
    outer();
}

#[test]
#[memprof::limit(peak = 100, kept = 100)]
fn a_result_may_be_returned() -> Result<(), std::num::ParseIntError> {
    drop(bytes(100));
    let number: u8 = "42".parse()?;
    assert_eq!(number, 42);
    Ok(())
}

#[memprof::limit(peak = 99)]
fn ends_early() -> Result<u8, std::num::ParseIntError> {
    let _held = bytes(100);
    let number: u8 = "no number".parse()?;
    Ok(number)
}

#[test]
fn an_early_return_is_judged() {
    assert!(panics(ends_early).contains("measured 100, 1 over"));
}

/// In a space that the standard library's threads have no blocks in: see [`panics`].
#[test]
#[should_panic(expected = "peak of expected: limit 1 bytes, measured 100, 99 over")]
#[memprof::limit(space = "expected", peak = 1)]
fn should_panic_may_expect_a_limit() {
    memprof::record_alloc(memprof::Space::named("expected"), 1, 100);
    memprof::record_free(memprof::Space::named("expected"), 1);
}

#[test]
#[should_panic(expected = "the program's own")]
#[memprof::limit(peak = 0)]
fn while_it_unwinds_nothing_is_judged() {
    let _held = bytes(100);
    panic!("the program's own");
}

struct Loader {
    size: usize,
}

impl Loader {
    #[memprof::limit(peak = 1000, kept = 1000)]
    fn load(&self) -> Vec<u8> {
        bytes(self.size)
    }
}

#[memprof::track]
impl Loader {
    #[memprof::limit(total = 500)]
    fn load_twice(&self) -> (Vec<u8>, Vec<u8>) {
        (bytes(self.size / 4), bytes(self.size / 4))
    }
}

/// One activation, and one row, with both attributes in either order.
#[memprof::track(name = "both, track first")]
#[memprof::limit(peak = 10)]
fn both() {
    drop(bytes(10));
}

#[memprof::limit(peak = 10)]
#[memprof::track(name = "both, limit first")]
fn both_the_other_way() {
    drop(bytes(10));
}

#[test]
fn methods_have_limits_and_one_row_each() {
    let loader = Loader { size: 1000 };
    loader.load();
    loader.load_twice();
    both();
    both_the_other_way();
    let snapshot = memprof::snapshot();
    let calls = |function: &str| {
        let rows = snapshot.records("host").iter().filter(|record| record.function.ends_with(function));
        rows.map(|record| record.ncalls).collect::<Vec<_>>()
    };
    for function in ["Loader::load", "Loader::load_twice", "both, track first", "both, limit first"] {
        assert_eq!(calls(function), [1], "{function}");
    }
}
