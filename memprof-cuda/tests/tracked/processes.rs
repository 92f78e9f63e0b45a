//! What needs a process of its own, because it is read once: the simulator's devices, and what the report at exit says.

use std::path::Path;
use std::process::Command;

use crate::support::{Outcome, Turn, live, one_block, scope, stream, totals};
use cudarc::driver::CudaContext;
use memprof_cuda::TrackedExt as _;

/// Runs this test again, in a process with these variables.
fn again(test: &str, variables: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args([test, "--exact", "--nocapture"]).envs(variables.iter().copied()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into());
    }
    Ok(())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn each_device_has_a_space_and_a_swap_between_devices_keeps_the_books() -> Outcome {
    if std::env::var_os("CUDA_SIM_DEVICES").is_none() {
        let test = "processes::each_device_has_a_space_and_a_swap_between_devices_keeps_the_books";
        return again(test, &[("CUDA_SIM_DEVICES", "2")]);
    }
    let _turn = Turn::begin()?;
    if CudaContext::device_count()? < 2 {
        eprintln!("skipped: this machine has one device");
        return Ok(());
    }
    let (zero, one) = (stream()?, memprof_cuda::context(1)?.default_stream().tracked());
    one_block("on the second", one.space(), 3, || one.clone_htod(&[1_u8, 2, 3]))?;
    let source = zero.clone_htod(&[1_u8, 2, 3])?;
    one_block("across", one.space(), 3, || one.clone_dtod(&source))?;

    let (mut left, mut right) = (zero.alloc_zeros::<u8>(10)?, one.alloc_zeros::<u8>(20)?);
    std::mem::swap(&mut *left, &mut *right);
    one_block("clone after a swap", one.space(), 20, || left.try_clone())?;
    drop(left);
    assert_eq!((live("cuda:0"), live("cuda:1")), ((13, 2), (0, 0)));
    drop((right, source));
    assert_eq!((live("cuda:0"), live("cuda:1")), ((0, 0), (0, 0)));
    assert_eq!((totals("cuda:0").unknown_frees, totals("cuda:1").unknown_frees), (0, 0));
    let devices = memprof_core::snapshot().devices().iter().map(|device| device.space.clone()).collect::<Vec<_>>();
    assert_eq!(devices, ["cuda:0", "cuda:1"]);
    Ok(())
}

#[test]
fn a_device_that_only_others_use_is_reported_once_interception_is_on() -> Outcome {
    if std::env::var_os("CUDA_SIM_DEVICES").is_none() {
        let test = "processes::a_device_that_only_others_use_is_reported_once_interception_is_on";
        return again(test, &[("CUDA_SIM_DEVICES", "2")]);
    }
    let turn = Turn::begin()?;
    let Some(sim) = turn.simulator() else { return Ok(()) };
    let devices = || memprof_core::snapshot().devices().to_vec();
    let _guard = memprof_cuda::intercept_with(sim.path())?;
    assert_eq!(devices(), [], "no device is in use yet");
    let stream = CudaContext::new(1)?.default_stream();
    let slice = stream.alloc_zeros::<u8>(100)?;
    let said = devices();
    assert_eq!(said.iter().map(|device| device.space.as_str()).collect::<Vec<_>>(), ["cuda:1"]);
    assert_eq!((said[0].attributed, said[0].pool_used, said[0].last_known), (100, 100, false));
    drop((slice, stream));
    let said = devices();
    assert_eq!((said[0].attributed, said[0].pool_used_high, said[0].last_known), (0, 100, true));
    // Asking takes no part in who holds the context: it is made and gone once more.
    drop(CudaContext::new(1)?);
    assert!(devices()[0].last_known);
    Ok(())
}

#[test]
fn the_report_at_exit_says_the_last_known_values_of_a_device_whose_context_is_gone() -> Outcome {
    let name = "processes::the_report_at_exit_says_the_last_known_values_of_a_device_whose_context_is_gone";
    if std::env::var_os("MEMPROF_OUTPUT").is_some() {
        let _turn = Turn::begin()?;
        let stream = stream()?;
        drop(scope("work", || stream.alloc_zeros::<u8>(1 << 20))?);
        return Ok(());
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("at_exit.txt");
    let path = file.to_str().ok_or("the path is not UTF-8")?;
    again(name, &[("MEMPROF", "1"), ("MEMPROF_OUTPUT", path)])?;
    let report = std::fs::read_to_string(&file)?;
    if memprof_cuda_sim::load()?.is_real() {
        return Ok(());
    }
    let line = report.lines().find(|line| line.starts_with("cuda:0: device uses"));
    let line = line.ok_or_else(|| format!("no line says what the device has in use:\n{report}"))?;
    assert!(line.ends_with("; no context is left on the device: last known values"), "{line}");
    assert!(line.contains("attributed 0, pool reserve 2,097,152, unattributed 0"), "{line}");
    Ok(())
}
