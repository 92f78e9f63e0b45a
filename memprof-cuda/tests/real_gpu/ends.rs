//! How a process ends, and a child of it: each in a process of its own, whose report is read.
#![expect(unsafe_code, reason = "a fork")]

use std::process::Command;

use memprof_core::{Scope, Site};

use crate::ground::calls;
use crate::ground::{Gpu, MIB, Outcome, saw, skipped};

const INSIDE: &str = "REAL_GPU_INSIDE";

/// What this program says on stderr when it runs the check of this name once more, as `how`.
fn inside(test: &str, how: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(INSIDE, how).env("MEMPROF", "1");
    let output = run.output()?;
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
        let said = inside("ends::a_leak_is_live_in_the_report_at_exit", how)?;
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
