use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Ended, PROFILE, folder, memprof_in};

/// The profile of a rank: `dataframe.json` with this label and other numbers.
fn rank(folder: &Path, number: u64) {
    let mut profile: Value = serde_json::from_slice(&fs::read(PROFILE).expect("the profile")).expect("JSON");
    profile["schema_version"] = 2.into();
    profile["process"] =
        serde_json::json!({"program": "solver", "pid": 100 + number, "label": format!("rank {number}")});
    for row in profile["spaces"][0]["records"].as_array_mut().expect("a list") {
        row["memory_peak"] = (row["memory_peak"].as_u64().expect("a number") + number * 1_000).into();
    }
    fs::write(folder.join(format!("rank-{number}.json")), profile.to_string()).expect("a file");
}

fn merge(folder: &Path, arguments: &[&str]) -> Ended {
    memprof_in(folder, &[&["merge"], arguments].concat())
}

fn quiet(code: i32) -> Ended {
    Ended { code: Some(code), out: String::new(), err: String::new() }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn merge_sums_what_adds_up_and_keeps_whose_the_greatest_is() {
    let folder = folder("merge");
    (0..3).for_each(|number| rank(&folder, number));
    assert_eq!(merge(&folder, &["rank-0.json", "rank-1.json", "rank-2.json", "-o", "fleet.json"]), quiet(0));
    let fleet = read(&folder.join("fleet.json"));
    let labels: Vec<&str> = fleet["ranks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|rank| rank["label"].as_str().expect("a label"))
        .collect();
    assert_eq!(labels, ["rank 0", "rank 1", "rank 2"]);
    let host = &fleet["spaces"][0];
    assert_eq!((&host["totals"]["peak"], &host["totals"]["peak_sum"]), (&1_363_718.into(), &(3 * 1_363_718).into()));
    assert_eq!(host["totals"]["total"], 3 * 1_971_226);
    let spread = &fleet["spread"]["host"][0];
    assert_eq!(spread["name"], "examples/01_dataframe/main.rs:48(run)");
    assert_eq!(
        spread["memory_peak"],
        serde_json::json!({"least": 1_363_170, "median": 1_364_170, "greatest": 1_365_170, "least_of": "rank 0", "greatest_of": "rank 2"})
    );
    let report = memprof_in(&folder, &["report", "fleet.json", "--rows", "1"]);
    assert!(report.out.contains("\nSpread of memory_peak in host over 3 processes:\n\n"), "{}", report.out);
    assert!(
        report
            .out
            .contains("\n    3 1,363,170 1,364,170 1,365,170      rank 2 examples/01_dataframe/main.rs:48(run)\n"),
        "{}",
        report.out
    );
    assert!(report.out.contains("\nmerged of 3 profiles: "), "{}", report.out);
    // Any format, and the same again.
    assert_eq!(merge(&folder, &["rank-0.json", "rank-1.json", "-o", "fleet.svg"]), quiet(0));
    assert!(fs::read_to_string(folder.join("fleet.svg")).expect("a file").starts_with("<svg "));
}

/// More files than threads, in the order of the call, whichever is read first.
#[test]
fn names_come_from_a_list_or_stdin_in_its_order() {
    let folder = folder("merge_list");
    (0..12).for_each(|number| rank(&folder, number));
    let names: Vec<String> = (0..12).rev().map(|number| format!("rank-{number}.json")).collect();
    fs::write(folder.join("files.txt"), format!("\n  {}\n\n", names.join("\n"))).expect("a file");
    assert_eq!(merge(&folder, &["@files.txt", "-o", "fleet.json"]), quiet(0));
    let fleet = read(&folder.join("fleet.json"));
    let labels: Vec<String> = (0..12).rev().map(|number| format!("rank {number}")).collect();
    let found: Vec<&str> = fleet["ranks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|rank| rank["label"].as_str().expect("a label"))
        .collect();
    assert_eq!(found, labels);

    let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
    command.args(["merge", "@-", "-o", "again.json"]).current_dir(&folder).stdin(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(names.join("\n").as_bytes()).expect("it is read");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(
        fs::read(folder.join("again.json")).expect("a file"),
        fs::read(folder.join("fleet.json")).expect("a file")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_left_out_never_silently() {
    let folder = folder("merge_left_out");
    (0..2).for_each(|number| rank(&folder, number));
    fs::write(folder.join("empty.json"), "").expect("a file");
    let call = ["rank-0.json", "none.json", "rank-1.json", "empty.json", "-o", "fleet.json"];
    let expected = "memprof: left out: cannot read ‘none.json’: No such file or directory (os error 2)\n\
                    memprof: left out: cannot read ‘empty.json’: it is empty; accepted: a profile that memprof wrote, with MEMPROF=1 MEMPROF_OUTPUT=profile.json\n";
    assert_eq!(merge(&folder, &call), Ended { code: Some(4), out: String::new(), err: expected.to_owned() });
    assert_eq!(read(&folder.join("fleet.json"))["ranks"].as_array().expect("a list").len(), 2);
    // A median of medians is none.
    let again = merge(&folder, &["rank-0.json", "fleet.json", "-o", "again.json"]);
    let expected =
        "memprof: left out: cannot merge ‘fleet.json’: it is merged already; accepted: profiles of single processes\n";
    assert_eq!((again.code, &*again.err), (Some(4), expected));
}

#[test]
fn strict_ends_at_the_first_file_that_cannot_be_read_and_writes_nothing() {
    let folder = folder("merge_strict");
    (0..2).for_each(|number| rank(&folder, number));
    let ended = merge(&folder, &["rank-0.json", "none.json", "rank-1.json", "-o", "fleet.json", "--strict"]);
    assert_eq!(
        (ended.code, &*ended.err),
        (Some(2), "memprof: cannot read ‘none.json’: No such file or directory (os error 2)\n")
    );
    assert!(!folder.join("fleet.json").exists());
}

#[test]
fn merge_refuses_what_it_cannot_do() {
    let folder = folder("merge_wrong");
    rank(&folder, 0);
    fs::write(folder.join("empty.txt"), "\n\n").expect("a file");
    let is = [
        (
            &["rank-0.json", "-o", "fleet.doc"][..],
            format!(
                "cannot write ‘fleet.doc’: its ending names no format; accepted: {}",
                memprof_report::Format::endings()
            ),
        ),
        (
            &["@none.txt", "-o", "fleet.json"],
            "cannot read the list ‘none.txt’: No such file or directory (os error 2)".to_owned(),
        ),
        (
            &["@empty.txt", "-o", "fleet.json"],
            "the list ‘empty.txt’ names no file; accepted: one name a line".to_owned(),
        ),
        (
            &["rank-0.json"],
            "the following required arguments were not provided: --output <OUT>; see memprof --help".to_owned(),
        ),
        (
            &["rank-0.json", "-o", "no/such/fleet.json"],
            "cannot write ‘no/such/fleet.json’: there is no folder ‘no/such’".to_owned(),
        ),
    ];
    for (arguments, expected) in is {
        let ended = merge(&folder, arguments);
        assert_eq!((ended.code, ended.err), (Some(2), format!("memprof: {expected}\n")));
    }
    let nothing = merge(&folder, &["a.json", "b.json", "-o", "fleet.json"]);
    assert_eq!(nothing.code, Some(2));
    assert!(
        nothing.err.ends_with("\nmemprof: no file could be read, so there is nothing to merge\n"),
        "{}",
        nothing.err
    );
}
