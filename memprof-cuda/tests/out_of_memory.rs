//! When memory runs out: what is said, how often, and what a program can do instead. On the simulator; the numbers are its.

#![expect(unsafe_code, reason = "frees device memory")]

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memprof_core::{Scope, Site, Space};
use memprof_cuda::resource::{CudaAsyncMemory, CudaMemory, DeviceMemory, Limiting, PinnedHostMemory, Tracked};
use memprof_cuda::{Action, OutOfMemory, on_out_of_memory};

use self::resource::{Device, MIB, device, free, skipped};

mod resource;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const CHILD: &str = "OUT_OF_MEMORY_TEST_CHILD";

/// Runs `scenario` in a process of its own and gives what it wrote to stderr; `None` in that process, and where it said that it was
/// skipped, which is said here too.
fn stderr_of(test: &str, scenario: impl FnOnce() -> Outcome) -> Result<Option<String>, Box<dyn std::error::Error>> {
    if std::env::var_os(CHILD).is_some() {
        scenario()?;
        return Ok(None);
    }
    let mut child = Command::new(std::env::current_exe()?);
    let output = child.args(["--exact", test, "--nocapture"]).env(CHILD, "1").output()?;
    let text = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
    if let Some(why) = text.strip_prefix("skipped: ") {
        skipped(why.trim_end());
        return Ok(None);
    }
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("cuda simulator: ")).collect();
    lines.push("");
    Ok(Some(lines.join("\n")))
}

/// A device of 64 MiB; `None` where there is a GPU.
fn small_device() -> Result<Option<Device>, Box<dyn std::error::Error>> {
    let device = device()?;
    let Some(sim) = device.simulator() else { return Ok(None) };
    sim.set_memory_limit(64 * MIB as u64);
    on_out_of_memory(|_| Action::GiveUp);
    Ok(Some(device))
}

/// Allocates in scopes of these names, one within the other.
fn allocate_in(
    scopes: &[&str],
    resource: &dyn DeviceMemory,
    bytes: usize,
    device: &Device,
) -> Result<u64, memprof_cuda::Error> {
    match scopes.split_first() {
        Some((name, inner)) => {
            let _scope = Scope::enter(Site::named(name));
            allocate_in(inner, resource, bytes, device)
        }
        None => resource.allocate(bytes, &device.stream),
    }
}

const REPORT: &str = "\
out of memory in cuda:0: 40,000,000 bytes requested
cuda:0: 26,457,280 of 67,108,864 bytes free
    attributed 35,015,007, in the reserve of pools 636,577, unattributed 5,000,000 (contexts, modules, libraries, other processes)
largest owners of cuda:0, live bytes and blocks:
    20,000,000 1 train > forward
    15,000,000 2 train > optimizer
         3,000 1 train > layer 12
         2,000 1 train > layer 11
         1,000 1 train > layer 1
         1,000 1 train > layer 2
         1,000 1 train > layer 3
         1,000 1 train > layer 4
         1,000 1 train > layer 5
         1,000 1 train > layer 6
    and 5 more, with 4,007 bytes
scopes open on this thread, innermost first:
    backward
    train";

#[test]
fn the_report_says_who_holds_the_memory_once_per_burst() -> Outcome {
    let scenario = || {
        let Some(device) = small_device()? else { return Ok(()) };
        let sim = device.driver.simulator().ok_or("the simulator")?;
        sim.set_context_bytes(5_000_000);
        let resource = Tracked::new(CudaAsyncMemory);
        allocate_in(&["train", "forward"], &resource, 20_000_000, &device)?;
        allocate_in(&["train", "optimizer"], &resource, 14_000_000, &device)?;
        allocate_in(&["train", "optimizer"], &resource, 1_000_000, &device)?;
        for (layer, bytes) in (1..=12).zip([1000; 10].into_iter().chain([2000, 3000])) {
            allocate_in(&["train", &format!("layer {layer}")], &resource, bytes, &device)?;
        }
        resource.allocate(7, &device.stream)?;
        let fail = || {
            let failed = allocate_in(&["train", "backward"], &resource, 40_000_000, &device);
            failed.err().map(|error| error.to_string()).ok_or("it was allocated")
        };
        let first = fail()?;
        assert_eq!(first, format!("cannot allocate 40000000 bytes of cuda:0: out_of_memory\n{REPORT}"));
        assert_eq!(fail()?, "cannot allocate 40000000 bytes of cuda:0: out_of_memory", "the same burst");
        let pointer = resource.allocate(8, &device.stream)?;
        free(&resource, pointer, 8, &device.stream)?;
        assert_eq!(fail()?, first, "another burst");
        Ok(())
    };
    if let Some(text) = stderr_of("the_report_says_who_holds_the_memory_once_per_burst", scenario)? {
        let one = format!("memprof: cannot allocate 40000000 bytes of cuda:0: out_of_memory\n{REPORT}\n");
        assert_eq!(text, one.repeat(2));
    }
    Ok(())
}

