//! What an exceeded limit says.

use super::support::{bytes, panics};

#[memprof::track(name = "least")]
fn least() -> Vec<u8> {
    bytes(10)
}

#[memprof::track(name = "most")]
fn most() -> Vec<u8> {
    bytes(1000)
}

#[memprof::track(name = "often")]
fn often() {
    for _ in 0..1000 {
        drop(bytes(7));
    }
}

#[memprof::limit(name = "told", peak = 2, total = 3, kept = 1)]
fn told() -> (Vec<u8>, Vec<u8>) {
    often();
    (least(), most())
}

/// Lines of source, which move.
fn without_places(text: &str) -> String {
    let line = |line: &str| match (line.find("tests/"), line.rfind('(')) {
        (Some(start), Some(name)) => format!("{}{}", &line[..start], &line[name..]),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_panic_says_limit_measured_by_how_much_and_who() {
    let text = panics(told);
    let expected = "\
memprof: (told) exceeded its limit
  peak of host: limit 2 bytes, measured 1,010, 1,008 over
  total of host: limit 3 bytes, measured 8,010, 8,007 over
  kept of host: limit 1 bytes, measured 1,010, 1,009 over
inside, in host:
memory_peak memory_total  live filename:lineno(function)
      1,000        1,000 1,000 (most)
         10           10    10 (least)
          7        7,000     0 (often)";
    assert_eq!(without_places(&text), expected);
}

#[memprof::limit(total = 6999)]
fn by_total() {
    drop(most());
    often();
}

#[test]
fn the_rows_are_those_with_most_of_what_is_exceeded() {
    let text = panics(by_total);
    let [often, most] = ["(often)", "(most)"].map(|name| text.find(name).expect("a row"));
    assert!(often < most, "{text}");
}

#[memprof::limit(peak = 0)]
fn alone() {
    drop(bytes(1));
}

#[test]
fn without_scopes_inside_the_text_says_how_to_get_them() {
    assert!(
        panics(alone).ends_with("no scope was entered inside: add #[memprof::track] to the functions that it calls")
    );
}

#[memprof::limit(space = "shelf", peak = 10, kept = 0)]
#[memprof::limit(peak = 100)]
fn in_two_spaces(on_the_shelf: u64, on_the_host: usize) {
    drop(bytes(on_the_host));
    let shelf = memprof::Space::named("shelf");
    memprof::record_alloc(shelf, on_the_shelf << 20, on_the_shelf);
    memprof::record_free(shelf, on_the_shelf << 20);
}

#[test]
fn each_space_has_limits_of_its_own() {
    in_two_spaces(10, 100);
    assert!(panics(|| in_two_spaces(11, 100)).contains("peak of shelf: limit 10 bytes, measured 11, 1 over"));
    let text = panics(|| in_two_spaces(12, 101));
    assert!(text.contains("peak of shelf: limit 10 bytes, measured 12, 2 over"), "{text}");
    assert!(text.contains("peak of host: limit 100 bytes, measured 101, 1 over"), "{text}");
}

#[memprof::limit(space = "never reported", peak = 10)]
fn in_a_space_that_is_not_there() {}

#[test]
fn a_space_that_nothing_was_reported_in_fails_with_the_two_lines_to_add() {
    let text = panics(in_a_space_that_is_not_there);
    assert!(
        text.contains("could not be measured\n  never reported is not measured: nothing was ever reported in it"),
        "{text}"
    );
    assert!(
        text.contains("\n    memprof::record_alloc(memprof::Space::named(\"never reported\"), address, bytes);\n"),
        "{text}"
    );
    assert!(
        text.ends_with("\n    memprof::record_free(memprof::Space::named(\"never reported\"), address);"),
        "{text}"
    );
}
