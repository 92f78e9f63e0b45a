use super::{content::share, layout::Layout};
use crate::{
    diff::{Diff, Kind},
    format::Format,
    measure::Measure,
    process::Process,
    record::{Field, PathRecord, Record},
    snapshot::{
        Snapshot,
        fixtures::{HOSTILE, forest, measuring, site, space_of_tree, without_events},
    },
};

/// A path of `src/a.rs` that owned so much at the peak, was called so often, and owns so much now.
fn path(function: &str, line: u32, parent: Option<usize>, [at_peak, ncalls, live]: [u64; 3]) -> PathRecord {
    let record = Record {
        at_peak,
        live: live.try_into().expect("small"),
        self_total: at_peak,
        ..site("src/a.rs", line, function, [ncalls, at_peak, at_peak])
    };
    PathRecord::new(record, parent)
}

fn profile(tree: Vec<PathRecord>, outside: i64) -> Snapshot {
    let calls: Vec<u64> = tree.iter().map(|path| path.ncalls).collect();
    let mut space = space_of_tree("host", tree, [[outside, 1], [0, 0], [outside, 1]]);
    for ((record, path), ncalls) in space.records.iter_mut().zip(&space.tree).zip(calls) {
        (record.ncalls, record.at_peak) = (ncalls, path.at_peak);
    }
    Snapshot::new(measuring(vec![space]))
}

/// `load` grew, `sort` shrank, `old` went, `new` came, `same` stayed, though two lines further down.
fn two_runs() -> Diff {
    let before = profile(
        vec![
            path("run", 1, None, [100, 1, 0]),
            path("load", 5, Some(0), [1_000, 3, 0]),
            path("sort", 9, Some(0), [400, 1, 0]),
            path("old", 20, Some(2), [50, 1, 0]),
            path("same", 30, Some(0), [7, 1, 0]),
        ],
        16,
    );
    let after = profile(
        vec![
            path("run", 1, None, [100, 1, 0]),
            path("load", 5, Some(0), [1_500, 4, 25]),
            path("sort", 9, Some(0), [300, 1, 0]),
            path("same", 32, Some(0), [7, 1, 0]),
            path("new", 40, Some(1), [90, 2, 0]),
        ],
        16,
    );
    after.diff(&before)
}

#[test]
fn what_is_worse_by_how_much_and_where_stands_in_the_text() {
    let expected = "\
Memory, before and after
========================

before: base.json
after:  new.json

host: peak 1,573 -> 2,013 bytes (+440, +28.0 %); total 1,573 -> 2,013 bytes (+440, +28.0 %); live 0 -> 25 bytes (+25)
  most of it, held at the peak: +500 src/a.rs:5(load); -100 src/a.rs:9(sort); +90 src/a.rs:40(new)

Legends:
before, after - memory_peak: peak memory allocated in function or code block (in bytes)
memory_total  - difference of total memory allocated in function or code block (in bytes)
at_peak       - difference of memory of function or code block itself at the space's high-water mark (in bytes)
live          - difference of live memory that function or code block itself allocated (in bytes)
ncalls        - difference of number of times the function or code block was called

Ordered by: what memory_peak changed

change before after  +/-    +/- % memory_total at_peak live ncalls filename:lineno(function)
 grown  1,000 1,500 +500  +50.0 %         +500    +500  +25     +1 src/a.rs:5(load)
shrunk    400   300 -100  -25.0 %         -100    -100    0      0 src/a.rs:9(sort)
   new      0    90  +90                   +90     +90    0     +2 src/a.rs:40(new)
  gone     50     0  -50 -100.0 %          -50     -50    0     -1 src/a.rs:20(old)
2 rows did not change in these columns
";
    let diff = two_runs();
    assert_eq!(diff.report().names("base.json", "new.json").to_string(), expected);
    let first = diff.report().rows(1).columns([Field::Ncalls, Field::Name]).order(Field::Live).to_string();
    let table: Vec<&str> = first.lines().rev().take(3).collect();
    assert_eq!(
        table,
        [
            "3 rows did not change in these columns",
            "2 more rows left out",
            " grown      0    25 +25           +1 src/a.rs:5(load)"
        ]
    );
}

#[test]
fn what_a_pull_request_shows_is_a_verdict_twenty_rows_and_the_rest_folded() {
    let many = |more: u64| {
        let tree =
            (0..50).map(|index| path(&format!("f{index}"), index, None, [1_000 + u64::from(index) * more, 1, 0]));
        profile(tree.collect(), 0)
    };
    let diff = many(1).diff(&many(0));
    let text = diff.report().format(Format::Markdown).to_string();
    let verdict = "**`host`: peak 50,000 → 51,225 bytes (+1,225, +2.5 %)**; total 50,000 → 51,225 bytes (+1,225, +2.5 %); \
                   live 0 bytes as before. Most of it, held at the peak: +49 `src/a.rs:49(f49)`; +48 `src/a.rs:48(f48)`; \
                   +47 `src/a.rs:47(f47)`";
    assert_eq!(text.lines().nth(2), Some(verdict), "{text}");
    let (open, folded) = text.split_once("<details><summary>29 more rows</summary>").expect("a fold");
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("| grown |")).count();
    assert_eq!((rows(open), rows(folded)), (20, 29));
    assert!(
        open.contains("\n| grown | 1,000 | 1,049 | +49 | +4.9 % | +49 | +49 | 0 | 0 | `src/a.rs:49(f49)` |\n"),
        "{open}"
    );
    assert!(folded.contains("\n</details>\n\n- 1 row did not change in these columns\n"), "{folded}");
}

