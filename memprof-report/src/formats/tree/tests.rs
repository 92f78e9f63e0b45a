use crate::{
    format::Format,
    measure::{Measure, OUTSIDE},
    options::{Asker, Options},
    record::{Field, PathRecord},
    snapshot::{
        Snapshot,
        fixtures::{forest, measuring, named, path, site, space_of_tree},
    },
};

use super::{CallTree, Place};

/// `main` opens `load`, which opens `parse` and forty calls of almost nothing, and `evict`, which freed more than it allocated.
fn program() -> Vec<PathRecord> {
    let mut tree = vec![
        path(site("src/main.rs", 1, "main", [1, 90_000, 770_000]), None, [[0, 0], [0, 0], [0, 0]]),
        path(site("src/load.rs", 10, "load", [3, 90_000, 770_000]), Some(0), [[20_000, 2], [5_000, 1], [40_000, 4]]),
        path(site("src/load.rs", 40, "Parser::parse", [9, 70_000, 0]), Some(1), [[70_000, 7], [0, 0], [700_000, 70]]),
        path(site("src/cache.rs", 7, "evict", [2, 0, 0]), Some(0), [[0, 0], [-1_000, -2], [0, 0]]),
    ];
    for index in 0..40 {
        tree.push(path(named(&format!("tiny {index}"), [1, 10, 0]), Some(1), [[10, 1], [1, 1], [10, 1]]));
    }
    tree
}

fn snapshot() -> Snapshot {
    Snapshot::new(measuring(vec![space_of_tree("host", program(), [[1_100, 3], [600, 2], [2_000, 44]])]))
}

/// What stands from the line on that names the measure, until what is said of the space.
fn tree_of(report: &str) -> &str {
    let from = report.find("Call tree by: ").expect("a tree");
    report[from..].split_once("\n\nhost: ").expect("the space's line").0
}

#[test]
fn the_tree_to_the_letter() {
    let snapshot = snapshot();
    let report = snapshot.report().tree(true).to_string();
    let expected = "\
Memory Profiling
================

Legends:
branch       - at_peak of the path and of all paths below it (in bytes)
share        - the branch's part of the branch around it, or of the whole space
at_peak      - memory of function or code block itself at the space's high-water mark (in bytes)
ncalls       - number of times the function or code block was called
memory_peak  - peak memory allocated in function or code block (in bytes)
memory_total - total memory allocated in function or code block (in bytes)

Call tree by: at_peak, branches of less than 1% folded

branch  share at_peak ncalls memory_peak memory_total filename:lineno(function)
90,400  98.8%       0      1      90,000      770,000 src/main.rs:1(main)
90,400 100.0%  20,000      3      90,000      770,000   src/load.rs:10(load)
70,000  77.4%  70,000      9      70,000            0     src/load.rs:40(Parser::parse)
   400   0.4%                                             (40 more paths)
     0   0.0%       0      2           0            0   src/cache.rs:7(evict)
 1,100   1.2%                                         (outside any scope)

host: peak 91,500 bytes, total 742,400 bytes, live 4,640 bytes; outside any scope: total 2,000 bytes, live 600 bytes

Held at the peak of host (91,500 bytes):

";
    assert!(report.starts_with(expected), "{report}");
}

#[test]
fn a_measure_and_columns_are_as_asked_and_what_owes_has_no_share() {
    let snapshot = snapshot();
    let report = snapshot.report().tree(true).order(Field::Live).columns([Field::Name, Field::Line]).to_string();
    let expected = "\
Call tree by: live, branches of less than 1% folded

branch  share line filename:lineno(function)
 4,040  87.1%    1 src/main.rs:1(main)
 5,040 124.8%   10   src/load.rs:10(load)
     0   0.0%   40     src/load.rs:40(Parser::parse)
    40   0.8%          (40 more paths)
-1,000      -    7   src/cache.rs:7(evict)
   600  12.9%      (outside any scope)";
    assert_eq!(tree_of(&report), expected);
}

#[test]
fn the_order_stands_for_a_measure_and_the_measure_asked_for_is_before_it() {
    for (order, measure) in [
        (Field::MemoryPeak, "at_peak"),
        (Field::MemoryTotal, "self_total"),
        (Field::SelfBlocks, "self_total"),
        (Field::LiveBlocks, "live"),
        (Field::Ncalls, "at_peak"),
    ] {
        let snapshot = snapshot();
        let report = snapshot.report().tree(true).order(order);
        assert!(report.to_string().contains(&format!("\nCall tree by: {measure}, ")), "{order:?}");
        let report = report.measure(Measure::Live).to_string();
        assert!(report.contains("\nCall tree by: live, "), "{order:?}");
    }
}

#[test]
fn the_greatest_paths_stay_where_rows_are_asked_for_and_a_line_says_how_many_are_folded() {
    let snapshot = snapshot();
    let report = snapshot.report().tree(true).rows(2).columns([Field::Name]).asker(Asker::Environment).to_string();
    let expected = "\
Call tree by: at_peak, branches of less than 1% folded

branch  share filename:lineno(function)
90,400  98.8% src/main.rs:1(main)
90,400 100.0%   src/load.rs:10(load)
70,400  77.9%     (41 more paths)
     0   0.0%   (1 more path)
 1,100   1.2% (outside any scope)
2 more paths folded (MEMPROF_ROWS=2)";
    assert_eq!(tree_of(&report), expected);
}

