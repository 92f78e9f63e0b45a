use serde_json::{Value, json};

use super::fixtures::{contract_example, measuring, named, space, without_events};
use super::{HostState, Snapshot, SnapshotParts};
use crate::{
    device::Device,
    process::{Process, Resident},
    record::Totals,
};

fn names(snapshot: &Snapshot, space: &str) -> Vec<String> {
    snapshot.records(space).iter().map(|record| record.name.clone()).collect()
}

/// The JSON of the contract's example, changed by `change`, as reading it answers.
fn read_changed(change: impl FnOnce(&mut Value)) -> Result<Snapshot, String> {
    let mut value = serde_json::to_value(contract_example()).expect("plain data");
    change(&mut value);
    serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
}

#[test]
fn records_stand_greatest_peak_first_and_ties_as_first_left() {
    let records =
        ["inner", "second", "top", "third"].map(|name| named(name, [1, if name == "top" { 9 } else { 5 }, 0]));
    let snapshot = Snapshot::new(measuring(vec![space("host", 9, records.to_vec())]));
    assert_eq!(names(&snapshot, "host"), ["top", "inner", "second", "third"]);
}

#[test]
fn spaces_are_those_with_events_and_the_others_can_still_be_asked() {
    let host = without_events(space("host", 0, vec![named("f", [1, 0, 0])]));
    let snapshot = Snapshot::new(measuring(vec![host, space("cuda:0", 7, Vec::new())]));
    assert_eq!(snapshot.spaces().collect::<Vec<_>>(), ["cuda:0"]);
    assert_eq!(names(&snapshot, "host"), ["f"]);
    assert_eq!(snapshot.totals("cuda:0").peak, 7);
}

#[test]
fn a_space_that_is_not_there_is_empty() {
    let snapshot = contract_example();
    assert_eq!(snapshot.records("cuda:9"), []);
    assert_eq!(snapshot.tree(String::from("cuda:9")), []);
    assert_eq!(snapshot.totals("cuda:9"), Totals::default());
}

#[test]
fn the_tree_has_parents_first() {
    let snapshot = contract_example();
    let tree = snapshot.tree("host");
    let parents: Vec<_> = tree.iter().map(|path| path.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(1)]);
    assert_eq!(tree[0].memory_peak, 32);
}

#[test]
fn json_gives_back_an_equal_snapshot_with_odd_names_and_extreme_numbers() {
    let odd = "quote \" back\\slash \n\r\t\0 \u{1b}[31m snö ☃ \u{2028} 🦀 </script>";
    let mut extreme = named(odd, [u64::MAX, u64::MAX, u64::MAX - 1]);
    extreme.live = i64::MIN;
    let mut host = space("host", u64::MAX, vec![extreme, named("", [0, 0, 0])]);
    host.totals.live = -1;
    let snapshot = Snapshot::new(SnapshotParts {
        enabled: false,
        host: HostState::Untagged,
        was_off: true,
        process: Process {
            program: odd.to_owned(),
            pid: u32::MAX,
            started: "2026-01-31T23:59:59.999Z".to_owned(),
            taken: odd.to_owned(),
            seconds: 1234.567,
            processor_seconds: Some(2.5),
            memprof: "0.1.0".to_owned(),
            label: Some(odd.to_owned()),
        },
        resident: Some(Resident { now: u64::MAX, peak: 0, limit: Some(1), limit_now: None }),
        spaces: vec![host, space(odd, 1, Vec::new())],
        devices: vec![Device { used: u64::MAX, unattributed: i64::MIN, ..Device::of(odd.to_owned()) }],
        notes: vec![odd.to_owned()],
        scopes_entered: true,
    });
    let written = serde_json::to_string(&snapshot).expect("plain data");
    let read: Snapshot = serde_json::from_str(&written).expect("just written");
    assert_eq!(read, snapshot);
    assert_eq!(serde_json::to_string(&read).expect("plain data"), written);
    assert_eq!(names(&read, "host"), [odd, ""]);
    assert_eq!(read.to_string(), snapshot.to_string());
}

#[test]
fn json_has_the_version_the_totals_the_records_and_the_tree() {
    let value = serde_json::to_value(contract_example()).expect("plain data");
    assert_eq!(value["schema_version"], 2);
    assert_eq!(value["state"], json!({"enabled": true, "host": "measured", "scopes_entered": true, "was_off": false}));
    let host = &value["spaces"][0];
    assert_eq!((&host["name"], &host["totals"]["peak"]), (&json!("host"), &json!(32)));
    assert_eq!(host["records"][2]["ncalls"], 6);
    assert_eq!(host["tree"][0]["parent"], Value::Null);
}

