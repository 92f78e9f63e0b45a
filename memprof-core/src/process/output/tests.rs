use std::path::PathBuf;

use memprof_report::Format;

use super::{Output, path_for};

#[test]
fn the_process_id_stands_where_it_is_asked_for_and_a_forked_child_never_takes_its_parents_file() {
    for (template, forked, path) in [
        ("report.json", false, "report.json"),
        ("report.json", true, "report.42.json"),
        ("a.b/report.v1.csv", true, "a.b/report.v1.42.csv"),
        ("%p.txt", false, "42.txt"),
        ("run-%p/%p.txt", true, "run-42/42.txt"),
        ("100%.md", true, "100%.42.md"),
        ("A.JSON", true, "A.42.JSON"),
    ] {
        let ending = Format::of(template).expect("a known ending").ending();
        assert_eq!(path_for(template, ending, 42, forked), PathBuf::from(path), "{template}");
    }
}

#[test]
fn a_childs_file_has_its_parents_format() {
    let output = Output::parse("r.csv").expect("a known ending");
    assert_eq!(output.format(), Format::Csv);
    assert_eq!(Format::of(output.path(42, true)), Some(Format::Csv));
    assert_eq!(Output::parse("r.doc"), None);
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
