use crate::{
    format::Format,
    record::Record,
    snapshot::{
        Snapshot, SpaceData,
        fixtures::{measuring, named, space},
    },
};

/// A record that held these bytes and blocks at the peak.
fn holding(name: &str, [at_peak, at_peak_blocks]: [u64; 2]) -> Record {
    Record { at_peak, at_peak_blocks, ..named(name, [1, 0, 0]) }
}

/// A space whose records held these bytes, named by their order, and 5 bytes outside any scope in 2 blocks.
fn held_by(name: &str, bytes: &[u64]) -> SpaceData {
    let records = bytes.iter().enumerate().map(|(index, bytes)| holding(&format!("f{index}"), [*bytes, 1])).collect();
    let mut space = space(name, bytes.iter().sum::<u64>() + 5, records);
    space.totals.at_peak_level = space.totals.peak;
    (space.totals.no_scope_at_peak, space.totals.no_scope_at_peak_blocks) = (5, 2);
    space
}

/// What stands below the line of the space.
fn below(space: SpaceData, rows: Option<usize>) -> String {
    let snapshot = Snapshot::new(measuring(vec![space]));
    let report = rows.map_or_else(|| snapshot.report(), |rows| snapshot.report().rows(rows)).to_string();
    report.split_once("live 0 bytes\n").expect("the line of the space").1.to_owned()
}

#[test]
fn owners_stand_largest_first_with_what_is_outside_any_scope_among_them_and_without_those_of_nothing() {
    let expected = "
Held at the peak of cuda:0 (1,015 bytes):

at_peak blocks filename:lineno(function)
  1,000      1 f2
      5      1 f0
      5      2 (outside any scope)
      3      1 f3
      2      1 f4
";
    assert_eq!(below(held_by("cuda:0", &[5, 0, 1_000, 3, 2]), None), expected);
}

#[test]
fn ten_rows_are_shown_and_the_rest_is_one_line() {
    let ten: Vec<u64> = (11..20).collect();
    assert!(below(held_by("host", &ten), None).ends_with("  11      1 f0\n      5      2 (outside any scope)\n"));
    let twelve: Vec<u64> = (1..13).collect();
    let shown = below(held_by("host", &twelve), None);
    let expected = "
Held at the peak of host (83 bytes):

at_peak blocks filename:lineno(function)
     12      1 f11
     11      1 f10
     10      1 f9
      9      1 f8
      8      1 f7
      7      1 f6
      6      1 f5
      5      1 f4
      5      2 (outside any scope)
      4      1 f3
      6      3 (3 more)
";
    assert_eq!(shown, expected);
}

#[test]
fn fewer_rows_are_shown_where_fewer_are_asked_for() {
    let shown = below(held_by("host", &[10, 20]), Some(1));
    let expected = "
Held at the peak of host (35 bytes):

at_peak blocks filename:lineno(function)
     20      1 f1
     15      3 (2 more)
";
    assert_eq!(shown, expected);
}

#[test]
fn a_picture_from_before_the_peak_is_called_that() {
    let mut host = held_by("host", &[79_998_971]);
    host.totals.peak = 80_021_504;
    host.totals.peak_threads = 8;
    let report = Snapshot::new(measuring(vec![host])).to_string();
    let title = "\n\nHeld at the peak of host (79,998,976 bytes, the last picture before the peak):\n\n";
    assert!(report.contains(title), "{report}");
    let line = "\nhost: peak 80,021,504 bytes (short by at most 512 KiB: 8 threads), total 0 bytes, live 0 bytes; ";
    assert!(report.contains(line), "{report}");
}

#[test]
fn nothing_held_is_nothing_said() {
    assert!(
        !Snapshot::new(measuring(vec![space("host", 0, vec![named("f", [1, 0, 0])])])).to_string().contains("Held")
    );
}

#[test]
fn an_odd_name_stays_on_its_lines() {
    let mut space = held_by("a\nb", &[1]);
    space.records[0].name = "f\ng".to_owned();
    let shown = below(space, None);
    assert!(shown.contains("Held at the peak of a\\nb (6 bytes):") && shown.contains(" f\\ng\n"), "{shown}");
}

#[test]
fn markdown_has_a_table_for_each_space() {
    let spaces = vec![held_by("host", &[10]), held_by("cuda:0", &[20])];
    let markdown = Snapshot::new(measuring(spaces)).report().format(Format::Markdown).to_string();
    let expected = "

`Held at the peak of host (15 bytes):`

| at_peak | blocks | filename:lineno(function) |
| ---: | ---: | :--- |
| 10 | 1 | `f0` |
| 5 | 2 | `(outside any scope)` |

`Held at the peak of cuda:0 (25 bytes):`

| at_peak | blocks | filename:lineno(function) |
| ---: | ---: | :--- |
| 20 | 1 | `f0` |
| 5 | 2 | `(outside any scope)` |
";
    assert!(markdown.ends_with(expected), "{markdown}");
}