#[test]
fn another_version_is_refused_with_both_named() {
    let error = read_changed(|value| value["schema_version"] = json!(3)).expect_err("unknown version");
    let expected = "cannot read a memprof snapshot of schema version 3: this memprof reads versions 1 to 2";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn another_version_is_named_even_if_its_spaces_cannot_be_read() {
    let error = read_changed(|value| {
        value["schema_version"] = json!(4_294_967_297_u64);
        value["spaces"] = json!("of another form");
    });
    let error = error.expect_err("unknown version");
    assert!(error.contains("schema version 4294967297: this memprof reads versions 1 to 2"), "{error}");
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let error = serde_json::from_str::<Snapshot>("{}").expect_err("empty").to_string();
    assert!(error.starts_with("missing field `schema_version`"), "{error}");
}

#[test]
fn a_tree_whose_parents_do_not_stand_first_is_refused() {
    let error = read_changed(|value| value["spaces"][0]["tree"][1]["parent"] = json!(1));
    let expected = "cannot read a memprof snapshot whose path 1 names path 1 as its parent";
    let error = error.expect_err("a path that is its own parent");
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn version_1_is_read_and_has_no_process_nothing_kept_and_its_blocks_outside_are_what_the_paths_lack() {
    let text = r#"{
        "schema_version": 1,
        "state": {"enabled": true, "host": "measured", "scopes_entered": true},
        "notes": ["a note"],
        "spaces": [{
            "name": "host", "has_events": true,
            "totals": {"live": 30, "live_blocks": 3, "peak": 50, "peak_blocks": 6, "at_peak_level": 50, "total": 70, "blocks_total": 9,
                "failed": 0, "unknown_frees": 0, "missed_frees": 0, "no_scope_live": 10, "no_scope_total": 20, "no_scope_at_peak": 5},
            "records": [],
            "tree": [{"name": "a.rs:1(f)", "file": "a.rs", "line": 1, "function": "f", "ncalls": 2, "memory_peak": 50, "memory_total": 50,
                "blocks_total": 5, "self_total": 50, "self_blocks": 5, "reallocs": 0, "failed": 0, "live": 20, "live_blocks": 2,
                "at_peak": 45, "at_peak_blocks": 4, "temporary": 0, "largest": 10, "parent": null}]
        }]
    }"#;
    let snapshot: Snapshot = serde_json::from_str(text).expect("version 1");
    assert_eq!(snapshot.notes().collect::<Vec<_>>(), ["a note"]);
    assert_eq!((snapshot.process(), snapshot.resident()), (&Process::default(), None));
    assert_eq!((snapshot.tree("host")[0].kept, snapshot.tree("host")[0].kept_calls), (0, 0));
    let totals = snapshot.totals("host");
    let outside = (totals.no_scope_live_blocks, totals.no_scope_blocks, totals.no_scope_at_peak_blocks);
    assert_eq!((outside, totals.peak_threads), ((1, 4, 2), 0));
}

#[test]
fn keys_that_are_not_known_are_passed_over() {
    let snapshot = read_changed(|value| {
        value["recording"] = json!([{"at": 1.5}]);
        value["process"]["host_name"] = json!("x");
        value["resident"]["swap"] = json!(null);
        value["state"]["mood"] = json!(["good"]);
        value["spaces"][0]["color"] = json!({"a": {"b": []}});
        value["spaces"][0]["records"][0]["median"] = json!(-1);
        value["spaces"][0]["totals"]["median"] = json!(true);
    });
    assert_eq!(snapshot, Ok(contract_example()));
}

#[test]
fn spaces_in_which_nothing_happened_are_written_without_their_rows() {
    let row = || named("a site with a long name", [3, 0, 0]);
    let idle = |name| without_events(space(name, 0, vec![row()]));
    let snapshot = Snapshot::new(measuring(vec![idle("host"), space("cuda:0", 0, vec![row()]), idle("pinned")]));
    let written = serde_json::to_string(&snapshot).expect("plain data");
    assert_eq!(
        written.matches("a site with a long name").count(),
        4,
        "name and function, in records and tree: {written}"
    );
    let read: Snapshot = serde_json::from_str(&written).expect("just written");
    assert_eq!(read.to_string(), snapshot.to_string());
    assert_eq!((names(&read, "cuda:0").len(), names(&read, "host").len()), (1, 0));
    let nothing = Snapshot::new(measuring(vec![idle("host"), idle("pinned")]));
    let read: Snapshot = serde_json::from_str(&serde_json::to_string(&nothing).expect("plain data")).expect("written");
    assert_eq!(read.to_string(), nothing.to_string());
    assert!(read.to_string().contains("a site with a long name"));
}
