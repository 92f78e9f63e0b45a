//! A driver that lacks one function, whichever it is: an error that names it, or the rest goes on without. cudarc
//! panics at a function that is not there.
//!
//! Each time the simulator's own file is copied with one name changed, for a process of its own. Which names those are,
//! the tour says itself: the functions that it calls where all are there.

#![expect(unsafe_code, reason = "memory that nobody reads, and a pool of the driver")]
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::Command;

use cudarc::driver::{DriverError, sys};
use memprof_cuda::{TrackedExt as _, intercept_with};

use crate::ground::alone;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Set for a process that goes on the tour.
const IS_ON_TOUR: &str = "CUDA_TEST_TOUR";

#[test]
fn whichever_function_the_driver_lacks_is_named_or_not_needed() -> Outcome<()> {
    if env::var_os(IS_ON_TOUR).is_some() {
        return tour();
    }
    let whole = alone()?.1.path().to_owned();
    let (refused, called) = sent_with(&whole)?;
    assert_eq!(refused, [""; 0], "with all functions");
    assert!(called.contains("cuMemAllocFromPoolAsync") && called.len() > 40, "{called:?}");
    for name in &called {
        let (refused, _) = sent_with(&without(&whole, name)?).map_err(|error| format!("without {name}: {error}"))?;
        let expected: Vec<_> = steps_that_need(name)
            .iter()
            .map(|step| format!("{step}: the CUDA driver has no function {name}: it is too old"))
            .collect();
        assert_eq!(refused, expected);
    }
    Ok(())
}

/// The steps of the tour that fail without this function; where the first one does, there is no other.
fn steps_that_need(name: &str) -> &'static [&'static str] {
    match name {
        "cuStreamCreateWithPriority" => &["new_stream_with_priority"],
        "cuMemAllocFromPoolAsync" => &["alloc_from_pool"],
        "cuMemGetAllocationGranularity"
        | "cuMemAddressReserve"
        | "cuMemAddressFree"
        | "cuMemCreate"
        | "cuMemRelease"
        | "cuMemMap"
        | "cuMemUnmap"
        | "cuMemSetAccess" => &["map"],
        // What a snapshot asks, if it can.
        "cuDeviceGetDefaultMemPool"
        | "cuDeviceGetMemPool"
        | "cuMemPoolGetAttribute"
        | "cuCtxPushCurrent_v2"
        | "cuCtxPopCurrent_v2"
        | "cuStreamIsCapturing"
        | "cuThreadExchangeStreamCaptureMode" => &[],
        "cuCtxGetDevice" | "cuDevicePrimaryCtxGetState" => &["intercept"],
        _ => &["context"],
    }
}

/// Sends a process on the tour with this driver: what it could not do there, and the driver's functions that it called.
fn sent_with(driver: &Path) -> Outcome<(Vec<String>, BTreeSet<String>)> {
    let mut process = Command::new(env::current_exe()?);
    process.args([
        "missing_functions::whichever_function_the_driver_lacks_is_named_or_not_needed",
        "--exact",
        "--nocapture",
    ]);
    process.envs([("CUDA_SIM_LIBRARY", driver.as_os_str()), ("CUDA_SIM_LOG", OsStr::new("1"))]);
    let output = process.env(IS_ON_TOUR, "1").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains("panicked") {
        let but_calls: Vec<_> = said.lines().filter(|line| !line.starts_with("cuda simulator: ")).collect();
        return Err(but_calls.join("\n").into());
    }
    let after = |start: &'static str| said.lines().filter_map(move |line| line.strip_prefix(start));
    let calls = after("cuda simulator: ").filter_map(|line| Some(line.split_once(" -> ")?.0.to_owned()));
    // The tour's own.
    let called = calls.filter(|name| !["cuMemPoolCreate", "cuMemPoolDestroy"].contains(&name.as_str()));
    Ok((after("refused ").map(str::to_owned).collect(), called.collect()))
}