#[test]
fn a_comment_of_a_pull_request_never_gets_too_long() {
    let name = "x".repeat(500);
    let tree = |at_peak| (0..400).map(|line| path(&name, line, None, [at_peak, 1, 0])).collect();
    let diff = profile(tree(2), 0).diff(&profile(tree(1), 0));
    let text = diff.report().format(Format::Markdown).to_string();
    assert!(text.len() < 65_536, "{} bytes", text.len());
    let shown = text.lines().filter(|line| line.starts_with("| grown |")).count();
    assert!(text.contains(&format!("- {} more rows have no room here\n", 400 - shown)), "{shown}");
}

#[test]
fn two_snapshots_of_one_process_show_what_grew_meanwhile() {
    let at = |seconds: f64, live, ncalls| {
        let mut parts = profile(vec![path("handle", 3, None, [4_096, ncalls, live])], 0).parts().clone();
        let process = Process {
            pid: 12,
            program: "server".to_owned(),
            started: "2026-01-31T00:00:00.000Z".to_owned(),
            ..Process::default()
        };
        parts.process = Process { seconds, ..process };
        Snapshot::new(parts)
    };
    let (first, second) = (at(10.0, 1_000, 50), at(20.0, 3_500, 150));
    let diff = second.diff(&first);
    assert!(diff.is_growth());
    let text = diff.to_string();
    assert!(text.starts_with("Memory, growth between two moments of one process\n"), "{text}");
    assert!(
        text.contains("host: live 1,000 -> 3,500 bytes (+2,500, +250.0 %); peak 4,096 bytes as before; "),
        "{text}"
    );
    assert!(text.contains("  most of it, live: +2,500 src/a.rs:3(handle)\n"), "{text}");
    assert!(
        text.contains(
            "\nchange before after    +/-    +/- % kept kept_calls ncalls memory_peak filename:lineno(function)\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\n grown  1,000 3,500 +2,500 +250.0 %    0          0   +100           0 src/a.rs:3(handle)\n"),
        "{text}"
    );
    assert!(!text.contains("taken before"), "{text}");
    let swapped = first.diff(&second).to_string();
    assert!(swapped.contains("\nthe second was taken before the first: "), "{swapped}");
    assert!(!two_runs().is_growth());
}

/// The rows of a table and the frames of a graph have the differences of the totals, to the byte.
#[test]
fn differences_sum_to_those_of_the_totals() {
    let diff = two_runs();
    let measured =
        [(Measure::AtPeak, Field::AtPeak), (Measure::Live, Field::Live), (Measure::SelfTotal, Field::SelfTotal)];
    for (measure, field) in measured {
        let [before, after] = diff.totals("host").map(|totals| measure.whole(&totals));
        let [outside_before, outside_after] = diff.totals("host").map(|totals| measure.outside(&totals));
        let outside = outside_after - outside_before;
        assert_eq!(diff.records("host").map(|change| change.difference(field)).sum::<i128>() + outside, after - before);
        assert_eq!(diff.tree("host").map(|change| change.difference(field)).sum::<i128>() + outside, after - before);
        let layout = Layout::new(&diff, &["host"], measure);
        assert_eq!(layout.whole[0] - layout.whole[1], after - before, "{measure:?}");
    }
}

#[test]
fn what_shrank_is_drawn_apart_and_nothing_is_netted_away() {
    let layout = Layout::new(&two_runs(), &["host"], Measure::AtPeak);
    let of = |frames: &[super::layout::Frame]| -> Vec<(String, Kind, usize, i128, i128)> {
        let of = |frame: &super::layout::Frame| (frame.text.clone(), frame.kind, frame.depth, frame.start, frame.bytes);
        frames.iter().map(of).collect()
    };
    let frame = |text: &str, kind, depth, start, bytes| (text.to_owned(), kind, depth, start, bytes);
    assert_eq!(
        of(&layout.grown),
        [
            frame("run (src/a.rs:1)", Kind::Same, 0, 0, 590),
            frame("load (src/a.rs:5)", Kind::Same, 1, 0, 590),
            frame("new (src/a.rs:40)", Kind::New, 2, 0, 90),
        ]
    );
    assert_eq!(
        of(&layout.shrunk),
        [
            frame("run (src/a.rs:1)", Kind::Same, 0, 0, 150),
            frame("sort (src/a.rs:9)", Kind::Same, 1, 0, 150),
            frame("old (src/a.rs:20)", Kind::Gone, 2, 0, 50),
        ]
    );
    assert_eq!(layout.grown[0].amounts, [1_557, 1_997]);
}

