use super::{Merge, median};
use crate::{
    format::Format,
    measure::{Measure, weigh},
    process::Process,
    record::{PathRecord, Record},
    snapshot::{
        Snapshot,
        fixtures::{forest, measuring, site, space_of_tree},
    },
};

/// The profile of a rank: `step` below `run`, with so many live bytes and so much at the peak, and what else it has.
fn rank(label: Option<&str>, peak: u64, live: i64, more: Vec<PathRecord>) -> Snapshot {
    let record = |function: &str, line, at_peak, live| Record {
        at_peak,
        live,
        self_total: at_peak,
        ..site("src/a.rs", line, function, [2, at_peak, at_peak])
    };
    let mut tree = vec![
        PathRecord::new(record("run", 1, 0, 0), None),
        PathRecord::new(Record { kept: live, kept_calls: 1, ..record("step", 5, peak, live) }, Some(0)),
    ];
    tree.extend(more);
    let mut space = space_of_tree("host", tree, [[8, 1], [3, 1], [8, 1]]);
    for (record, path) in space.records.iter_mut().zip(&space.tree) {
        (record.memory_peak, record.at_peak, record.largest) = (path.memory_peak, path.at_peak, path.memory_peak);
    }
    let mut parts = measuring(vec![space]);
    let program = "solver".to_owned();
    let taken = format!("2026-01-31T00:00:0{}.000Z", peak % 7);
    parts.process = Process { program, taken, label: label.map(str::to_owned), ..Process::default() };
    parts.notes = vec!["a note".to_owned()];
    Snapshot::new(parts)
}

/// Merges them with the medians that are in memory.
fn merged(ranks: &[Snapshot]) -> Snapshot {
    let (mut merge, mut numbers) = (Merge::default(), Vec::<(Vec<u64>, Vec<i64>)>::new());
    for (index, rank) in ranks.iter().enumerate() {
        let mut seen = |row: usize, peak, live| {
            numbers.resize(numbers.len().max(row + 1), <(Vec<u64>, Vec<i64>)>::default());
            numbers[row].0.push(peak);
            numbers[row].1.push(live);
        };
        merge.add(rank, &format!("file {index}"), &mut seen).expect("a profile of one process");
    }
    let medians = merge.finish(&mut |row| Ok((median(&mut numbers[row].0), median(&mut numbers[row].1))));
    medians.expect("nothing fails in memory")
}

fn three_ranks() -> Snapshot {
    let only_there =
        PathRecord::new(Record { live: 7, at_peak: 7, ..site("src/b.rs", 9, "only there", [1, 7, 7]) }, Some(0));
    merged(&[
        rank(Some("rank 0"), 1_000, 10, Vec::new()),
        rank(Some("rank 1"), 5_000, -4, vec![only_there]),
        rank(None, 2_000, 10, Vec::new()),
    ])
}

#[test]
fn what_adds_up_is_summed_and_of_the_rest_the_greatest_counts() {
    let fleet = three_ranks();
    let totals = fleet.totals("host");
    assert_eq!((totals.peak, totals.peak_sum, totals.at_peak_level), (5_015, 1_008 + 5_015 + 2_008, 8_031));
    assert_eq!((totals.live, totals.total, totals.no_scope_live), (10 - 4 + 10 + 7 + 9, 8_000 + 24, 9));
    let step = &fleet.records("host")[0];
    assert_eq!((&*step.function, step.memory_peak, step.largest), ("step", 5_000, 5_000));
    assert_eq!((step.at_peak, step.live, step.ncalls), (8_000, 16, 3));
    let path = &fleet.tree("host")[1];
    assert_eq!(
        (path.memory_peak, path.at_peak, path.live, path.kept, path.kept_calls, path.ncalls),
        (5_000, 8_000, 16, 16, 3, 6)
    );
    assert_eq!(
        fleet.tree("host").iter().map(|path| (&*path.function, path.parent)).collect::<Vec<_>>(),
        [("run", None), ("step", Some(0)), ("only there", Some(0))]
    );
}

#[test]
fn the_parts_of_a_merged_profile_sum_to_its_totals() {
    for fleet in [three_ranks(), merged(&[forest(), forest(), forest()])] {
        for space in fleet.spaces() {
            let (tree, totals) = (fleet.tree(space), fleet.totals(space));
            for measure in Measure::ALL {
                let parts: i128 = weigh(tree, &totals, *measure).iter().map(|node| node.own).sum();
                assert_eq!(parts, measure.whole(&totals), "{space} {measure:?}");
            }
        }
    }
}

#[test]
fn a_row_has_the_least_the_median_and_the_greatest_and_whose_they_are() {
    let fleet = three_ranks();
    let merged = fleet.merged().expect("it is merged");
    assert_eq!(
        merged.ranks.iter().map(|rank| rank.label.as_deref()).collect::<Vec<_>>(),
        [Some("rank 0"), Some("rank 1"), None]
    );
    let spread = &merged.spread["host"];
    let names: Vec<&str> = spread.iter().map(|spread| &*spread.name).collect();
    assert_eq!(names, fleet.records("host").iter().map(|record| &*record.name).collect::<Vec<_>>());
    let step = &spread[0];
    assert_eq!(
        (step.ranks, step.memory_peak.least, step.memory_peak.median, step.memory_peak.greatest),
        (3, 1_000, 2_000, 5_000)
    );
    assert_eq!((&*step.memory_peak.least_of, &*step.memory_peak.greatest_of), ("rank 0", "rank 1"));
    // The first of those that have it.
    assert_eq!((step.live.least, step.live.median, step.live.greatest), (-4, 10, 10));
    assert_eq!((&*step.live.least_of, &*step.live.greatest_of), ("rank 1", "rank 0"));
    let only = spread.iter().find(|spread| spread.name == "src/b.rs:9(only there)").expect("a row");
    assert_eq!((only.ranks, only.memory_peak.least, only.memory_peak.greatest), (1, 7, 7));
}

