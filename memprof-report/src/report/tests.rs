use std::{env, fs, process};

use crate::{format::Format, record::Field, snapshot::fixtures::contract_example};

#[test]
fn a_report_shows_what_is_asked_for_in_the_format_that_is_asked_for() {
    let snapshot = contract_example();
    let report = snapshot.report().order(Field::Ncalls).columns([Field::Ncalls, Field::Function]).rows(2);
    let table =
        "Ordered by: ncalls\n\nncalls function\n     6 RangeIndex::len\n     2 RangeIndex::new\n1 more row left out";
    assert!(report.to_string().contains(table), "{report}");
    let csv = report.format(Format::Csv).to_string();
    assert_eq!(csv.lines().next(), Some("space,ncalls,function"));
}

#[test]
fn the_ending_picks_the_format_of_a_file_unless_one_is_asked_for() {
    let directory = env::temp_dir().join(format!("memprof-report-{}", process::id()));
    fs::create_dir_all(&directory).expect("the temporary directory is writable");
    let snapshot = contract_example();
    let path = directory.join("r.JSON");
    snapshot.report().write_to(&path).expect("writable");
    assert_eq!(fs::read_to_string(&path).expect("written"), snapshot.report().format(Format::Json).to_string());
    snapshot.report().format(Format::Text).write_to(&path).expect("writable");
    assert_eq!(fs::read_to_string(&path).expect("written"), snapshot.to_string());
    fs::remove_dir_all(directory).expect("ours");
}

#[test]
fn an_ending_that_is_none_is_one_line_that_names_those_that_are() {
    let error = contract_example().report().write_to("/no such/r.doc").expect_err("no format");
    let endings = Format::endings();
    let expected =
        format!("cannot write the report to ‘/no such/r.doc’: its ending names no format; accepted: {endings}");
    assert_eq!((error.to_string(), error.kind()), (expected, std::io::ErrorKind::InvalidInput));
}

#[test]
#[cfg(unix)]
fn a_missing_directory_is_one_line() {
    let error = contract_example().report().write_to("/no such/dir\n/r.txt").expect_err("there is no such directory");
    let expected = r"cannot write the report to ‘/no such/dir\n/r.txt’: No such file or directory (os error 2)";
    assert_eq!((error.to_string().as_str(), error.kind()), (expected, std::io::ErrorKind::NotFound));
}
