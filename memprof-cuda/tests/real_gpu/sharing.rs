//! CUPTI itself: who else is subscribed, and which libraries do.
#![expect(unsafe_code, reason = "CUPTI is C")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use cudarc::driver::{CudaContext, result};

use crate::ground::calls;
use crate::ground::{Gpu, Outcome, saw, skipped};

const INSIDE: &str = "REAL_GPU_LIBRARY";

/// The file of the CUPTI that this process has loaded.
fn loaded(gpu: &Gpu) -> Result<PathBuf, Box<dyn std::error::Error>> {
    if let Some(sim) = gpu.driver.simulator() {
        return Ok(sim.path().to_owned());
    }
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let paths = maps.lines().filter_map(|line| line.find('/').map(|start| &line[start..]));
    Ok(paths.filter(|path| path.contains("libcupti")).map(PathBuf::from).next().ok_or("no CUPTI is loaded")?)
}

/// The CUPTI libraries that `scripts/gpu-check` has found or carried.
fn libraries() -> Vec<PathBuf> {
    let listed = env::var_os("GPU_CHECK_CUPTI").unwrap_or_default();
    env::split_paths(&listed).filter(|path| path.is_file()).collect()
}

/// The numbers of functions that CUPTI has, up to CUDA 13.5's last.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=877;
/// Of the resource domain: a context's end, a stream made and destroyed.
const RESOURCES: [u32; 3] = [2, 3, 4];

/// Numbers, those that follow one another as a range.
fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[u32]| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<_>>().join(" ")
}

/// What a CUPTI answers itself: its version, to a subscriber, and to each number of a function by itself, with the statuses.
fn statuses(library: &Path) -> Result<String, Box<dyn std::error::Error>> {
    type Version = unsafe extern "C" fn(*mut u32) -> u32;
    type Subscribe = unsafe extern "C" fn(*mut *mut c_void, calls::CuptiCallback, *mut c_void) -> u32;
    type Enable = unsafe extern "C" fn(u32, *mut c_void, u32, u32) -> u32;
    type Unsubscribe = unsafe extern "C" fn(*mut c_void) -> u32;
    const DRIVER: u32 = 1;
    const RESOURCE: u32 = 3;

    // SAFETY: CUPTI does nothing when it is loaded.
    let library = unsafe { libloading::Library::new(library) }?;
    // It stays loaded: what it began may go on.
    let library = Box::leak(Box::new(library));
    // SAFETY: CUPTI's headers declare it so.
    let version = unsafe { library.get::<Version>(b"cuptiGetVersion\0") }?;
    // SAFETY: as above.
    let subscribe = unsafe { library.get::<Subscribe>(b"cuptiSubscribe\0") }?;
    // SAFETY: as above.
    let enable = unsafe { library.get::<Enable>(b"cuptiEnableCallback\0") }?;
    // SAFETY: as above.
    let unsubscribe = unsafe { library.get::<Unsubscribe>(b"cuptiUnsubscribe\0") }?;
    // SAFETY: the function is only looked up.
    let shares = unsafe { library.get::<*const ()>(b"cuptiSubscribe_v2\0") }.is_ok();
    let (mut number, mut own) = (0, std::ptr::null_mut());
    // SAFETY: a place for the number.
    unsafe { version(&raw mut number) };
    // SAFETY: a place for the handle; the callback does nothing.
    let subscribed = unsafe { subscribe(&raw mut own, calls::deaf, std::ptr::null_mut()) };
    let head = format!("version {number}, may share: {shares}, subscribed: {subscribed}");
    if subscribed != 0 {
        return Ok(head);
    }
    // SAFETY: our own handle.
    let status = |domain, number| unsafe { enable(1, own, domain, number) };
    let mut refused = BTreeMap::<u32, Vec<u32>>::new();
    for number in NUMBERS {
        refused.entry(status(DRIVER, number)).or_default().push(number);
    }
    let shown = refused.remove(&0).unwrap_or_default().len();
    let resources = RESOURCES.map(|number| status(RESOURCE, number));
    // SAFETY: our own handle.
    let over = unsafe { unsubscribe(own) };
    let refused = refused.iter().map(|(status, numbers)| format!("status {status} for {}", ranges(numbers)));
    let refused = refused.collect::<Vec<_>>().join(", ");
    Ok(format!("{head} and over: {over}; resources {RESOURCES:?}: {resources:?}; {shown} functions shown, {refused}"))
}

