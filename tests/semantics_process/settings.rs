//! What the environment asks for: where the report goes, when, and in which form.

use super::{Path, TITLE, cells, error_text, files, folder, run, run_in};

#[test]
fn a_bad_value_gets_one_line_and_is_as_if_unset() {
    let cases = [
        ("MEMPROF", "maybe", false),
        ("MEMPROF_ORDER", "weight", true),
        ("MEMPROF_COLUMNS", "ncalls,weight", true),
        ("MEMPROF_ROWS", "many", true),
        ("MEMPROF_INTERVAL", "soon", true),
    ];
    for (name, value, is_on) in cases {
        let settings = if is_on { vec![("MEMPROF", "1"), (name, value)] } else { vec![(name, value)] };
        let output = run("return", &settings);
        assert!(output.status.success());
        let text = error_text(&output);
        let said: Vec<&str> = text.lines().filter(|line| line.contains(name) && line.contains(value)).collect();
        assert_eq!(said.len(), 1, "{name}={value}: {text}");
        if is_on {
            assert_eq!(cells(&text, "(holds)")[..3], ["1", "1,000", "1,000"]);
        } else {
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[test]
fn an_output_that_cannot_be_written_is_said_and_the_report_goes_to_stderr() {
    let output = run("return", &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", "/no/such/folder/report.txt")]);
    assert!(output.status.success());
    let text = error_text(&output);
    assert_eq!(text.lines().filter(|line| line.contains("/no/such/folder/report.txt")).count(), 1, "{text}");
    assert_eq!(cells(&text, "(holds)")[..3], ["1", "1,000", "1,000"]);
}

#[test]
fn a_relative_output_stays_where_the_process_started() {
    let folder = folder("elsewhere");
    std::fs::create_dir(folder.join("elsewhere")).expect("a folder");
    let output = run_in(&folder, "go elsewhere", &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", "report.txt")]);
    assert!(output.status.success(), "{}", error_text(&output));
    assert_eq!(files(&folder.join("elsewhere")), [""; 0]);
    assert_eq!(files(&folder), ["elsewhere", "report.txt"]);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_relative_output_that_cannot_be_written_is_named_whole() {
    let folder = folder("unwritable");
    let output = run_in(&folder, "return", &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", "missing/report.txt")]);
    let text = error_text(&output);
    let started = folder.canonicalize().expect("it is there");
    let expected = format!("memprof: cannot write the report to ‘{}/missing/report.txt’: ", started.display());
    assert!(text.starts_with(&expected), "{text}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn the_report_goes_to_the_file_that_is_asked_for_and_its_ending_picks_the_format() {
    let folder = folder("formats");
    for ending in ["txt", "json", "csv", "md", "html"] {
        let file = folder.join(format!("report-%p.{ending}"));
        let output = run("return", &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text"))]);
        assert!(output.status.success());
        assert_eq!(error_text(&output), "", "the file has it");
    }
    let names = files(&folder);
    assert_eq!(names.len(), 5, "one file each and nothing temporary: {names:?}");
    assert!(names.iter().all(|name| !name.contains('%')), "%p is the process id: {names:?}");
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).expect("a file");
        assert!(text.contains("holds"), "{name}: {text}");
        if Path::new(&name).extension().is_some_and(|ending| ending == "txt") {
            assert!(text.starts_with(TITLE), "{text}");
        }
        if Path::new(&name).extension().is_some_and(|ending| ending == "html") {
            assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"), "{text}");
        }
        if Path::new(&name).extension().is_some_and(|ending| ending == "json") {
            let snapshot: memprof::Snapshot = serde_json::from_str(&text).expect("a snapshot");
            let rows = snapshot.records("host");
            let row = rows.iter().find(|row| row.function == "holds").expect("a row");
            assert_eq!((row.ncalls, row.memory_peak, row.memory_total, row.live), (1, 1000, 1000, 0));
        }
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_killed_program_has_written_what_the_interval_asked_for() {
    let folder = folder("interval");
    let file = folder.join("report.json");
    let settings = [("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text")), ("MEMPROF_INTERVAL", "1ms")];
    let output = run("abort once reported", &settings);
    assert!(!output.status.success(), "it was killed");
    assert!(!error_text(&output).contains("no report came"), "{}", error_text(&output));
    let text = std::fs::read_to_string(&file).expect("a file");
    let snapshot: memprof::Snapshot = serde_json::from_str(&text).expect("a whole report, never half of one");
    let rows = snapshot.records("host");
    let row = rows.iter().find(|row| row.function == "holds").expect("a row");
    assert_eq!((row.ncalls, row.memory_peak, row.memory_total, row.live), (1, 1000, 1000, 1000));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_forked_child_that_is_killed_has_written_what_the_interval_asked_for() {
    let folder = folder("interval-fork");
    let file = folder.join("report.json");
    let settings = [("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text")), ("MEMPROF_INTERVAL", "1ms")];
    let output = run("fork, and the child aborts once reported", &settings);
    assert!(output.status.success(), "{}", error_text(&output));
    let names: Vec<String> = files(&folder).into_iter().filter(|name| name.starts_with("report.")).collect();
    // The parent may have ended in the middle of one that is still under its temporary name.
    assert_eq!(names.len(), 2, "one each: {names:?}");
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).expect("a file");
        let snapshot: memprof::Snapshot = serde_json::from_str(&text).expect("a whole report, never half of one");
        let rows = snapshot.records("host");
        let row = rows.iter().find(|row| row.function == "holds").expect("a row");
        // The child started with its parent's records, and left its parent's file alone.
        let expected = if name == "report.json" { (1, 1000, 1000) } else { (2, 1077, 1000) };
        assert_eq!((row.ncalls, row.memory_total, row.live), expected, "{name}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_fork_does_not_wait_until_the_writer_ends() {
    let folder = folder("interval-prompt");
    let file = folder.join("report.json");
    let settings = [("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text")), ("MEMPROF_INTERVAL", "1ms")];
    let output = run("fork beside the writer", &settings);
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), error_text(&output));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn an_interval_without_a_file_is_one_line() {
    let output = run("return", &[("MEMPROF", "1"), ("MEMPROF_INTERVAL", "1s")]);
    let expected = "memprof: MEMPROF_INTERVAL=‘1s’ is ignored; accepted: only together with MEMPROF_OUTPUT\n";
    assert!(error_text(&output).starts_with(expected), "{}", error_text(&output));
}

#[test]
fn what_ends_abruptly_writes_nothing() {
    let output = run("_exit", &[("MEMPROF", "1")]);
    assert!(!error_text(&output).contains("Memory Profiling"), "{}", error_text(&output));
}

#[test]
fn a_panicking_program_still_reports() {
    let output = run("panic in a tracked function", &[("MEMPROF", "1")]);
    let text = error_text(&output);
    assert!(!output.status.success());
    assert_eq!(cells(&text, " panicking")[0], "1", "{text}");
}

#[test]
fn a_report_that_stdout_does_not_take_is_no_panic() {
    let output = run("report to nobody", &[("MEMPROF", "1")]);
    assert!(output.status.success(), "{}", error_text(&output));
}

#[test]
fn a_forked_child_does_not_report_to_stderr() {
    let output = run("fork", &[("MEMPROF", "1")]);
    assert!(output.status.success(), "{}", error_text(&output));
    let text = error_text(&output);
    assert_eq!(text.matches("Memory Profiling").count(), 1, "{text}");
    assert_eq!(cells(&text, "(holds)")[..3], ["1", "1,000", "1,000"], "the parent's own");
}

#[test]
fn a_forked_child_reports_to_a_file_of_its_own() {
    let folder = folder("fork");
    let file = folder.join("report.txt");
    let output = run("fork", &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text"))]);
    assert!(output.status.success(), "{}", error_text(&output));
    let names = files(&folder);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"report.txt".to_owned()));
    let child = names.iter().find(|name| *name != "report.txt").expect("the child's");
    let parents = std::fs::read_to_string(&file).expect("a file");
    let childs = std::fs::read_to_string(folder.join(child)).expect("a file");
    assert_eq!(cells(&parents, "(holds)")[..3], ["1", "1,000", "1,000"]);
    // It started with its parent's records.
    assert_eq!(cells(&childs, "(holds)")[..3], ["2", "1,000", "1,077"]);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn rows_order_and_columns_are_the_ones_asked_for() {
    let settings = [
        ("MEMPROF", "1"),
        ("MEMPROF_ORDER", "ncalls"),
        ("MEMPROF_COLUMNS", "ncalls,blocks_total,name"),
        ("MEMPROF_ROWS", "2"),
    ];
    let text = error_text(&run("three rows", &settings));
    assert!(text.contains("\nOrdered by: ncalls\n"), "{text}");
    assert_eq!(cells(&text, "(row three)")[0], "5");
    let rows: Vec<&str> = text.lines().filter(|line| line.ends_with("(holds)") || line.contains("row t")).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].contains("row three"), "{text}");
    let header: Vec<&str> = text
        .lines()
        .find(|line| line.trim_start().starts_with("ncalls ") && line.contains("filename"))
        .expect("a header")
        .split_whitespace()
        .collect();
    assert_eq!(header, ["ncalls", "blocks_total", "filename:lineno(function)"]);
}

#[test]
fn the_call_tree_stands_instead_of_the_table_where_it_is_asked_for() {
    let settings = [("MEMPROF", "1"), ("MEMPROF_TREE", "1"), ("MEMPROF_COLUMNS", "ncalls,name")];
    let text = error_text(&run("three rows", &settings));
    assert!(text.contains("\nCall tree by: at_peak, branches of less than 1% folded\n"), "{text}");
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("branch  share ncalls ")).take(4).collect();
    assert!(rows[1].contains(" 1 ") && rows[1].ends_with("(holds)"), "{text}");
    // The scopes in which nothing was allocated.
    assert!(rows[2..].iter().any(|row| row.ends_with(" (2 more paths)")), "{text}");
    assert!(text.contains("\nHeld at the peak of host ("), "{text}");
}

#[test]
fn the_hosts_peak_holds_what_one_thread_held() {
    let output = run("one thread", &[("MEMPROF", "1")]);
    assert!(output.status.success(), "{}", error_text(&output));
}