#[test]
fn a_median_is_a_number_that_a_process_had() {
    assert_eq!(median(&mut [3, 1, 2]), 2);
    assert_eq!(median(&mut [4, 1, 3, 2]), 2);
    assert_eq!(median(&mut [-5]), -5);
    assert_eq!(median::<u64>(&mut []), 0);
}

#[test]
fn the_report_says_what_a_merged_profile_is_and_how_its_processes_differ() {
    let text = three_ranks().to_string();
    for expected in [
        "\nhost: peak 5,015 bytes (the greatest), peak_sum 8,031 bytes, total 8,024 bytes, live 32 bytes; ",
        "\nHeld at the peaks of host, each process at its own (8,031 bytes in all):\n",
        "\nSpread of memory_peak in host over 3 processes:\n\n\
         ranks least median greatest greatest_of filename:lineno(function)\n    \
         3 1,000  2,000    5,000      rank 1 src/a.rs:5(step)\n",
        "\nSpread of live in host over 3 processes:\n\n\
         ranks least median greatest greatest_of filename:lineno(function)\n    \
         3    -4     10       10      rank 0 src/a.rs:5(step)\n",
        "\nmerged of 3 profiles: peak, memory_peak and largest are the greatest of them, all else is their sum\n\
         rank 0: a note\nrank 1: a note\nfile 2: a note\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let markdown = three_ranks().report().format(Format::Markdown).to_string();
    assert!(markdown.contains("\n| 3 | 1,000 | 2,000 | 5,000 | `rank 1` | `src/a.rs:5(step)` |\n"), "{markdown}");
}

/// The page has the spread of each number in which processes differ, and the sum of their peaks.
#[test]
fn the_page_has_how_processes_differ() {
    let ranks = [rank(Some("left <1>"), 700, 5, Vec::new()), rank(None, 900, 5, Vec::new())];
    let page = |snapshot: &Snapshot| {
        let mut bytes = Vec::new();
        snapshot.report().format(Format::Html).write(&mut bytes).expect("it takes all");
        let page = String::from_utf8(bytes).expect("text");
        let (_, data) = page.split_once("id=\"profile\">").expect("the data");
        serde_json::from_str::<serde_json::Value>(data.split_once("</script>").expect("their end").0).expect("JSON")
    };
    let data = page(&merged(&ranks));
    let expected = serde_json::json!([{"field": "memory_peak", "count": 1, "rows": [
        {"name": "src/a.rs:5(step)", "ranks": 2, "least": 700, "median": 700, "greatest": 900,
         "least_of": "left <1>", "greatest_of": "file 1"}
    ]}]);
    assert_eq!(data["spaces"][0]["spread"], expected);
    assert_eq!(data["spaces"][0]["totals"]["peak_sum"], 708 + 908);
    let single = page(&ranks[0]);
    assert_eq!(
        (&single["spaces"][0]["spread"], &single["spaces"][0]["totals"]["peak_sum"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
}

#[test]
fn a_merged_profile_is_saved_and_read_and_not_merged_again() {
    let fleet = three_ranks();
    let text = fleet.report().format(Format::Json).to_string();
    let again: Snapshot = serde_json::from_str(&text).expect("a profile");
    assert_eq!(again, fleet);
    let error = Merge::default().add(&again, "fleet.json", &mut |_, _, _| {}).expect_err("a median of medians is none");
    assert_eq!(error.to_string(), "it is merged already; accepted: profiles of single processes");
    // What one process saves has no word of it.
    let one = rank(None, 5, 0, Vec::new()).report().format(Format::Json).to_string();
    assert!(!one.contains("ranks") && !one.contains("spread") && !one.contains("peak_sum"), "{one}");
}

#[test]
fn the_process_is_what_all_have_in_common() {
    let process = three_ranks().process().clone();
    assert_eq!((&*process.program, process.pid, &*process.taken), ("solver", 0, "2026-01-31T00:00:06.000Z"));
    let mut parts = rank(None, 1, 0, Vec::new()).parts().clone();
    parts.process.program = "other".to_owned();
    assert_eq!(merged(&[rank(None, 1, 0, Vec::new()), Snapshot::new(parts)]).process().program, "");
}

#[test]
fn spaces_of_all_are_there_host_first() {
    let device = |name: &str| Snapshot::new(measuring(vec![space_of_tree(name, Vec::new(), [[1, 1]; 3])]));
    let fleet = merged(&[device("cuda:1"), device("host"), device("arena"), device("cuda:1")]);
    assert_eq!(fleet.spaces().collect::<Vec<_>>(), ["host", "arena", "cuda:1"]);
    assert_eq!(fleet.totals("cuda:1").peak_sum, 2);
}
