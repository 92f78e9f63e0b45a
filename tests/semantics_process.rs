//! Whole processes: the report at exit, what ends without one, forks, and bad settings.
//!
//! Each test starts this program again with `CHILD` naming what it is to do.
#![expect(unsafe_code, reason = "fork and abort are the C library's")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use memprof::{Scope, Site, Space};

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

const CHILD: &str = "CHILD_OF_THE_TEST";
/// In the JSON of a child that was forked while `holds` held 1000 bytes, after it was entered for 77 more, which are freed.
const OF_THE_CHILD: &str = "\"memory_total\":1077,\"blocks_total\":2,\"self_total\":1077,\"self_blocks\":2,\"reallocs\":0,\"failed\":0,\"live\":1000,";
const TITLE: &str = "Memory Profiling\n================\n";

#[memprof::track]
fn exits_inside() {
    let held = std::hint::black_box(vec![1u8; 12_345]);
    std::process::exit(i32::from(held[0]) - 1);
}

#[memprof::track]
fn holds(bytes: usize) -> Vec<u8> {
    std::hint::black_box(vec![1; bytes])
}

/// Whether `file` comes to hold `part` while the program runs.
fn comes(file: &Path, part: &str) -> bool {
    (0..1_000_000).any(|_| {
        std::thread::yield_now();
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(part))
    })
}

/// Both write every so often; the child ends first, and both without a report at exit.
fn forks_and_the_child_aborts_once_reported() {
    let _held = holds(1000);
    let file = PathBuf::from(std::env::var("MEMPROF_OUTPUT").expect("asked for"));
    assert!(comes(&file, "\"live\":1000,"), "no report came while the program ran");
    // SAFETY: the child calls what is allowed after a fork, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // By the path that its parent went: one that the thread has met.
        drop(holds(77));
        if comes(&file.with_extension(format!("{}.json", std::process::id())), OF_THE_CHILD) {
            std::process::abort();
        }
        // SAFETY: it ends the process and nothing else.
        unsafe { libc::_exit(1) }
    }
    let mut status = 0;
    // SAFETY: `status` is written; `child` is the process just forked.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status), "no report of the child came while it ran");
    // SAFETY: it ends the process and nothing else.
    unsafe { libc::_exit(0) }
}

/// While the writer sleeps or writes.
fn forks_beside_the_writer() {
    let _held = holds(1000);
    let file = std::env::var("MEMPROF_OUTPUT").expect("asked for");
    assert!(comes(Path::new(&file), "\"live\":1000,"), "no report came while the program ran");
    // A busy machine may take its time once: a fork that waits for the writer takes 2 s each time.
    let is_prompt = (0..5).any(|_| {
        let begun = Instant::now();
        // SAFETY: the child only ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: it ends the process and nothing else.
            unsafe { libc::_exit(0) }
        }
        let taken = begun.elapsed();
        // SAFETY: `child` is the process just forked; a null pointer asks for no status.
        assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
        taken < Duration::from_secs(2)
    });
    assert!(is_prompt, "each fork waited");
}