#[test]
fn the_picture_marks_what_grew_shrank_came_and_went() {
    let text = two_runs().report().format(Format::Svg).to_string();
    let title = "<text class=\"words\" x=\"10\" y=\"25\">host: +440 bytes held at the peak; left, orange: +590 grown; \
                 right, blue: -150 shrunk</text>";
    assert!(text.contains(title), "{text}");
    for frame in [
        "<title>load (src/a.rs:5): grown, +590 bytes (1,000 -&gt; 1,590)</title><rect class=\"frame grown\"",
        "<title>new (src/a.rs:40): new, +90 bytes (0 -&gt; 90)</title><rect class=\"frame new\"",
        "<title>sort (src/a.rs:9): shrunk, -150 bytes (450 -&gt; 300)</title><rect class=\"frame shrunk\"",
        "<title>old (src/a.rs:20): gone, -50 bytes (50 -&gt; 0)</title><rect class=\"frame gone\"",
    ] {
        assert!(text.contains(frame), "{frame}\n{text}");
    }
    assert_eq!(text.matches("<g>").count(), 6);
}

#[test]
fn names_are_text_in_every_format_whatever_they_hold() {
    let bare = Snapshot::new(measuring(vec![space_of_tree("host", Vec::new(), [[0, 0]; 3])]));
    let diff = forest().diff(&bare);
    assert_eq!(diff.spaces().collect::<Vec<_>>(), ["host", "cuda:0"]);
    let [text, markdown, svg] =
        [Format::Text, Format::Markdown, Format::Svg].map(|format| diff.report().format(format).to_string());
    assert_eq!(
        text.lines().filter(|line| line.starts_with("   new ") || line.starts_with("    new ")).count(),
        4 + HOSTILE.len() + 2,
        "{text}"
    );
    assert!(markdown.contains("`src/<odd>.rs:1(</script><script>alert(1)</script>)`"), "{markdown}");
    assert!(!svg.contains("<script") && svg.contains("[cuda:0]") && svg.contains("[host]"));
    for text in [text, markdown, svg] {
        assert!(!text.contains('\u{202e}') && !text.contains("line\nbreak"));
    }
}

#[test]
fn json_has_the_numbers_of_both_sides() {
    let text = two_runs().report().format(Format::Json).to_string();
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let space = &value["spaces"][0];
    assert_eq!((&space["before"]["peak"], &space["after"]["peak"]), (&1_573.into(), &2_013.into()));
    let records = space["records"].as_array().expect("a list");
    let changes: Vec<(&str, &str)> = records
        .iter()
        .map(|row| (row["change"].as_str().expect("a word"), row["name"].as_str().expect("a name")))
        .collect();
    assert_eq!(changes[0], ("grown", "src/a.rs:5(load)"));
    assert_eq!((&records[3]["before"]["memory_peak"], &records[3]["after"]), (&50.into(), &serde_json::Value::Null));
    assert_eq!(space["tree"].as_array().expect("a list").len(), 6);
    assert_eq!(space["tree"][5]["parent"], 2);
}

#[test]
fn a_format_without_differences_is_refused_with_those_that_have() {
    let error = two_runs().report().write_to("x.pb.gz").expect_err("no such format");
    assert_eq!(
        error.to_string(),
        "cannot write the differences to ‘x.pb.gz’: its ending names no format of differences; accepted: .txt, .md, .html, .svg, .json"
    );
}

#[test]
fn a_share_is_rounded_to_the_nearest_tenth() {
    let of = |before, after| share(before, after).unwrap_or_default();
    assert_eq!(of(1_000, 1_467), "+46.7 %");
    assert_eq!(
        (of(10_000, 10_005), of(10_000, 9_995), of(10_000, 10_004)),
        ("+0.1 %".into(), "-0.1 %".into(), "+0.0 %".into())
    );
    assert_eq!(
        (of(1, 2_001), of(4, 4), of(0, 5), of(-3, 5)),
        ("+200,000.0 %".into(), "0.0 %".into(), String::new(), String::new())
    );
    assert_eq!(of(i128::from(u64::MAX), 0), "-100.0 %");
}

#[test]
fn two_profiles_in_which_nothing_happened_say_so() {
    let bare = || Snapshot::new(measuring(vec![without_events(space_of_tree("host", Vec::new(), [[0, 0]; 3]))]));
    let diff = bare().diff(&bare());
    for (format, line) in [
        (Format::Text, "\nnothing was measured in either\n"),
        (Format::Markdown, "\nNothing was measured in either.\n"),
    ] {
        let text = diff.report().format(format).to_string();
        assert!(text.contains(line), "{text}");
    }
    assert!(diff.report().format(Format::Svg).to_string().ends_with("</svg>\n"));
    let same = two_runs().after().diff(two_runs().after()).to_string();
    assert!(
        same.contains("host: peak 2,013 bytes as before; total 2,013 bytes as before; live 25 bytes as before\n\n"),
        "{same}"
    );
    assert!(same.ends_with("\n\n5 rows did not change in these columns\n"), "{same}");
}
