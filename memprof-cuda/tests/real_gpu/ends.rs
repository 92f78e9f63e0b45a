//! How a process ends, and a child of it: each in a process of its own, whose report is read.
#![expect(unsafe_code, reason = "a fork")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use memprof_core::{Scope, Site, Space, record_alloc};
use memprof_cuda_sim::Sim;

use crate::ground::calls;
use crate::ground::{Gpu, MIB, Outcome, saw, skipped};

const INSIDE: &str = "REAL_GPU_INSIDE";

/// What this program says on stderr when it runs the check of this name once more, as `how`, with its report there or in a file.
fn inside(test: &str, how: &str, file: Option<&Path>) -> Result<String, Box<dyn std::error::Error>> {
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(INSIDE, how).env("MEMPROF", "1");
    let output = run.envs(file.map(|file| ("MEMPROF_OUTPUT", file))).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(said) } else { Err(said.into()) }
}

/// Keeps a value to the end of the process, and past its handlers of exit.
fn keep<T>(value: T) {
    Box::leak(Box::new(value));
}

/// Leaks 1 MiB of plain memory under an interception whose guard is held to the end, or dropped before.
fn leak(how: &str) -> Outcome {
    memprof_cuda_sim::load()?;
    let early = if how == "before the driver" { Some(memprof_cuda::intercept()?) } else { None };
    let gpu = Gpu::take()?;
    let guard = if early.is_some() { early } else { Some(memprof_cuda::intercept()?) };
    {
        let _scope = Scope::enter(Site::named("leaks"));
        calls::allocate(MIB)?;
    }
    if how == "dropped" {
        drop(guard);
    } else {
        keep(guard);
    }
    keep(gpu);
    Ok(())
}

#[test]
fn a_leak_is_live_in_the_report_at_exit() -> Outcome {
    if let Some(how) = std::env::var_os(INSIDE) {
        return leak(&how.to_string_lossy());
    }
    let mut seen = Vec::new();
    for how in ["held", "dropped", "before the driver"] {
        let said = inside("ends::a_leak_is_live_in_the_report_at_exit", how, None)?;
        if said.contains("skipped: no GPU") && seen.is_empty() {
            skipped("no GPU (what follows is the simulator's)");
        }
        let line = said.lines().find(|line| line.starts_with("cuda:0: ")).unwrap_or("no line of cuda:0").to_owned();
        seen.push(format!("guard {how}: {line}"));
        assert!(said.contains("live 1,048,576 bytes"), "guard {how}: {said}");
    }
    saw(seen.join("; "));
    Ok(())
}

#[test]
fn a_forked_child_reports_and_asks_nothing() -> Outcome {
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let address = calls::allocate(MIB)?;
    memprof_core::snapshot();
    // SAFETY: the child takes a snapshot and ends without running a handler.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let snapshot = memprof_core::snapshot();
        let is_silent = snapshot.devices().iter().all(|device| device.last_known && device.silence.contains("forked"));
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!is_silent)) };
    }
    let mut status = -1;
    // SAFETY: the child that was forked above, and a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child asked its parent's driver");
    calls::free(address)?;
    let used = gpu.used()?;
    saw(format!("the child said that it cannot ask; the parent goes on, with {used} bytes in use"));
    Ok(())
}

/// The simulator in the child of a fork, and how many calls it had then.
static AT_THE_FORK: OnceLock<(Sim, u64)> = OnceLock::new();

/// Runs after all that was registered later, as memprof's report at exit: ends a child in which the driver was called, with a status of its own.
extern "C" fn no_call_since_the_fork() {
    if let Some((sim, calls)) = AT_THE_FORK.get()
        && sim.all_calls() != *calls
    {
        // SAFETY: ends the child.
        unsafe { libc::_exit(CALLED) };
    }
}

const CALLED: i32 = 7;
const AFTER: &str = "after the fork";
const IN_THE_CHILD: &str = "in the child";

/// Leaks 1 MiB, and forks: the child records a block of its own and exits, the parent leaks 2 MiB more.
fn fork_and_report() -> Outcome {
    // SAFETY: a function that does not unwind.
    unsafe { libc::atexit(no_call_since_the_fork) };
    let gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    {
        let _scope = Scope::enter(Site::named("before the fork"));
        calls::allocate(MIB)?;
    }
    memprof_core::snapshot();
    // SAFETY: the child does what memprof says that it may, and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        if let Some(sim) = gpu.driver.simulator() {
            AT_THE_FORK.get_or_init(|| (sim, sim.all_calls()));
        }
        {
            let _scope = Scope::enter(Site::named(IN_THE_CHILD));
            record_alloc(Space::named(IN_THE_CHILD), 1, 64);
        }
        // SAFETY: ends the child, with its handlers of exit.
        unsafe { libc::exit(0) };
    }
    let mut status = -1;
    // SAFETY: the child that was forked above, and a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    // What NVIDIA's driver does at the exit of a forked child is not memprof's.
    let is_right = status == 0 || gpu.is_real();
    assert!(is_right, "the child ended with {status:#x}; {:#x} says that it called the driver", CALLED << 8);
    {
        let _scope = Scope::enter(Site::named(AFTER));
        calls::allocate(2 * MIB)?;
    }
    keep(gpu);
    Ok(())
}

#[test]
fn a_forked_child_and_its_parent_write_files_of_their_own() -> Outcome {
    if std::env::var_os(INSIDE).is_some() {
        return fork_and_report();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("forked-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("report.txt");
    let said = inside("ends::a_forked_child_and_its_parent_write_files_of_their_own", "forking", Some(&file))?;
    if said.contains("skipped: no GPU") {
        skipped("no GPU (what follows is the simulator's)");
    }
    let of_the_parent = fs::read_to_string(&file)?;
    let written = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let others: Vec<_> = written.into_iter().filter(|other| *other != file).collect();
    let [of_the_child] = &others[..] else { return Err(format!("files beside the parent's: {others:?}").into()) };
    let of_the_child = fs::read_to_string(of_the_child)?;
    fs::remove_dir_all(&folder)?;

    let device = |report: &str| {
        report.lines().find(|line| line.starts_with("cuda:0: device uses")).unwrap_or("no line of cuda:0").to_owned()
    };
    saw(format!("parent: {}; child: {}", device(&of_the_parent), device(&of_the_child)));
    let has = |report: &str, parts: &[&str]| parts.iter().all(|part| report.contains(part));
    assert!(has(&of_the_parent, &["before the fork", AFTER, "live 3,145,728 bytes"]), "{of_the_parent}");
    assert!(
        device(&of_the_parent).ends_with("; asked as the process began to end: last known values"),
        "{of_the_parent}"
    );
    assert!(!of_the_parent.contains(IN_THE_CHILD), "{of_the_parent}");
    assert!(has(&of_the_child, &["before the fork", IN_THE_CHILD, "live 1,048,576 bytes"]), "{of_the_child}");
    let forked = "; the driver cannot be asked in a process that was forked: last known values";
    assert!(device(&of_the_child).ends_with(forked), "{of_the_child}");
    assert!(!of_the_child.contains(AFTER), "{of_the_child}");
    Ok(())
}
