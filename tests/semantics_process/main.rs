//! Whole processes: the report at exit, what ends without one, forks, and bad settings.
//!
//! Each test starts this program again with `CHILD` naming what it is to do.
#![expect(unsafe_code, reason = "fork and abort are the C library's")]

mod settings;

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
