use crate::{
    record::{Field, PathRecord},
    snapshot::{
        Snapshot, SnapshotParts,
        fixtures::{measuring, named, path, site, space_of_tree},
    },
};

/// `main` calls `read` and `serve`, both call `parse`, which calls itself and `grow`; a thread calls `parse` with nothing around it.
fn program() -> Vec<PathRecord> {
    let parse = |ncalls, peak| site("src/p.rs", 7, "parse", [ncalls, peak, 0]);
    let grow = || site("src/p.rs", 9, "grow", [1, 10, 0]);
    vec![
        path(site("src/main.rs", 1, "main", [1, 0, 0]), None, [[1_000, 1], [0, 0], [0, 0]]),
        path(site("src/main.rs", 5, "read", [1, 0, 0]), Some(0), [[0, 0], [0, 0], [0, 0]]),
        path(parse(3, 400), Some(1), [[300, 3], [30, 3], [0, 0]]),
        path(parse(2, 100), Some(2), [[100, 1], [0, 0], [0, 0]]),
        path(grow(), Some(3), [[40, 1], [0, 0], [0, 0]]),
        path(site("src/main.rs", 8, "serve", [4, 0, 0]), Some(0), [[0, 0], [0, 0], [0, 0]]),
        path(parse(4, 900), Some(5), [[500, 5], [-7, 1], [0, 0]]),
        path(grow(), Some(6), [[60, 1], [0, 0], [0, 0]]),
        path(parse(1, 50), None, [[50, 1], [0, 0], [0, 0]]),
    ]
}

fn snapshot() -> Snapshot {
    // A record for each site.
    let mut space = space_of_tree("host", program(), [[950, 1], [0, 0], [0, 0]]);
    let mut names = std::collections::BTreeSet::new();
    space.records.retain(|record| names.insert(record.name.clone()));
    Snapshot::new(measuring(vec![space]))
}

const PARSE: &str = "src/p.rs:7(parse)";

/// From the line that says whose calls they are.
fn trees(report: &str) -> &str {
    let from = report.find("\nCall").expect("a tree");
    &report[from + 1..]
}

#[test]
fn callers_to_the_letter() {
    let snapshot = snapshot();
    let report =
        snapshot.report().callers([PARSE.to_owned()]).columns([Field::AtPeak, Field::Ncalls, Field::MemoryPeak]);
    let expected = "\
Memory Profiling
================

Legends:
branch      - at_peak of the function and of all that it called, when it was called this way (in bytes)
share       - the branch's part of the branch around it, or of the whole space
at_peak     - memory of function or code block itself at the space's high-water mark (in bytes), of the function when it was called this way
ncalls      - number of times the function or code block was called, of the function when it was called this way
memory_peak - peak memory allocated in function or code block (in bytes), of the function when it was called this way

Callers of src/p.rs:7(parse) by: at_peak, branches of less than 1% folded

branch  share at_peak ncalls memory_peak filename:lineno(function)
 1,050  35.0%     850      8         900 src/p.rs:7(parse)
   560  53.3%     500      4         900   src/main.rs:8(serve)
   560 100.0%     500      4         900     src/main.rs:1(main)
   440  41.9%     300      3         400   src/main.rs:5(read)
   440 100.0%     300      3         400     src/main.rs:1(main)

host: peak 3,000 bytes, total 0 bytes, live 23 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    assert_eq!(report.to_string(), expected);
}

#[test]
fn callees_to_the_letter() {
    let snapshot = snapshot();
    let report = snapshot.report().callees([PARSE.to_owned()]).columns([Field::AtPeak, Field::Ncalls]).to_string();
    let expected = "\
Callees of src/p.rs:7(parse) by: at_peak, branches of less than 1% folded

branch share at_peak ncalls filename:lineno(function)
 1,050 35.0%     850      8 src/p.rs:7(parse)
   140 13.3%     100      2   src/p.rs:7(parse)
    40 28.6%      40      1     src/p.rs:9(grow)
    60  5.7%      60      1   src/p.rs:9(grow)

host: peak 3,000 bytes, total 0 bytes, live 23 bytes; outside any scope: total 0 bytes, live 0 bytes
";
    assert_eq!(trees(&report), expected);
}

