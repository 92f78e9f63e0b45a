//! A CUPTI that refuses: what the error says, to the byte, and that everything is as if nobody had asked.
#![expect(unsafe_code, reason = "the ground's driver calls")]

use std::process::Command;

use memprof_core::Space;
use memprof_cuda::TrackedExt as _;
use memprof_cuda_sim::Sim;

mod intercept_ground;
use intercept_ground::{self as ground, Subscribed, Tried, agree, alone, live, totals};

const INSIDE: &str = "INSIDE_THE_REFUSED_TEST";
const DEVICE: fn() -> Space = || Space::device(0);

/// Statuses of CUPTI's.
const INVALID_PARAMETER: u32 = 1;
const NOT_INITIALIZED: u32 = 15;
const UNKNOWN: u32 = 999;

/// How many numbers memprof asks CUPTI to show, that of `cuMemAllocManaged` among them, counted from 0.
const ASKED: u64 = 200;
const MANAGED: u64 = 8;

/// Has CUPTI refuse the next subscription, in either way.
fn refuse_subscription(sim: Sim, status: u32) {
    sim.fail_next("cuptiSubscribe_v2", status, 1);
    sim.fail_next("cuptiSubscribe", status, 1);
}

/// What interception says, asked for over the simulator's CUPTI and no other that the machine may have.
fn refusal(sim: Sim) -> Tried<String> {
    let refusal = memprof_cuda::intercept_with(sim.path()).err().ok_or("interception was installed")?;
    Ok(refusal.to_string())
}

/// That nothing is intercepted, wrappers record, nobody is subscribed, and interception can begin.
fn as_if_nobody_had_asked(sim: Sim) -> Tried {
    let stream = memprof_cuda::context(0)?.default_stream().tracked();
    let before = totals(DEVICE());
    let plain = ground::allocate(30)?;
    assert_eq!(live(DEVICE()), (0, 0), "a plain block is recorded");
    let slice = stream.alloc_zeros::<u8>(100)?;
    assert_eq!(live(DEVICE()), (100, 1), "a tracked slice is not recorded once");
    ground::free(plain)?;
    drop(slice);
    let after = totals(DEVICE());
    assert_eq!((after.live_blocks, after.blocks_total), (0, before.blocks_total + 1));
    assert_eq!(after.unknown_frees, before.unknown_frees);

    drop(Subscribed::to(sim)?);
    let guard = memprof_cuda::intercept_with(sim.path())?;
    let plain = ground::allocate(30)?;
    assert_eq!(live(DEVICE()), (30, 1));
    agree(sim);
    ground::free(plain)?;
    drop(guard);
    Ok(())
}

#[test]
fn a_cupti_that_does_not_fit_the_driver_says_which_would() -> Tried {
    let (_alone, sim) = alone()?;
    let cases = [
        (NOT_INITIALIZED, "CUPTI_ERROR_NOT_INITIALIZED (15)"),
        (14, "CUPTI_ERROR_NOT_COMPATIBLE (14)"),
        (27, "CUPTI_ERROR_NOT_SUPPORTED (27)"),
        (UNKNOWN, "CUPTI_ERROR_UNKNOWN (999)"),
    ];
    for (status, said) in cases {
        refuse_subscription(sim, status);
        let expected = format!(
            "cannot intercept CUDA allocations: CUPTI from {} (version 26): {said}: the CUDA driver does not run or is \
             older than this CUPTI: check it with `nvidia-smi`, and use the CUPTI of the CUDA version that it shows, or \
             an older one",
            sim.path().display()
        );
        assert_eq!(refusal(sim)?, expected);
        as_if_nobody_had_asked(sim)?;
    }
    Ok(())
}

#[test]
fn a_cupti_that_refuses_for_another_reason_is_quoted() -> Tried {
    let (_alone, sim) = alone()?;
    // The last is one that the library itself has no name for.
    let cases = [(35, "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES (35)"), (4_242, "CUPTI error 4242")];
    for (status, said) in cases {
        refuse_subscription(sim, status);
        let expected = format!(
            "cannot intercept CUDA allocations: CUPTI from {} (version 26): {said}: this CUPTI cannot be used here",
            sim.path().display()
        );
        assert_eq!(refusal(sim)?, expected);
        as_if_nobody_had_asked(sim)?;
    }
    Ok(())
}

/// As the CUPTI of CUDA 13 does without a driver.
#[test]
fn a_cupti_that_does_not_even_say_its_version_is_named_without() -> Tried {
    let (_alone, sim) = alone()?;
    refuse_subscription(sim, UNKNOWN);
    sim.fail_next("cuptiGetVersion", UNKNOWN, 1);
    let said = refusal(sim)?;
    let begin = format!(
        "cannot intercept CUDA allocations: CUPTI from {} (version unknown): CUPTI_ERROR_UNKNOWN (999): ",
        sim.path().display()
    );
    assert!(said.starts_with(&begin), "{said}");
    Ok(())
}

