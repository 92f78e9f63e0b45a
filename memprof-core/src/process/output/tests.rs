use std::{env, fs, path::PathBuf, process};

use super::{Output, path_for, write};
use crate::report::Format;

/// A new directory for one test, by the test's name.
fn directory(test: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("memprof-output-{}-{test}", process::id()));
    fs::create_dir_all(&path).expect("the temporary directory is writable");
    path
}

/// What stands in `directory`, and nothing else does.
fn names_in(directory: &PathBuf) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("just made");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_process_id_stands_where_it_is_asked_for_and_a_forked_child_never_takes_its_parents_file() {
    for (template, forked, path) in [
        ("report.json", false, "report.json"),
        ("report.json", true, "report.42.json"),
        ("a.b/report.v1.csv", true, "a.b/report.v1.42.csv"),
        ("%p.txt", false, "42.txt"),
        ("run-%p/%p.txt", true, "run-42/42.txt"),
        ("100%.md", true, "100%.42.md"),
        ("bare", true, "bare.42"),
    ] {
        assert_eq!(path_for(template, 42, forked), PathBuf::from(path), "{template}");
    }
}

#[test]
fn a_childs_file_has_its_parents_format() {
    let output = Output::parse("r.csv").expect("a known ending");
    assert_eq!(output.format(), Format::Csv);
    assert_eq!(Format::of(&output.path(42, true)), Some(Format::Csv));
    assert_eq!(Output::parse("r.html"), None);
}

#[test]
fn a_relative_file_is_in_the_directory_it_was_asked_for_in_and_that_is_taken_as_it_is() {
    for (template, forked, path) in [
        ("r.txt", false, "/start/%p/r.txt"),
        ("r.txt", true, "/start/%p/r.42.txt"),
        ("sub/%p.txt", true, "/start/%p/sub/42.txt"),
        ("/elsewhere/r.txt", false, "/elsewhere/r.txt"),
    ] {
        let mut output = Output::parse(template).expect("a known ending");
        output.stay_in(PathBuf::from("/start/%p"));
        assert_eq!(output.path(42, forked), PathBuf::from(path), "{template}");
    }
}

#[test]
fn a_written_report_replaces_the_one_before_and_leaves_nothing_else() {
    let directory = directory("replaces");
    let path = directory.join("r.txt");
    write(&path, "first, and longer\n").expect("writable");
    write(&path, "second\n").expect("writable");
    assert_eq!(fs::read_to_string(&path).expect("written"), "second\n");
    assert_eq!(names_in(&directory), ["r.txt"]);
    fs::remove_dir_all(directory).expect("ours");
}

#[test]
fn a_stale_temporary_file_is_passed_over() {
    let directory = directory("stale");
    for number in 0..50 {
        let stale = directory.join(format!(".memprof-{}-{number}.tmp", process::id()));
        fs::write(stale, "stale").expect("writable");
    }
    let path = directory.join("r.txt");
    write(&path, "whole\n").expect("writable");
    assert_eq!(fs::read_to_string(&path).expect("written"), "whole\n");
    assert_eq!(names_in(&directory).len(), 51);
    fs::remove_dir_all(directory).expect("ours");
}

#[test]
#[cfg(unix)]
fn a_missing_directory_is_one_line() {
    let line = write("/no such/dir\n/r.txt".as_ref(), "").expect_err("there is no such directory");
    let expected = r"memprof: cannot write the report to ‘/no such/dir\n/r.txt’: No such file or directory (os error 2); it follows here";
    assert_eq!(line, expected);
}

#[test]
#[cfg(unix)]
fn a_directory_at_the_path_stays_and_no_temporary_file_is_left() {
    let directory = directory("taken");
    let path = directory.join("r.txt");
    fs::create_dir(&path).expect("writable");
    let line = write(&path, "text").expect_err("a directory is there");
    let reason = "Is a directory (os error 21)";
    let expected = format!("memprof: cannot write the report to ‘{}’: {reason}; it follows here", path.display());
    assert_eq!(line, expected);
    assert_eq!(names_in(&directory), ["r.txt"]);
    fs::remove_dir_all(directory).expect("ours");
}