#[test]
fn pinned_memory_says_nothing_of_a_device() -> Outcome {
    let scenario = || {
        let Some(device) = small_device()? else { return Ok(()) };
        let sim = device.driver.simulator().ok_or("the simulator")?;
        let resource = Tracked::new(PinnedHostMemory);
        let pointer = resource.allocate(1000, &device.stream)?;
        sim.fail_next("cuMemHostAlloc", 2, 1);
        assert!(resource.allocate(2000, &device.stream).is_err());
        Ok(free(&resource, pointer, 1000, &device.stream)?)
    };
    if let Some(text) = stderr_of("pinned_memory_says_nothing_of_a_device", scenario)? {
        let expected = "\
memprof: cannot allocate 2000 bytes of pinned: out_of_memory
out of memory in pinned: 2,000 bytes requested
pinned: 1,000 bytes attributed, in 1 block
largest owners of pinned, live bytes and blocks:
    1,000 1 (outside any scope)
no scope is open on this thread
";
        assert_eq!(text, expected);
    }
    Ok(())
}

#[test]
fn what_is_attributed_beyond_what_is_in_use_is_said() -> Outcome {
    let Some(device) = small_device()? else { return Ok(()) };
    let space = Space::device(0);
    memprof_core::record_alloc(space, 1, 1_000_000);
    let resource = Tracked::new(Limiting::new(CudaMemory, 1000));
    let error = resource.allocate(2000, &device.stream).err().ok_or("it was allocated")?.to_string();
    memprof_core::record_free(space, 1);
    let line =
        "    attributed 1,000,000, in the reserve of pools 0, which is 1,000,000 more than the device has in use";
    assert_eq!(error.lines().nth(3), Some(line), "{error}");
    Ok(())
}

#[test]
fn while_memprof_is_off_stderr_is_the_program_s_own_and_the_error_says_what_is_known() -> Outcome {
    let scenario = || {
        let Some(device) = small_device()? else { return Ok(()) };
        memprof_core::disable();
        let resource = Tracked::new(CudaMemory);
        let error = resource.allocate(128 * MIB, &device.stream).err().ok_or("it was allocated")?;
        let expected = "\
cannot allocate 134217728 bytes of cuda:0: out_of_memory
out of memory in cuda:0: 134,217,728 bytes requested
cuda:0: 67,108,864 of 67,108,864 bytes free
    in the reserve of pools 0
memprof is off, so nobody is known to hold it: run with MEMPROF=1 or call memprof::enable()";
        assert_eq!(error.to_string(), expected);
        Ok(())
    };
    let test = "while_memprof_is_off_stderr_is_the_program_s_own_and_the_error_says_what_is_known";
    if let Some(text) = stderr_of(test, scenario)? {
        assert_eq!(text, "");
    }
    Ok(())
}

#[test]
fn a_callback_that_frees_something_lets_the_allocation_succeed_and_nothing_is_said() -> Outcome {
    let scenario = || {
        let Some(device) = small_device()? else { return Ok(()) };
        let (resource, stream) = (Arc::new(Tracked::new(CudaMemory)), Arc::clone(&device.stream));
        let cached: Vec<u64> = (0..3).map(|_| resource.allocate(20 * MIB, &stream)).collect::<Result<_, _>>()?;
        let cached = Mutex::new(cached);
        let told = Arc::new(Mutex::new(Vec::new()));
        let (tell, upstream) = (Arc::clone(&told), Arc::clone(&resource));
        on_out_of_memory(move |problem: &OutOfMemory| {
            let device = problem.device.as_ref().map(|device| (device.total - device.used, device.total));
            let mut told = tell.lock().unwrap_or_else(PoisonError::into_inner);
            told.push((problem.space, problem.bytes, problem.attributed, problem.owners.len(), device));
            let evicted = cached.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let freed = evicted.is_some_and(|pointer| free(&upstream, pointer, 20 * MIB, &stream).is_ok());
            if freed { Action::Retry } else { Action::GiveUp }
        });
        let pointer = resource.allocate(40 * MIB, &device.stream)?;
        let mib = MIB as u64;
        let space = Space::device(0);
        let expected = [
            (space, 40 * mib, 62_914_560, 1, Some((4 * mib, 64 * mib))),
            (space, 40 * mib, 41_943_040, 1, Some((24 * mib, 64 * mib))),
        ];
        assert_eq!(*told.lock().unwrap_or_else(PoisonError::into_inner), expected);
        assert_eq!(memprof_core::snapshot().totals(space).failed, 2);
        Ok(free(&resource, pointer, 40 * MIB, &device.stream)?)
    };
    let test = "a_callback_that_frees_something_lets_the_allocation_succeed_and_nothing_is_said";
    if let Some(text) = stderr_of(test, scenario)? {
        assert_eq!(text, "");
    }
    Ok(())
}

