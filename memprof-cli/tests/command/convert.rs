use std::fs;

use crate::support::{PROFILE, folder, printed};

#[test]
fn convert_writes_every_format_and_prints_nothing() {
    let folder = folder("every_format");
    for ending in memprof_report::Format::ALL.iter().map(|format| format.ending()) {
        let path = folder.join(format!("out{ending}"));
        assert_eq!(printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8")]), "", "{ending}");
        assert_ne!(fs::metadata(&path).expect("a file").len(), 0, "{ending}");
    }
}

#[test]
fn convert_of_a_profile_to_a_profile_keeps_all_that_happened() {
    let path = folder("round").join("again.json");
    printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8")]);
    let read = |path: &str| -> memprof_report::Snapshot {
        serde_json::from_slice(&fs::read(path).expect("a file")).expect("a profile")
    };
    let (again, first) = (read(path.to_str().expect("UTF-8")), read(PROFILE));
    assert_eq!(again.to_string(), first.to_string());
    for space in first.spaces() {
        assert_eq!(again.records(space), first.records(space));
        assert_eq!((again.tree(space), again.totals(space)), (first.tree(space), first.totals(space)));
    }
}

/// One of the numbers that a quick conversion from decimals misses by the last bit.
#[test]
fn convert_keeps_seconds_as_they_were_written() {
    let folder = folder("seconds");
    let (first, again) = (folder.join("first.json"), folder.join("again.json"));
    let mut profile: serde_json::Value = serde_json::from_slice(&fs::read(PROFILE).expect("a file")).expect("JSON");
    profile["process"] = serde_json::json!({"program": "server", "pid": 7, "seconds": 1.269_000_000_000_000_1});
    fs::write(&first, profile.to_string()).expect("written");
    printed(&["convert", first.to_str().expect("UTF-8"), "-o", again.to_str().expect("UTF-8")]);
    let text = fs::read_to_string(again).expect("a file");
    assert_eq!(text.matches("\"seconds\":1.2690000000000001,").count(), 1, "{text}");
}

#[test]
fn convert_shows_the_measure_that_is_asked_for() {
    let path = folder("measure").join("live.folded");
    printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8"), "--measure", "live", "--space", "host"]);
    assert_eq!(fs::read_to_string(path).expect("a file"), "(outside any scope) 544\n");
}
