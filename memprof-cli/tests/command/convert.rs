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

#[test]
fn convert_shows_the_measure_that_is_asked_for() {
    let path = folder("measure").join("live.folded");
    printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8"), "--measure", "live", "--space", "host"]);
    assert_eq!(fs::read_to_string(path).expect("a file"), "(outside any scope) 544\n");
}