#[test]
fn a_callback_that_frees_nothing_is_asked_16_times() -> Outcome {
    let Some(device) = small_device()? else { return Ok(()) };
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    on_out_of_memory(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Action::Retry
    });
    let resource = Tracked::in_space(CudaMemory, Space::named("asked again"));
    let error = resource.allocate(128 * MIB, &device.stream).err().ok_or("it was allocated")?;
    assert!(error.to_string().contains("out of memory in asked again: 134,217,728 bytes requested"), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 16);
    Ok(())
}

#[test]
fn a_callback_that_panics_fails_the_allocation_and_not_the_program() -> Outcome {
    let Some(device) = small_device()? else { return Ok(()) };
    on_out_of_memory(|_| std::panic::panic_any("spilling failed"));
    let resource = Tracked::in_space(CudaMemory, Space::named("panicked"));
    let error = resource.allocate(128 * MIB, &device.stream).err().ok_or("it was allocated")?;
    assert!(error.is_out_of_memory());
    let pointer = resource.allocate(1000, &device.stream)?;
    free(&resource, pointer, 1000, &device.stream)?;
    Ok(())
}

#[test]
fn a_callback_may_allocate_and_fail_and_register_another() -> Outcome {
    let Some(device) = small_device()? else { return Ok(()) };
    let resource = Arc::new(Tracked::in_space(CudaMemory, Space::named("nested")));
    let (upstream, stream) = (Arc::clone(&resource), Arc::clone(&device.stream));
    let nested = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&nested);
    on_out_of_memory(move |_| {
        let error = upstream.allocate(256 * MIB, &stream).err().map(|error| error.to_string());
        let small = upstream.allocate(1000, &stream).map(|pointer| free(&upstream, pointer, 1000, &stream).is_ok());
        seen.lock().unwrap_or_else(PoisonError::into_inner).push((error, small.ok()));
        on_out_of_memory(|_| Action::GiveUp);
        Action::GiveUp
    });
    for _ in 0..2 {
        assert!(resource.allocate(128 * MIB, &device.stream).is_err());
    }
    let plain = "cannot allocate 268435456 bytes of cuda:0: out_of_memory".to_owned();
    assert_eq!(*nested.lock().unwrap_or_else(PoisonError::into_inner), [(Some(plain), Some(true))]);
    Ok(())
}

#[test]
fn threads_that_fail_at_once_are_one_burst() -> Outcome {
    let scenario = || {
        let Some(device) = small_device()? else { return Ok(()) };
        let resource = Tracked::new(CudaMemory);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        assert!(resource.allocate(128 * MIB, &device.stream).is_err());
                    }
                });
            }
        });
        assert_eq!(memprof_core::snapshot().totals(Space::device(0)).failed, 40);
        Ok(())
    };
    if let Some(text) = stderr_of("threads_that_fail_at_once_are_one_burst", scenario)? {
        assert_eq!(text.matches("out of memory in cuda:0").count(), 1, "{text}");
    }
    Ok(())
}

#[test]
fn intercepted_code_is_answered_without_a_call_of_the_driver_and_wrappers_with_one() -> Outcome {
    let scenario = || {
        let Some(device) = small_device()? else { return Ok(()) };
        let _guard = memprof_cuda::intercept()?;
        let _scope = Scope::enter(Site::named("library"));
        let held = device.stream.alloc_zeros::<u8>(1_000_000)?;
        for _ in 0..3 {
            assert!(device.stream.alloc_zeros::<u8>(128 * MIB).is_err());
        }
        drop(device.stream.alloc_zeros::<u8>(1)?);
        let resource = Tracked::new(CudaMemory);
        let error = resource.allocate(256 * MIB, &device.stream).err().ok_or("it was allocated")?;
        let lines = error.to_string().lines().count();
        assert_eq!(lines, 8, "{error}");
        drop(device.stream.alloc_zeros::<u8>(1)?);
        assert!(device.stream.alloc_zeros::<u8>(128 * MIB).is_err());
        assert_eq!(memprof_core::snapshot().totals(Space::device(0)).failed, 5);
        drop(held);
        Ok(())
    };
    let owner = "\
largest owners of cuda:0, live bytes and blocks:
    1,000,000 1 library
scopes open on this thread, innermost first:
    library
";
    let numbers = "    attributed 1,000,000, in the reserve of pools 1,097,152, unattributed 0 (contexts, modules, libraries, other processes)";
    let expected = format!(
        "\
memprof: out of memory in cuda:0: 134,217,728 bytes requested
the device's own numbers are not known here
cuda:0: 1,000,000 bytes attributed, in 1 block
{owner}memprof: cannot allocate 268435456 bytes of cuda:0: out_of_memory
out of memory in cuda:0: 268,435,456 bytes requested
cuda:0: 65,011,712 of 67,108,864 bytes free
{numbers}
{owner}memprof: out of memory in cuda:0: 134,217,728 bytes requested
cuda:0: 65,011,712 of 67,108,864 bytes free (last known)
{numbers}
{owner}"
    );
    let test = "intercepted_code_is_answered_without_a_call_of_the_driver_and_wrappers_with_one";
    if let Some(text) = stderr_of(test, scenario)? {
        assert_eq!(text, expected);
    }
    Ok(())
}