#[test]
fn in_every_measure_and_space_the_lines_sum_to_the_totals_however_many_are_folded() {
    for snapshot in [snapshot(), forest()] {
        for space in &snapshot.parts().spaces {
            for (measure, rows) in Measure::ALL.iter().flat_map(|measure| [0, 1, 3, 100].map(|rows| (*measure, rows))) {
                let options = Options { measure: Some(measure), rows: Some(rows), ..Options::default() };
                let tree = CallTree::of(space, &options, true);
                let sum: i128 = (tree.lines.iter())
                    .map(|line| match line.place {
                        Place::Path(path) => measure.own(path),
                        Place::Outside | Place::Folded(_) => line.branch,
                    })
                    .sum();
                let outermost: i128 = tree.lines.iter().filter(|line| line.depth == 0).map(|line| line.branch).sum();
                let whole = measure.whole(&space.totals);
                assert_eq!((sum, outermost), (whole, whole), "{} by {measure:?}, {rows} rows", space.name);
                let shown = tree.lines.iter().filter(|line| matches!(line.place, Place::Path(_))).count();
                assert_eq!(shown, rows.min(shown));
            }
        }
    }
}

#[test]
fn paths_of_which_a_space_says_nothing_are_left_out_where_there_are_several() {
    let host = space_of_tree("host", program(), [[0, 0], [0, 0], [0, 0]]);
    let idle = program().into_iter().map(|path| PathRecord { parent: path.parent, ..PathRecord::default() });
    let mut device: Vec<PathRecord> = idle.collect();
    (device[2].name, device[2].at_peak, device[1].name) = ("kernel".to_owned(), 64, "launch".to_owned());
    (device[0].name, device[0].ncalls) = ("main".to_owned(), 1);
    let device = space_of_tree("cuda:0", device, [[0, 0], [0, 0], [0, 0]]);
    let snapshot = Snapshot::new(measuring(vec![host, device]));
    let report = snapshot.report().tree(true).space("cuda:0").columns([Field::AtPeak]).to_string();
    let expected = "\
Space: cuda:0

branch  share at_peak filename:lineno(function)
    64 100.0%       0 main
    64 100.0%       0   launch
    64 100.0%      64     kernel

cuda:0: peak 64 bytes";
    assert!(report.contains(expected), "{report}");
}

#[test]
fn where_nothing_has_any_weight_nothing_is_folded() {
    let records = (0..30).map(|index| path(named(&index.to_string(), [1, 0, 0]), None, [[0, 0], [0, 0], [0, 0]]));
    let space = space_of_tree("host", records.collect(), [[0, 0], [0, 0], [0, 0]]);
    let tree = CallTree::of(&space, &Options::default(), true);
    assert_eq!((tree.lines.len(), tree.lines[0].share().as_str()), (30, "-"));
}

#[test]
fn a_deep_path_says_how_deep_instead_of_moving_out_of_sight() {
    let chain = |index: usize| {
        let amounts = [[i64::from(index == 59), 1], [0, 0], [0, 0]];
        path(named(&format!("f{index}"), [1, 1, 1]), index.checked_sub(1), amounts)
    };
    let space = space_of_tree("host", (0..60).map(chain).collect(), [[0, 0], [0, 0], [0, 0]]);
    let tree = CallTree::of(&space, &Options::default(), true);
    let indent = " ".repeat(80);
    assert_eq!(tree.lines[40].name(), format!("{indent}f40"));
    assert_eq!(tree.lines[41].name(), format!("{indent}[41] f41"));
    assert_eq!(tree.lines[59].name(), format!("{indent}[59] f59"));
}

#[test]
fn markdown_has_the_text_of_the_tree_in_a_fence_that_no_name_ends() {
    let tree = vec![path(named("```", [1, 1, 1]), None, [[8, 1], [0, 0], [8, 1]])];
    let snapshot = Snapshot::new(measuring(vec![space_of_tree("host", tree, [[0, 0], [0, 0], [0, 0]])]));
    let report = snapshot.report().tree(true).columns([]).format(Format::Markdown).to_string();
    let expected = "\
# Memory Profiling

Call tree by: at_peak, branches of less than 1% folded

````text
branch  share filename:lineno(function)
     8 100.0% ```
````

- `host: peak 8 bytes";
    assert!(report.starts_with(expected), "{report}");
}

#[test]
fn csv_has_a_row_for_every_path_with_its_parent() {
    let snapshot = snapshot();
    let report = snapshot.report().tree(true).rows(1).columns([Field::Function, Field::AtPeak]);
    let csv = report.format(Format::Csv).to_string();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + program().len() + 1);
    let expected =
        ["space,path,parent,function,at_peak", "host,0,,main,0", "host,1,0,load,20000", "host,2,1,Parser::parse,70000"];
    assert_eq!(lines[..4], expected);
    assert_eq!(lines.last().copied(), Some(&*format!("host,44,,{OUTSIDE},1100")));
}