/// What the child of a test does; nothing when this is an ordinary run of the tests.
#[test]
fn child() {
    let Ok(what) = std::env::var(CHILD) else { return };
    match what.as_str() {
        "exit inside" => exits_inside(),
        "return" => drop(holds(1000)),
        "_exit" => {
            let _held = holds(10);
            // SAFETY: it ends the process and nothing else.
            unsafe { libc::_exit(0) }
        }
        "exit while others allocate" => {
            let (give, take) = std::sync::mpsc::channel();
            for _ in 0..4 {
                let give = give.clone();
                std::thread::spawn(move || {
                    for round in 0.. {
                        drop(holds(round % 1000 + 1));
                        if round == 100 {
                            give.send(()).expect("somebody waits");
                        }
                    }
                });
            }
            (0..4).for_each(|_| take.recv().expect("all run"));
            exits_inside();
        }
        "fork" => {
            let held = holds(1000);
            // SAFETY: the child calls what is allowed after a fork, and exits.
            let child = unsafe { libc::fork() };
            if child == 0 {
                drop(holds(77));
                std::process::exit(0);
            }
            let mut status = 0;
            // SAFETY: `status` is written; `child` is the process just forked.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the fork's child ended well");
            drop(held);
        }
        "abort once reported" => {
            let _held = holds(1000);
            let file = std::env::var("MEMPROF_OUTPUT").expect("asked for");
            assert!(comes(Path::new(&file), "\"live\":1000,"), "no report came while the program ran");
            std::process::abort();
        }
        "fork, and the child aborts once reported" => forks_and_the_child_aborts_once_reported(),
        "fork beside the writer" => forks_beside_the_writer(),
        "go elsewhere" => {
            std::env::set_current_dir("elsewhere").expect("the test made it");
            drop(holds(1000));
        }
        "three rows" => {
            drop(holds(3));
            let _outer = Scope::enter(Site::named("row two"));
            for _ in 0..5 {
                memprof::scope!("row three");
            }
        }
        "enable without tags" => {
            assert!(!memprof::is_enabled());
            memprof::enable();
            assert!(memprof::is_enabled());
            drop(holds(1000));
            let snapshot = memprof::snapshot();
            assert_eq!(snapshot.totals(Space::HOST).total, 0);
            let text = snapshot.to_string();
            assert!(text.contains("host") && text.contains("MEMPROF=1"), "it says that host was not measured: {text}");
        }
        "named only" => {
            assert!(!memprof::is_enabled());
            memprof::record_alloc(Space::named("arena"), 1, 10);
            assert_eq!(memprof::snapshot().totals("arena").total, 0);
        }
        "panic in a tracked function" => {
            let _scope = Scope::enter(Site::named("panicking"));
            std::panic::panic_any(String::from("the child's own panic"));
        }
        "report to nobody" => {
            let mut ends = [0; 2];
            // SAFETY: room for the two ends.
            assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
            // SAFETY: the reading end, which nobody else has.
            assert_eq!(unsafe { libc::close(ends[0]) }, 0);
            // SAFETY: nobody else writes to stdout: one test runs.
            assert_eq!(unsafe { libc::dup2(ends[1], 1) }, 1);
            memprof::print_memory_report();
            std::process::exit(0);
        }
        "one thread" => {
            // One thread ever allocates: the host's peak is exact.
            let before = memprof::snapshot().totals(Space::HOST);
            let held = holds(1 << 24);
            let more = holds(12_345);
            drop((held, more));
            let after = memprof::snapshot().totals(Space::HOST);
            let snapshots = after.peak - u64::try_from(before.live).expect("not negative");
            assert!(snapshots >= (1 << 24) + 12_345, "{before:?} {after:?}");
        }
        other => panic!("unknown child: {other}"),
    }
}

fn run(what: &str, settings: &[(&str, &str)]) -> Output {
    run_in(Path::new("."), what, settings)
}

fn run_in(folder: &Path, what: &str, settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(CHILD, what).current_dir(folder);
    for name in ["MEMPROF", "MEMPROF_OUTPUT", "MEMPROF_ORDER", "MEMPROF_COLUMNS", "MEMPROF_ROWS", "MEMPROF_INTERVAL"] {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied()).output().expect("the child runs")
}

fn error_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The cells of the row of the first table whose name ends so.
fn cells<'a>(report: &'a str, name: &str) -> Vec<&'a str> {
    let table = report.split("\n\nHeld at the peak").next().unwrap_or_default();
    let lines: Vec<&str> = table.lines().filter(|line| line.ends_with(name)).collect();
    assert_eq!(lines.len(), 1, "one row {name} in {report}");
    lines[0].split_whitespace().collect()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn exit_inside_a_tracked_function_still_reports() {
    let output = run("exit inside", &[("MEMPROF", "1")]);
    assert!(output.status.success());
    let report = error_text(&output);
    assert!(report.contains(TITLE), "{report}");
    assert_eq!(cells(&report, "(exits_inside)")[..3], ["1", "12,345", "12,345"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("Memory Profiling"), "stdout stays the program's own");
}

#[test]
fn a_program_that_returns_reports_once() {
    let output = run("return", &[("MEMPROF", "1")]);
    let report = error_text(&output);
    assert_eq!(report.matches("Memory Profiling").count(), 1, "{report}");
    assert_eq!(cells(&report, "(holds)")[..3], ["1", "1,000", "1,000"]);
    assert!(report.contains("\nhost: peak "), "{report}");
    assert!(report.ends_with('\n') && !report.ends_with("\n\n"));
}

#[test]
fn a_report_comes_while_other_threads_still_allocate() {
    for _ in 0..5 {
        let output = run("exit while others allocate", &[("MEMPROF", "1")]);
        assert!(output.status.success());
        let report = error_text(&output);
        assert_eq!(cells(&report, "(exits_inside)")[1..3], ["12,345", "12,345"]);
    }
}

#[test]
fn without_memprof_set_nothing_is_written() {
    for settings in [&[][..], &[("MEMPROF", "0")], &[("MEMPROF", "false")], &[("MEMPROF", "off")], &[("MEMPROF", "")]] {
        for what in ["exit inside", "return", "named only"] {
            let output = run(what, settings);
            assert!(output.status.success(), "{}", error_text(&output));
            assert_eq!(error_text(&output), "", "{settings:?}");
        }
    }
}

#[test]
fn the_accepted_words_for_on_switch_it_on() {
    for word in ["1", "true", "on"] {
        assert!(error_text(&run("return", &[("MEMPROF", word)])).contains(TITLE), "{word}");
    }
}

#[test]
fn enabling_without_tags_says_that_host_is_not_measured() {
    let output = run("enable without tags", &[]);
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), error_text(&output));
}

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