/// Says on stdout what a library answers, and how memprof fares with it.
#[expect(clippy::print_stdout, reason = "the check that runs this reads it")]
fn look_at(gpu: &Gpu, library: &Path) -> Outcome {
    println!("{SAID}{}", statuses(library)?);
    let guard = memprof_cuda::intercept_with(library);
    println!("{SAID}interception: {}", guard.as_ref().map_or_else(ToString::to_string, |_| "works".to_owned()));
    // One for a newer driver than this is refused, and every one where the driver is simulated: that is no fault.
    let Ok(_guard) = guard else { return Ok(()) };
    assert!(gpu.is_real() || gpu.driver.simulator().is_some_and(|sim| sim.path() == library));
    calls::free(calls::allocate(1000)?)?;
    assert_eq!(calls::totals(crate::ground::device()).blocks_total, 1, "it shows nothing");
    Ok(())
}

const SAID: &str = "said: ";

/// `scripts/gpu-check` runs this once for each library, which makes a row for each.
#[test]
fn each_cupti_subscribes_and_shows_each_function_by_its_number() -> Outcome {
    const TEST: &str = "sharing::each_cupti_subscribes_and_shows_each_function_by_its_number";
    let gpu = Gpu::take()?;
    if let Some(library) = env::var_os(INSIDE) {
        return look_at(&gpu, Path::new(&library));
    }
    let mut libraries = libraries();
    match gpu.driver.simulator() {
        Some(sim) if libraries.is_empty() => libraries.push(sim.path().to_owned()),
        None if libraries.is_empty() => skipped("no CUPTI was found or carried"),
        _ => {}
    }
    let mut seen = Vec::new();
    for library in libraries {
        // A process of its own: a library that is loaded stays.
        let mut run = Command::new(env::current_exe()?);
        run.args(["--exact", TEST, "--nocapture", "--test-threads=1"]).env(INSIDE, &library);
        let output = run.output()?;
        let (said, note) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said = said.lines().filter_map(|line| line.find(SAID).map(|start| &line[start + SAID.len()..]));
        let note = note.lines().filter(|line| line.contains("does not show calls"));
        let said = said.chain(note).collect::<Vec<_>>().join("; ");
        saw(format!("{}: {said}", library.display()));
        let ended = output.status;
        assert!(ended.success(), "{}: {ended}: {}", library.display(), String::from_utf8_lossy(&output.stderr));
        seen.push((library, said));
    }
    if let Some(sim) = gpu.driver.simulator()
        && let Some((_, said)) = seen.iter().find(|(library, _)| library == sim.path())
    {
        let expected = "version 26, may share: true, subscribed: 0 and over: 0; resources [2, 3, 4]: [0, 0, 0]; 778 functions shown, \
                        status 1 for 25 28 30 32 34";
        assert!(said.starts_with(expected) && said.ends_with("868-877; interception: works"), "{said}");
    }
    Ok(())
}

#[test]
fn a_second_subscriber_is_refused_or_shares_and_nobody_is_disturbed() -> Outcome {
    type Subscribe = unsafe extern "C" fn(*mut *mut c_void, calls::CuptiCallback, *mut c_void) -> u32;
    type Unsubscribe = unsafe extern "C" fn(*mut c_void) -> u32;

    let gpu = Gpu::take()?;
    let guard = memprof_cuda::intercept()?;
    // SAFETY: it is loaded already.
    let library = unsafe { libloading::Library::new(loaded(&gpu)?) }?;
    // SAFETY: CUPTI's headers declare it so.
    let subscribe = unsafe { library.get::<Subscribe>(b"cuptiSubscribe\0") }?;
    // SAFETY: as above.
    let unsubscribe = unsafe { library.get::<Unsubscribe>(b"cuptiUnsubscribe\0") }?;
    let mut other = std::ptr::null_mut();
    // SAFETY: a place for the handle; the callback does nothing.
    let second = unsafe { subscribe(&raw mut other, calls::deaf, std::ptr::null_mut()) };
    calls::free(calls::allocate(1000)?)?;
    let seen = calls::totals(crate::ground::device()).blocks_total;
    if second == 0 {
        // SAFETY: the handle that was given.
        unsafe { unsubscribe(other) };
    }
    drop(guard);
    // SAFETY: as above.
    let first = unsafe { subscribe(&raw mut other, calls::deaf, std::ptr::null_mut()) };
    let refused = memprof_cuda::intercept().map(drop).err().map(|error| error.to_string());
    // SAFETY: the handle that was given.
    unsafe { unsubscribe(other) };
    saw(format!("second after memprof: {second}; memprof after a first ({first}): {refused:?}"));
    assert_eq!((seen, first), (1, 0));
    drop(memprof_cuda::intercept()?);
    Ok(())
}

