use crate::{
    format::Format,
    options::Options,
    record::PathRecord,
    snapshot::{
        Snapshot,
        fixtures::{measuring, named, path, site, space_of_tree},
    },
};

const NOTHING: [[i64; 2]; 3] = [[0, 0], [0, 0], [0, 0]];

/// A path of `function`, a line of its own for each, that owns so many bytes in one block.
fn of(function: &str, parent: Option<usize>, bytes: i64) -> PathRecord {
    let line = u32::from(function.as_bytes()[0]);
    let amount = [bytes, i64::from(bytes != 0)];
    path(site("src/a.rs", line, function, [1, 0, 0]), parent, [amount; 3])
}

fn folded(tree: Vec<PathRecord>) -> Snapshot {
    super::folded(&Snapshot::new(measuring(vec![space_of_tree("host", tree, [[7, 1], [7, 1], [7, 1]])])))
}

/// Each path's name, and that of the one around it.
fn tree(snapshot: &Snapshot) -> Vec<(&str, Option<&str>)> {
    let tree = snapshot.tree("host");
    tree.iter().map(|path| (path.function.as_str(), path.parent.map(|parent| tree[parent].function.as_str()))).collect()
}

fn rows(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.records("host").iter().map(|record| record.name.as_str()).collect()
}

#[test]
fn a_chain_is_one_line_with_the_numbers_of_its_last_scope() {
    let snapshot = folded(vec![of("run", None, 0), of("main", Some(0), 0), of("search", Some(1), 100)]);
    assert_eq!(tree(&snapshot), [("run › main › search (3 scopes)", None)]);
    assert_eq!(rows(&snapshot), ["src/a.rs:115(run › main › search (3 scopes))"]);
    assert_eq!(snapshot.records("host")[0].at_peak, 100);
    assert_eq!(snapshot.totals("host").at_peak_level, 107);
}

#[test]
fn where_the_ways_part_a_scope_stays_and_what_says_nothing_goes() {
    let snapshot = folded(vec![
        of("main", None, 0),
        of("a", Some(0), 0),
        of("load", Some(1), 10),
        of("b", Some(0), 0),
        of("parse", Some(3), 20),
        of("idle", Some(0), 0),
        of("silent", Some(5), 0),
        of("inner", Some(4), 0),
    ]);
    assert_eq!(
        tree(&snapshot),
        [("main", None), ("a › load (2 scopes)", Some("main")), ("b › parse (2 scopes)", Some("main"))]
    );
    // In which order is the snapshot's: by memory_peak, which is 0 here.
    let mut rows = rows(&snapshot);
    rows.sort_unstable();
    assert_eq!(rows, ["src/a.rs:108(a › load (2 scopes))", "src/a.rs:109(main)", "src/a.rs:112(b › parse (2 scopes))"]);
}

/// In the table it has one row, and is no more the one chain than the other.
#[test]
fn a_scope_that_two_chains_end_in_has_a_row_of_its_own_name() {
    let snapshot = folded(vec![
        of("main", None, 5),
        of("a", Some(0), 0),
        of("load", Some(1), 10),
        of("b", Some(0), 0),
        of("load", Some(3), 20),
    ]);
    assert_eq!(
        tree(&snapshot),
        [("main", None), ("a › load (2 scopes)", Some("main")), ("b › load (2 scopes)", Some("main"))]
    );
    assert!(rows(&snapshot).iter().all(|row| ["src/a.rs:108(load)", "src/a.rs:109(main)"].contains(row)));
}

#[test]
fn a_long_chain_is_named_by_its_ends_and_run_time_names_have_no_place() {
    let mut long: Vec<PathRecord> = (0..9)
        .map(|depth: usize| path(named(&format!("scope {depth}"), [1, 0, 0]), depth.checked_sub(1), NOTHING))
        .collect();
    long.push(path(named("last", [1, 0, 0]), Some(8), [[1, 1]; 3]));
    let snapshot = folded(long);
    assert_eq!(rows(&snapshot), ["scope 0 › … › scope 8 › last (10 scopes)"]);
}

/// What failed is said where it failed; debts are bytes too.
#[test]
fn what_failed_and_what_is_owed_is_not_folded() {
    let mut failed = of("failed", None, 0);
    failed.failed = 1;
    let mut owing = of("owing", Some(0), 0);
    owing.live = -3;
    let snapshot = folded(vec![failed, owing, of("x", Some(1), 1)]);
    assert_eq!(tree(&snapshot), [("failed", None), ("owing", Some("failed")), ("x", Some("owing"))]);
}

/// Table, tree, page and flame graph show the same lines; the profile itself stays whole.
#[test]
fn what_people_read_is_folded_alike_and_what_programs_read_is_not() {
    let tree = vec![of("run", None, 0), of("main", Some(0), 0), of("search", Some(1), 100)];
    let snapshot = Snapshot::new(measuring(vec![space_of_tree("host", tree, NOTHING)]));
    let written = |format, options: &Options| {
        let mut bytes = Vec::new();
        snapshot.report().options(options.clone()).format(format).write(&mut bytes).expect("it is written");
        String::from_utf8(bytes).expect("text")
    };
    let options = Options { folded: true, ..Options::default() };
    let as_tree = Options { tree: true, ..options.clone() };
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Svg] {
        for options in [&options, &as_tree] {
            let text = written(format, options);
            assert!(text.contains("run › main › search (3 scopes)"), "{format:?}: {text}");
        }
        assert!(!written(format, &Options::default()).contains("search (3 scopes)"), "{format:?}");
    }
    for format in [Format::Json, Format::Csv, Format::Folded, Format::Speedscope, Format::Dhat] {
        assert_eq!(written(format, &options), written(format, &Options::default()), "{format:?}");
    }
}
