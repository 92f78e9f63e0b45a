//! The program that `memprof run` runs: this test executable, which has memprof in it, started again.

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::{self, Command},
};

/// What tells a process that it is the program, and which one.
const PART: &str = "PART_TO_PLAY";

#[global_allocator]
static ALLOC: memprof::Alloc = memprof::Alloc::system();

/// The call of the program that plays `part`, as it follows `--`.
pub(crate) fn call() -> Vec<OsString> {
    let this = env::current_exe().expect("a path").into_os_string();
    [this, "--exact".into(), "program::program".into(), "--nocapture".into()].into()
}

/// The environment of that call.
pub(crate) fn part(part: &str) -> (&str, &str) {
    (PART, part)
}

#[memprof::track]
fn load() -> Vec<u8> {
    vec![1; 100_000]
}

#[memprof::track]
fn grow(bytes: usize) -> Vec<u8> {
    vec![1; bytes]
}

/// In a test run it does nothing.
#[test]
fn program() {
    let Ok(part) = env::var(PART) else { return };
    let held = load();
    match &*part {
        "ends with 7" => process::exit(7),
        "waits" => {
            writeln!(io::stdout(), "ready").expect("stdout is read");
            loop {
                std::thread::park();
            }
        }
        "grows" => {
            // A line in is so many bytes more.
            let mut more = Vec::new();
            writeln!(io::stdout(), "ready").expect("stdout is read");
            for line in io::stdin().lines() {
                more.push(grow(line.expect("text").parse().expect("a number")));
                writeln!(io::stdout(), "grown").expect("stdout is read");
            }
        }
        "kills itself" => {
            let _ = Command::new("kill").args(["-KILL", &process::id().to_string()]).status();
            unreachable!("SIGKILL has come");
        }
        "ends at once" => signal_hook::low_level::exit(3),
        "becomes another" => {
            let error = Command::new("sh").args(["-c", "exit 4"]).exec();
            unreachable!("it is another program by now: {error}");
        }
        // Once the first report is written.
        "leaves a report and is killed" => {
            let output = env::var("MEMPROF_OUTPUT").expect("a file").replace("%p", &process::id().to_string());
            while !std::path::Path::new(&output).exists() {
                std::thread::yield_now();
            }
            let _ = Command::new("kill").args(["-KILL", &process::id().to_string()]).status();
            unreachable!("SIGKILL has come");
        }
        "has a child that ends at once" => {
            let [this, arguments @ ..] = &call()[..] else { unreachable!("a call has a program") };
            let ended = Command::new(this).args(arguments).env(PART, "ends at once").status();
            drop(held);
            process::exit(ended.ok().and_then(|ended| ended.code()).unwrap_or(1) + 1);
        }
        "has a child and ends at once" => {
            let [this, arguments @ ..] = &call()[..] else { unreachable!("a call has a program") };
            let ended = Command::new(this).args(arguments).env(PART, "ends with 7").status();
            signal_hook::low_level::exit(ended.ok().and_then(|ended| ended.code()).unwrap_or(1) + 1);
        }
        "has a child" => {
            let [this, arguments @ ..] = &call()[..] else { unreachable!("a call has a program") };
            let ended = Command::new(this).args(arguments).env(PART, "ends with 7").status();
            drop(held);
            process::exit(ended.ok().and_then(|ended| ended.code()).unwrap_or(1) + 1);
        }
        part => panic!("no such part: {part}"),
    }
}
