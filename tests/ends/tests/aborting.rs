//! `panic = "abort"`: the panic ends the process with SIGABRT, as without memprof, and the report is there.
//!
//! The program is built here with `-Cpanic=abort`. The flag is for its own crate, which decides on the runtime of panics for all that
//! is linked to it: so nothing that it depends on is compiled once more.
#![cfg(target_os = "linux")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

const TITLE: &str = "Memory Profiling\n================\n";

/// Builds the program, and gives its place.
fn program() -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = Command::new(cargo)
        .args(["rustc", "--offline", "--package", "memprof-ends", "--bin", "aborting", "--message-format=json"])
        .args(["--", "-Cpanic=abort"])
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).expect("text");
    let mut places = messages.lines().filter_map(|line| line.split_once("\"executable\":\"")?.1.split_once('"'));
    places.next_back().expect("it says where the program is").0.to_owned()
}

fn run(program: &str, place: &str, is_on: bool) -> Output {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEMPROF")) {
        command.env_remove(name);
    }
    command.arg(place).env("RUST_BACKTRACE", "0").envs(is_on.then_some(("MEMPROF", "1")));
    command.output().expect("it runs")
}

#[test]
#[ignore = "builds what it needs once more where nothing is built yet: .ci/run asks for it"]
fn a_panic_that_aborts_leaves_the_report_and_the_status() {
    let program = program();
    for (place, signal) in [
        ("nowhere", None),
        ("in main", Some(libc::SIGABRT)),
        ("on a thread", Some(libc::SIGABRT)),
        ("in a task", Some(libc::SIGABRT)),
    ] {
        let plain = run(&program, place, false);
        assert_eq!(plain.status.signal(), signal, "{place}: {}", String::from_utf8_lossy(&plain.stderr));
        let measured = run(&program, place, true);
        assert_eq!(measured.status, plain.status, "{place}");
        let text = String::from_utf8_lossy(&measured.stderr);
        assert_eq!(text.matches(TITLE).count(), 1, "{place}: {text}");
        assert!(text.lines().any(|line| line.ends_with("(holds)") && line.contains(" 1,000 ")), "{place}: {text}");
        assert_eq!(text.contains("the program's own"), signal.is_some(), "{place}: {text}");
        assert!(!String::from_utf8_lossy(&plain.stderr).contains(TITLE), "{place}");
    }
}