/// A copy of the driver in which this function has another name.
fn without(driver: &Path, name: &str) -> Outcome<PathBuf> {
    let mut file = fs::read(driver)?;
    let text = [b"\0", name.as_bytes(), b"\0"].concat();
    // The names that the loader looks up come first in the file.
    let place = file.windows(text.len()).position(|part| part == text).ok_or("it is not in the simulator's file")?;
    file[place + 1] = b'_';
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libcuda_without_one_function.so");
    fs::write(&copy, file)?;
    Ok(copy)
}

/// Everything that the tracked types do. Says on stderr what is refused.
#[expect(clippy::print_stderr, reason = "read by the test that has sent this process")]
fn tour() -> Outcome<()> {
    let sim = memprof_cuda_sim::load_simulator()?;
    memprof_core::enable();
    let refused = |step: &str, error: memprof_cuda::Error| eprintln!("\nrefused {step}: {error}");
    let context = match memprof_cuda::context(0) {
        Ok(context) => context.tracked(),
        Err(error) => {
            refused("context", error);
            return Ok(());
        }
    };
    let stream = context.default_stream();
    let ones = stream.clone_htod(&[1_u8; 10])?;
    let mut copies = vec![stream.clone_dtod(&ones)?, ones.try_clone()?, stream.alloc_zeros(10)?, stream.null()?];
    let vector: Vec<u8> = ones.try_into()?;
    assert_eq!(vector, [1; 10]);
    let (adopted, plain) = (copies.remove(0).leak(), copies.remove(0).into_inner());
    // SAFETY: leaked just now.
    copies.extend([unsafe { stream.upgrade_device_ptr(adopted, 10) }, plain.into()]);
    drop(copies);
    // SAFETY: nobody reads it.
    drop(unsafe { stream.pinned::<u8>(10) }?);
    // SAFETY: nobody reads it.
    drop(unsafe { stream.managed::<u8>(10, true) }?);
    // SAFETY: nobody reads it.
    unsafe { stream.map::<u8>(10) }.map_or_else(|error| refused("map", error), drop);
    let pool = pool()?;
    // SAFETY: the pool is there; nobody reads the memory.
    let pooled = unsafe { stream.alloc_from_pool::<u8>(pool, 10) };
    pooled.map_or_else(
        |error| refused("alloc_from_pool", error),
        |slice| {
            assert_eq!(memprof_core::snapshot().devices().len(), 1);
            drop(slice);
        },
    );
    // SAFETY: made above, and empty.
    unsafe { sys::cuMemPoolDestroy(pool) }.result()?;
    let with_priority = context.new_stream_with_priority(0);
    with_priority.map_or_else(|error| refused("new_stream_with_priority", error), drop);
    let other = context.new_stream()?.fork()?;
    other.memcpy_dtoh(&stream.alloc_zeros::<u8>(10)?, &mut [1; 10])?;
    match intercept_with(sim.path()) {
        Ok(_guard) => drop(stream.alloc_zeros::<u8>(10)?),
        Err(error) => refused("intercept", error),
    }
    drop((other, stream, context));
    assert_eq!(memprof_core::snapshot().totals("cuda:0").live_blocks, 0);
    Ok(())
}

/// A memory pool of the first device.
fn pool() -> Result<sys::CUmemoryPool, DriverError> {
    let mut properties = MaybeUninit::<sys::CUmemPoolProps>::zeroed();
    // Pinned memory, no handles to share it by, on a device: the first.
    // SAFETY: the first four words of the properties.
    unsafe { properties.as_mut_ptr().cast::<[u32; 4]>().write([1, 0, 1, 0]) };
    let mut pool = std::ptr::null_mut();
    // SAFETY: a place for the result, and properties.
    unsafe { sys::cuMemPoolCreate(&raw mut pool, properties.as_ptr()) }.result()?;
    Ok(pool)
}
