//! What the numbers hold for.
//!
//! Versions are those of the lock file, since that is what was compiled; a program that is not there is said to be
//! missing and stops nothing.

use std::process::Command;
use std::{fs, io, thread};

use crate::measure::lock_file;

/// Lines of Markdown: the date, the machine, and the versions of all that was compared.
pub fn description() -> io::Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("an unknown processor", |(_, name)| name.trim());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let lines = [
        first_line("date", &["-u", "+%F"]),
        format!("{cpu}, {processors} processors; Linux {}", first_line("uname", &["-r"])),
        format!("{}; {}", first_line("rustc", &["--version"]), first_line("ldd", &["--version"])),
        versions(&lock_file()?),
        format!("{}; {}", first_line("heaptrack", &["--version"]), first_line("valgrind", &["--version"])),
    ];
    Ok(lines.map(|line| format!("* {line}\n")).concat())
}

/// The tools' versions, and the allocators', as the lock file has them.
fn versions(lock: &str) -> String {
    const NAMES: &[&str] = &[
        "alloc-track",
        "alloc_tracker",
        "allocation-counter",
        "cap",
        "dhat",
        "divan",
        "fastrace",
        "hotpath",
        "peak_alloc",
        "puffin",
        "re_memory",
        "stats_alloc",
        "tracing",
        "tracing-subscriber",
        "tracking-allocator",
        "tracy-client",
        "mimalloc",
        "tikv-jemallocator",
    ];
    let version = |name: &str| {
        let after = lock.split_once(&format!("\nname = \"{name}\"\nversion = \""))?.1;
        Some(format!("{name} {}", after.split('"').next()?))
    };
    NAMES.iter().filter_map(|name| version(name)).collect::<Vec<_>>().join(", ")
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().map_or_else(|| format!("no {program}"), str::to_owned)
}
