use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

use super::replace;

/// Has `text` stand at `path`.
fn write(path: &Path, text: &str) -> io::Result<()> {
    replace(path, |out| out.write_all(text.as_bytes()))
}

/// A new directory for one test, by the test's name.
fn directory(test: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("memprof-file-{}-{test}", process::id()));
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
fn a_directory_at_the_path_stays_and_no_temporary_file_is_left() {
    let directory = directory("taken");
    let path = directory.join("r.txt");
    fs::create_dir(&path).expect("writable");
    let error = write(&path, "text").expect_err("a directory is there");
    assert_eq!(error.to_string(), "Is a directory (os error 21)");
    assert_eq!(names_in(&directory), ["r.txt"]);
    fs::remove_dir_all(directory).expect("ours");
}

#[test]
fn what_cannot_be_written_whole_leaves_the_file_before_and_nothing_else() {
    let directory = directory("half");
    let path = directory.join("r.txt");
    write(&path, "before\n").expect("writable");
    let failed = replace(&path, |out| {
        out.write_all(b"half")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.expect_err("no room").kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs::read_to_string(&path).expect("written"), "before\n");
    assert_eq!(names_in(&directory), ["r.txt"]);
    fs::remove_dir_all(directory).expect("ours");
}