/// Live bytes, of which `serve`'s calls owe some; both sides, and several sites, each with a tree of its own.
#[test]
fn both_sides_of_several_sites_by_the_measure_of_the_order() {
    let snapshot = snapshot();
    let names = [PARSE.to_owned(), "src/p.rs:9(grow)".to_owned()];
    let report = snapshot.report().order(Field::Live).columns([Field::Live]);
    let report = report.callers(names.clone()).callees(names).rows(3).to_string();
    let titles: Vec<&str> = report.lines().filter(|line| line.contains(" by: live,")).collect();
    let callers = ["Callers of src/p.rs:7(parse)", "Callers of src/p.rs:9(grow)"];
    let callees = ["Callees of src/p.rs:7(parse)", "Callees of src/p.rs:9(grow)"];
    let expected =
        callers.into_iter().chain(callees).map(|title| format!("{title} by: live, branches of less than 1% folded"));
    assert_eq!(titles, expected.collect::<Vec<_>>());
    let expected = "\
branch  share live filename:lineno(function)
    23 100.0%   23 src/p.rs:7(parse)
    -7      -   -7   src/main.rs:8(serve)
    -7      -   -7     src/main.rs:1(main)
    30 130.4%        (2 more paths)
2 more paths folded (rows(3))
";
    assert!(report.contains(expected), "{report}");
}

#[test]
fn a_space_that_says_nothing_of_the_site_is_left_out() {
    let cuda = space_of_tree(
        "cuda:0",
        vec![path(site("src/gpu.rs", 3, "upload", [1, 5, 0]), None, [[5, 1], [5, 1], [5, 1]])],
        [[0, 0]; 3],
    );
    let host = snapshot().parts().spaces[0].clone();
    let snapshot = Snapshot::new(SnapshotParts { ..measuring(vec![host, cuda]) });
    let report = snapshot.report().callers(["src/gpu.rs:3(upload)".to_owned()]).columns([]).to_string();
    let expected = "\
Space: cuda:0

Callers of src/gpu.rs:3(upload) by: at_peak, branches of less than 1% folded

branch  share filename:lineno(function)
     5 100.0% src/gpu.rs:3(upload)

host: peak ";
    assert!(report.contains(expected) && !report.contains("Space: host"), "{report}");
}

/// A function that calls itself a thousand times deep is one line; a way of a thousand steps is cut where nobody reads on, and still sums.
#[test]
fn deep_ways_are_cut_and_every_byte_counts_once() {
    let deep = |name: &dyn Fn(usize) -> String| {
        let tree = (0..1_000)
            .map(|index| path(named(&name(index), [1, 1, 0]), index.checked_sub(1), [[1, 1], [0, 0], [0, 0]]));
        let mut space = space_of_tree("host", tree.collect(), [[0, 0]; 3]);
        let mut names = std::collections::BTreeSet::new();
        space.records.retain(|record| names.insert(record.name.clone()));
        for record in &mut space.records {
            record.file.clear();
            record.name.clone_from(&record.function);
        }
        Snapshot::new(measuring(vec![space]))
    };
    let recursive = deep(&|_| "again".to_owned());
    let report = recursive.report().callers(["again".to_owned()]).columns([]).to_string();
    assert!(report.contains("\nbranch  share filename:lineno(function)\n 1,000 100.0% again\n\nhost: "), "{report}");
    let chain = deep(&|index| format!("step {index}"));
    let report = chain.report().callers(["step 999".to_owned()]).columns([]).to_string();
    let lines: Vec<&str> = report.lines().filter(|line| line.contains("100.0%") || line.contains("0.1%")).collect();
    assert_eq!((lines.len(), lines[0]), (42, "     1   0.1% step 999"));
    assert_eq!(lines[41].trim(), format!("1 100.0% {}[41] (further callers)", " ".repeat(80)), "{report}");
}
