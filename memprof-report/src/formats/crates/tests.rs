use super::{Crates, untracked};
use crate::{
    plan::{Plan, TrackedPackage},
    record::PathRecord,
    snapshot::{
        Snapshot, SpaceData,
        fixtures::{measuring, named, path, site, space_of_tree},
    },
};

fn plan(untracked: &[&str], starting: u64) -> Plan {
    let package = |name: &str, folder: &str| TrackedPackage {
        name: name.to_owned(),
        folders: vec![folder.to_owned()],
        ..TrackedPackage::default()
    };
    Plan {
        packages: vec![package("app", ""), package("regex_automata", "regex-automata-0.4.9/")],
        untracked: untracked.iter().map(|name| (*name).to_owned()).collect(),
        starting,
    }
}

fn of(file: &str, function: &str, bytes: i64) -> PathRecord {
    path(site(file, 3, function, [1, 0, 0]), None, [[bytes, 1], [bytes / 2, 1], [bytes * 2, 1]])
}

fn space(outside: i64) -> SpaceData {
    let tree = vec![
        of("src/main.rs", "main", 1_000),
        of("regex-automata-0.4.9/src/dfa.rs", "build", 4_000_000),
        of("regex-automata-0.4.9/src/nfa.rs", "compile", 200_000),
        of("regex-automata-0.4.9/src/nfa.rs", "idle", 0),
        path(named("by hand", [1, 0, 0]), None, [[10, 1], [0, 0], [10, 1]]),
    ];
    space_of_tree("host", tree, [[outside, 1], [0, 0], [outside, 1]])
}

#[test]
fn a_crate_is_the_sum_of_its_functions_and_all_sum_to_the_whole() {
    let crates = Crates::of(&space(500), &plan(&[], 0)).expect("several");
    assert_eq!(crates.title, "Held at the peak of host (4,201,510 bytes), by crate:");
    let rows: Vec<String> = crates.rows.iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        rows,
        [
            "4,200,000 8,400,000 2,100,000 2 regex_automata",
            "1,000 2,000 500 1 app",
            "500 500 0  (outside any scope)",
            "10 10 0 1 (in no tracked crate)",
        ]
    );
    // One alone is the whole program.
    let one = space_of_tree("host", vec![of("src/main.rs", "main", 1)], [[1, 1]; 3]);
    assert_eq!(Crates::of(&one, &plan(&[], 0)), None);
}

/// Two versions of a crate in one program.
#[test]
fn each_version_of_a_crate_is_a_row_and_a_crate_with_one_has_its_name_alone() {
    let mut both = plan(&[], 0);
    for version in ["0.13.2", "0.15.1"] {
        both.packages.push(TrackedPackage {
            name: "hashbrown".to_owned(),
            version: version.to_owned(),
            folders: vec![format!("hashbrown-{version}/")],
            ..TrackedPackage::default()
        });
    }
    let tree = vec![
        of("src/main.rs", "main", 4),
        of("hashbrown-0.13.2/src/raw.rs", "grow", 200),
        of("hashbrown-0.15.1/src/raw.rs", "grow", 1_000),
        of("hashbrown-0.15.1/src/map.rs", "shrink", 100),
    ];
    let space = space_of_tree("host", tree, [[0, 0]; 3]);
    let crates = Crates::of(&space, &both).expect("several");
    let rows: Vec<String> = crates.rows.iter().map(|row| row.join(" ")).collect();
    assert_eq!(rows, ["1,100 2,200 550 2 hashbrown 0.15.1", "200 400 100 1 hashbrown 0.13.2", "4 8 2 1 app"]);
    both.packages.pop();
    assert_eq!(Crates::of(&space, &both).expect("several").rows[1].join(" "), "200 400 100 1 hashbrown");
}

#[test]
fn only_where_much_is_outside_any_scope_dependencies_are_named() {
    let said = |outside, plan: &Plan| untracked(&space(outside), plan);
    let all = plan(&["tokio", "hyper-util", "serde"], 2);
    assert_eq!(said(466_778, &all), None);
    assert_eq!(
        said(466_779, &all).as_deref(),
        Some(
            "outside any scope is what dependencies do on threads and tasks of their own; not tracked: tokio, hyper-util start threads or tasks; others: serde; --deps tokio,hyper-util tracks them, --deps all every one"
        )
    );
    assert!(said(1 << 30, &plan(&["a"], 0)).is_some_and(|line| line.contains("not tracked: a; --deps a tracks it,")));
    let many = |starting| said(1 << 30, &plan(&["a", "b", "c", "d"], starting)).expect("much is outside");
    for (starting, proposed) in [(0, "a,b,c"), (1, "a"), (3, "a,b,c"), (4, "a,b,c")] {
        assert!(many(starting).contains(&format!("; --deps {proposed} tracks ")), "{starting}");
    }
    assert_eq!(said(1 << 30, &plan(&[], 0)), None);
    let small = |outside| {
        let space = space_of_tree("host", vec![of("src/main.rs", "main", 1_000)], [[outside, 1], [0, 0], [outside, 1]]);
        untracked(&space, &all)
    };
    assert_eq!((small(65_535), small(65_536).is_some()), (None, true));
}

/// The report has it below the table, and does not say the same twice.
#[test]
fn a_report_by_what_is_owned_has_the_crates_instead_of_who_held_it() {
    let snapshot = Snapshot::new(measuring(vec![space(1 << 30)])).with_plan(Some(plan(&["tokio"], 1)));
    let text = snapshot.report().order(crate::record::Field::AtPeak).to_string();
    let block = "\
Held at the peak of host (1,077,942,834 bytes), by crate:

      at_peak    self_total      live functions crate
1,073,741,824 1,073,741,824         0           (outside any scope)
    4,200,000     8,400,000 2,100,000         2 regex_automata
        1,000         2,000       500         1 app
           10            10         0         1 (in no tracked crate)
";
    assert!(text.contains(block) && text.contains("\noutside any scope is what dependencies do"), "{text}");
    assert!(!text.contains(" bytes):"), "{text}");
    let by_live = snapshot.report().order(crate::record::Field::Live).to_string();
    assert!(by_live.contains(" bytes):") && by_live.contains("by crate:"), "{by_live}");
    let back: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).expect("JSON")).expect("the same");
    assert_eq!(back, snapshot);
}