#[test]
fn a_cupti_that_shows_nothing_is_given_back() -> Tried {
    let (_alone, sim) = alone()?;
    sim.fail_next("cuptiEnableCallback", INVALID_PARAMETER, ASKED);
    let expected = format!(
        "cannot intercept CUDA allocations: CUPTI from {} (version 26) shows no call of the driver, not even cuMemAlloc: \
         CUPTI_ERROR_INVALID_PARAMETER (1)",
        sim.path().display()
    );
    assert_eq!(refusal(sim)?, expected);
    assert_eq!((sim.calls("cuptiSubscribe_v2"), sim.calls("cuptiUnsubscribe")), (1, 1));
    sim.reset();
    as_if_nobody_had_asked(sim)
}

#[test]
fn no_single_number_that_cupti_lacks_refuses_all_of_interception() -> Tried {
    let (_alone, sim) = alone()?;
    let _context = memprof_cuda::context(0)?;
    drop(memprof_cuda::intercept_with(sim.path())?);
    let enabled = sim.calls("cuptiEnableCallback");
    for before in 0..enabled {
        sim.fail_after(before, "cuptiEnableCallback", INVALID_PARAMETER, 1);
        let _guard = memprof_cuda::intercept_with(sim.path())?;
        let plain = ground::pinned(30)?;
        ground::free_pinned(plain)?;
    }
    let pinned = totals(Space::PINNED);
    // All but the one whose allocation was not shown, and the one whose free was not.
    let seen = pinned.blocks_total;
    assert_eq!(seen, enabled - 1, "of {enabled}");
    assert_eq!((pinned.live_blocks + pinned.missed_frees.cast_signed(), pinned.unknown_frees), (1, 1));
    sim.reset();
    as_if_nobody_had_asked(sim)
}

#[test]
fn what_cupti_does_not_show_is_named_once_and_not_counted() -> Tried {
    if std::env::var_os(INSIDE).is_some() {
        let (_alone, sim) = alone()?;
        let context = memprof_cuda::context(0)?;
        sim.fail_after(MANAGED, "cuptiEnableCallback", INVALID_PARAMETER, 1);
        let _guard = memprof_cuda::intercept_with(sim.path())?;
        // SAFETY: nobody reads it.
        drop(unsafe { context.alloc_unified::<u8>(100, true) }?);
        assert_eq!(totals(Space::MANAGED).blocks_total, 0);
        return Ok(());
    }
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", "what_cupti_does_not_show_is_named_once_and_not_counted", "--nocapture"]);
    let output = run.env(INSIDE, "1").output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("memprof: CUPTI")).collect();
    let end = " (version 26) does not show calls of cuMemAllocManaged: what they allocate and free is not counted; use the \
               CUPTI of the driver's own version";
    assert!(lines.len() == 1 && lines[0].ends_with(end), "{said}");
    Ok(())
}

#[test]
fn asked_for_by_the_environment_it_says_so_in_one_line_and_the_program_runs_on() -> Tried {
    if std::env::var_os(INSIDE).is_some() {
        return run_on();
    }
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", "asked_for_by_the_environment_it_says_so_in_one_line_and_the_program_runs_on", "--nocapture"]);
    let output = run.env(INSIDE, "1").env("MEMPROF", "1").env("MEMPROF_CUDA", "intercept").output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{said}");
    let line = "memprof: MEMPROF_CUDA=intercept: cannot intercept CUDA allocations: CUPTI from the process (version \
                26): CUPTI_ERROR_NOT_INITIALIZED (15): the CUDA driver does not run or is older than this CUPTI: check \
                it with `nvidia-smi`, and use the CUPTI of the CUDA version that it shows, or an older one";
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("memprof: MEMPROF_CUDA")).collect();
    // Where the machine has a CUPTI too, the same line goes on with what that one said.
    assert!(lines.len() == 1 && (lines[0] == line || lines[0].starts_with(&format!("{line}; "))), "{said}");
    Ok(())
}

/// The program whose environment asks: the second context does not ask again.
fn run_on() -> Tried {
    let (_alone, sim) = alone()?;
    refuse_subscription(sim, NOT_INITIALIZED);
    let first = memprof_cuda::context(0)?;
    drop(memprof_cuda::context(1)?);
    assert_eq!(sim.calls("cuptiSubscribe_v2"), 1);
    as_if_nobody_had_asked(sim)?;
    drop(first);
    Ok(())
}