/// What a subscriber of our own was told of the resource domain: which of it, context and handle.
static TOLD: Mutex<Vec<(u32, usize, usize)>> = Mutex::new(Vec::new());

unsafe extern "C" fn tell(_user: *mut c_void, domain: u32, number: u32, data: *const c_void) {
    const RESOURCE: u32 = 3;
    if domain == RESOURCE && !data.is_null() {
        // SAFETY: a resource's data begins with the context and the handle.
        let [context, handle] = unsafe { data.cast::<[usize; 2]>().read_unaligned() };
        TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, context, handle));
    }
}

#[test]
fn streams_and_contexts_are_told_of_by_their_handles() -> Outcome {
    type Subscribe = unsafe extern "C" fn(*mut *mut c_void, calls::CuptiCallback, *mut c_void) -> u32;
    type Enable = unsafe extern "C" fn(u32, *mut c_void, u32, u32) -> u32;
    type Unsubscribe = unsafe extern "C" fn(*mut c_void) -> u32;

    let gpu = Gpu::take()?;
    // Finds and loads the library.
    drop(memprof_cuda::intercept()?);
    // SAFETY: it is loaded already.
    let library = unsafe { libloading::Library::new(loaded(&gpu)?) }?;
    // SAFETY: CUPTI's headers declare it so.
    let subscribe = unsafe { library.get::<Subscribe>(b"cuptiSubscribe\0") }?;
    // SAFETY: as above.
    let enable = unsafe { library.get::<Enable>(b"cuptiEnableCallback\0") }?;
    // SAFETY: as above.
    let unsubscribe = unsafe { library.get::<Unsubscribe>(b"cuptiUnsubscribe\0") }?;
    let mut own = std::ptr::null_mut();
    // SAFETY: a place for the handle.
    assert_eq!(unsafe { subscribe(&raw mut own, tell, std::ptr::null_mut()) }, 0);
    // A context's end, a stream made and destroyed.
    for number in [2, 3, 4] {
        // SAFETY: our own handle.
        assert_eq!(unsafe { enable(1, own, 3, number) }, 0);
    }
    let context = calls::create_context(0)?;
    let stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
    // SAFETY: made above.
    unsafe { result::stream::destroy(stream) }?;
    calls::destroy_context(context)?;
    gpu.context.bind_to_thread()?;
    let primary = gpu.context.cu_ctx().addr();
    // What is in it is not used again.
    calls::reset_primary(0)?;
    // SAFETY: our own handle.
    unsafe { unsubscribe(own) };
    let told = std::mem::take(&mut *TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let (context, stream) = (context.addr(), stream.addr());
    // Of a reset the books need not be told: they see its own call. Whether they are is only said.
    let of_reset = told.iter().any(|(number, of, _)| (*number, *of) == (2, primary));
    saw(format!("context {context:#x}, stream {stream:#x}; of the primary's reset: {of_reset}; told {told:x?}"));
    for expected in [(3, context, stream), (4, context, stream)] {
        assert!(told.contains(&expected), "not told of {expected:x?}");
    }
    assert!(told.iter().any(|(number, of, _)| (*number, *of) == (2, context)), "not told of the context's end");
    Ok(())
}

#[test]
fn a_primary_context_that_is_reset_is_off_the_books_by_its_own_call() -> Outcome {
    let _gpu = Gpu::take()?;
    let _guard = memprof_cuda::intercept()?;
    let context = CudaContext::new(0)?;
    calls::allocate(1000)?;
    calls::reset_primary(0)?;
    saw(format!("{:?} live after the reset", calls::live(crate::ground::device())));
    assert_eq!(calls::live(crate::ground::device()), (0, 0));
    drop(context);
    Ok(())
}
