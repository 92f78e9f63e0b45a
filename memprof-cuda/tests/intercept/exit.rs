//! What the process's end releases is not freed: live stays live, whoever's handler of exit runs first; and a forked child asks no driver.
#![expect(unsafe_code, reason = "the ground's driver calls, and a fork")]

use std::path::Path;
use std::process::{Command, Output};

use cudarc::driver::{CudaContext, result};
use memprof_core::{Scope, Site};
use memprof_cuda::TrackedExt as _;
use memprof_cuda_sim::Sim;

use crate::ground::{self, Tried, alone};

const INSIDE: &str = "INSIDE_THE_EXIT_TEST";
const MIB: usize = 1 << 20;

/// Runs this test's program once more, as one that leaks as `how` says, and gives its report at exit.
fn leaking(test: &str, how: &str) -> Tried<String> {
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", &format!("exit::{test}"), "--nocapture"]).env(INSIDE, how).env("MEMPROF", "1");
    if how == "environment" {
        run.env("MEMPROF_CUDA", "intercept");
    }
    let Output { status, stderr, .. } = run.output()?;
    let said = String::from_utf8(stderr)?;
    if status.success() { Ok(said) } else { Err(said.into()) }
}

/// Keeps a value to the end of the process, and past its handlers of exit.
fn keep<T>(value: T) {
    Box::leak(Box::new(value));
}

extern "C" fn runtime_ends() {
    let _refused = ground::reset_primary(0);
}

/// A library that is loaded late, as the runtime library may be: it retains the primary context, and has a handler of exit that resets it. It
/// registers that as it is loaded, or with its first context.
fn load_runtime(sim: Sim, how: &str) -> Tried {
    let register = || {
        // SAFETY: a function that does not unwind.
        unsafe { libc::atexit(runtime_ends) };
    };
    // What it is does not matter here, but that it is another file.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("libruntime-{}.so", std::process::id()));
    std::fs::copy(sim.path(), &file)?;
    // SAFETY: it does nothing when it is loaded.
    let library = unsafe { libloading::Library::new(&file) };
    std::fs::remove_file(&file)?;
    keep(library?);
    if how == LATE[0] {
        register();
    }
    // SAFETY: the first device.
    unsafe { result::primary_ctx::retain(0) }?;
    if how == LATE[1] {
        register();
    }
    Ok(())
}

/// When it registers.
const LATE: [&str; 2] = ["as it is loaded", "with its first context"];

/// The program: it leaks 1 MiB of plain memory, in the way that its environment names.
fn leak(how: &str) -> Tried {
    let (_alone, sim) = alone()?;
    if how == "tracked" {
        let _scope = Scope::enter(Site::named("leaks"));
        keep(memprof_cuda::context(0)?.default_stream().tracked().alloc_zeros::<u8>(MIB)?);
        return Ok(());
    }
    // As late as can be: whatever the driver registers is registered before.
    let early = if how == "early" { Some(memprof_cuda::intercept()?) } else { None };
    let context = if how == "environment" { memprof_cuda::context(0)? } else { CudaContext::new(0)? };
    let is_late = LATE.contains(&how);
    let guard = if how == "held" || how == "dropped" || is_late { Some(memprof_cuda::intercept()?) } else { early };
    if is_late {
        // All has started once already.
        ground::free(ground::allocate(1000)?)?;
        load_runtime(sim, how)?;
    }
    {
        let _scope = Scope::enter(Site::named("leaks"));
        ground::allocate(MIB)?;
    }
    if how == "dropped" {
        drop(guard);
    } else {
        keep(guard);
    }
    // The program keeps its context to the end.
    keep(context);
    Ok(())
}

#[test]
fn what_is_live_at_exit_is_reported_as_live() -> Tried {
    const TEST: &str = "what_is_live_at_exit_is_reported_as_live";
    if let Some(how) = std::env::var_os(INSIDE) {
        return leak(how.to_str().unwrap_or_default());
    }
    for how in ["early", "held", "dropped", "environment", "tracked"].into_iter().chain(LATE) {
        let said = leaking(TEST, how)?;
        let device = said.lines().skip_while(|line| !line.starts_with("cuda:0")).collect::<Vec<_>>().join("\n");
        assert!(device.contains("live 1,048,576 bytes"), "{how}: {said}");
        assert!(said.contains("attributed 1,048,576"), "{how}: {said}");
        assert!(said.contains("asked as the process began to end"), "{how}: {said}");
    }
    Ok(())
}

#[test]
fn a_forked_child_asks_no_driver() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = memprof_cuda::context(0)?;
    let _guard = memprof_cuda::intercept()?;
    let asked = || sim.calls("cuMemGetInfo_v2") + sim.calls("cuDeviceGetCount") + sim.calls("cuCtxPushCurrent_v2");
    memprof_core::snapshot();
    let before = asked();
    // SAFETY: the child takes a snapshot, of which memprof says that it may, and ends without running any handler.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let snapshot = memprof_core::snapshot();
        let says = snapshot.devices().iter().all(|device| {
            device.last_known && device.silence == "the driver cannot be asked in a process that was forked"
        });
        let is_quiet = asked() == before && says && !snapshot.devices().is_empty();
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!is_quiet)) };
    }
    let mut status = -1;
    // SAFETY: the child that was forked above, and a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child asked, or did not say why not");
    Ok(())
}
