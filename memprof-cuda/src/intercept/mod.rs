//! Whole-process interception: every allocation and free of the CUDA driver, whoever asked for it.
//!
//! CUPTI, which comes with CUDA, calls a function of ours before and after each call of the driver, on the thread that
//! makes it. What is there to be told apart is in the modules below: where CUPTI is ([`library`]), what is watched
//! ([`calls`]), what a call asks for ([`request`]), which device and context it concerns ([`contexts`]), what is live
//! ([`blocks`], [`physical`]), and how a free that the driver refuses is taken back ([`pending`]). [`callback`] joins them.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memprof_core::__allocator::{blind, print_line};

use crate::error::{Error, Kind};
use crate::events;
use crate::intercept::ffi::{Cupti, Status, Subscriber};
use crate::intercept::library::Place;
use crate::{pools, reconcile};

mod array;
mod blocks;
mod callback;
mod calls;
mod contexts;
mod ffi;
mod library;
mod pending;
mod physical;
mod request;
mod survey;

pub(crate) use self::blocks::Freed;

/// Interception, for as long as this lives. See [`intercept`].
#[must_use = "interception ends when this is dropped: bind it to a name"]
#[derive(Debug)]
pub struct Intercepted {
    /// `false`: the environment installed it, for the life of the process.
    ends: bool,
}

/// What is installed in this process.
enum State {
    No,
    /// Until the guard is dropped.
    Guarded(&'static Cupti, Subscriber),
    /// The guard is dropped, and calls of wrappers are under way that count on it: until the last of them is over.
    Ending(&'static Cupti, Subscriber),
    /// For the life of the process.
    Always,
}

static STATE: Mutex<State> = Mutex::new(State::No);

/// The libraries that were loaded. A call that they have shown may still be under way, so they stay.
static LOADED: Mutex<Vec<(Place, &'static Cupti)>> = Mutex::new(Vec::new());

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records every allocation and free that the CUDA driver performs for anyone in the process, until the guard is
/// dropped: for candle, burn, cuBLAS, for cudarc without one type of memprof's.
///
/// ```no_run
/// let _guard = memprof_cuda::intercept()?;
/// // Whatever allocates CUDA memory from here on is attributed to the scope in which it does.
/// # Ok::<(), memprof_cuda::Error>(())
/// ```
///
/// Each call is charged where it happens: to the innermost scope of the thread that makes it. The tracked types and
/// [`Tracked`](crate::resource::Tracked) resources of this crate record nothing meanwhile in the spaces below, so that
/// nothing is counted twice; a resource's other spaces are its own to record, intercepted or not. A block that they allocated
/// before or under interception goes off the books when it is freed, under it or after it, and a call of theirs that is
/// under way when interception begins or ends is recorded once. For that last call's sake the subscription to CUPTI may
/// outlive the guard by as much.
///
/// # What is counted, and where
///
/// | memory | space | bytes |
/// |---|---|---|
/// | `cuMemAlloc`, `cuMemAllocPitch`, `cuMemAllocAsync`, `cuMemAllocFromPoolAsync` | the device's, `cuda:N` | as requested; of a pitched block, width times height |
/// | arrays and mipmapped arrays | `cuda:N` | of their elements, all levels; 0 for sparse ones |
/// | `cuMemCreate` | where its properties say: `cuda:N`, or `pinned` for the host's | as requested, once, however often it is mapped |
/// | `cuMemAllocManaged` | `managed` | as requested |
/// | `cuMemHostAlloc`, `cuMemAllocHost`, pools of host memory | `pinned` | as requested |
/// | `cuIpcOpenMemHandle` | `cuda:N`, of the current context | 0: they are the exporting process's, and in its numbers |
///
/// No bytes for which the driver gives the null pointer are no block: nothing tells the free of one from the free of
/// another, or of none. Where a tracked type or resource of this crate asked for them they are, as they record it
/// themselves. A block is freed by address, through whichever function. Physical memory of `cuMemCreate` is freed when its
/// last handle is released and its last mapping is gone. Another process's memory is one block, from when it is first
/// opened until it is closed as often as it was opened. A context that is destroyed, a primary one that is reset or
/// released for the last time, frees what was allocated or opened in it, but for physical memory, which belongs to no
/// context, and for what the tracked types allocated before interception began, which is freed when they are dropped. A
/// free is recorded before the driver's call and taken back if the driver refuses; a free of an address that nobody knows
/// is counted in `unknown_frees` once the driver has done it. An allocation that fails is counted in `failed`.
///
/// Not counted, and therefore part of what a report calls unattributed: contexts, modules, printf and device heaps,
/// local memory; memory that graphs allocate (nodes of `cuGraphAddMemAllocNode`; an allocation that is captured from
/// a stream counts from its capture until it is freed); imported memory of another process or interface (pool pointers,
/// shareable handles, mapped external memory); `cuMemHostRegister`, which allocates nothing. Blocks that were allocated
/// before interception began, by others than this crate's tracked types and resources, are unknown; blocks that others free
/// after it ended stay in the books until the end, or until their address is allocated again (`missed_frees`), and opened
/// memory until its context ends.
///
/// A callback may not ask the driver what a device has in use. Snapshots do, `MEMPROF_INTERVAL` with them, and the
/// guard when it is dropped: so drop it before the last context, or the report at exit says of the device what is
/// attributed, and that the rest is not known. A context whose device neither a call nor CUPTI has named has the
/// space `cuda:?`. An asynchronous block is of its stream's device, whichever context is current; but a stream that was
/// made before interception began is taken for one of the current context, as it nearly always is.
///
/// # Which CUPTI
///
/// The first of these that works with the driver: the one that the process has loaded, that of `CUDA_HOME` or
/// `CUDA_PATH`, what the loader finds as `libcupti.so`, those of `/usr/local/cuda` and `/opt/cuda`, and those of the
/// Python packages in `PYTHONPATH`, `VIRTUAL_ENV`, `CONDA_PREFIX`, `~/.local` and `/usr/local`
/// (`pip install nvidia-cuda-cupti`). To name one: [`intercept_with`]. CUDA 11.3 or later; no privilege is needed. With
/// `MEMPROF=1 MEMPROF_CUDA=intercept` it installs itself, for the life of the process, when the first context is created
/// through this crate; a guard from here then ends nothing.
///
/// # Cost
///
/// A callback of CUPTI before and after each call that allocates or frees, with a few look-ups in tables, and nothing
/// for any other call of the driver: on the simulator, whose own callbacks are in it, 0.35 µs for an allocation and its
/// free, and 0.66 µs with eight threads on two processors (`cargo bench -p memprof-cuda --bench events`; 0.3 to 1.5 µs
/// while the machine had other work). A context that is destroyed costs a walk over all live blocks.
///
/// # Errors
///
/// No CUDA driver ([`is_no_driver`](Error::is_no_driver)), no CUPTI library (where it was searched), another tool
/// subscribed to CUPTI already (before CUDA 13.3 there is one subscriber a process: Nsight Systems, Nsight Compute,
/// the profiler of `PyTorch`, compute-sanitizer ..), a CUPTI that does not fit the driver or is too old, interception
/// already active: which of these, and what to do.
pub fn intercept() -> Result<Intercepted, Error> {
    begin(library::places, false)
}

/// [`intercept`], with the CUPTI library in this file, and no other.
///
/// # Errors
///
/// Those of [`intercept`]; the file cannot be loaded, or is no CUPTI library.
pub fn intercept_with(library: impl AsRef<Path>) -> Result<Intercepted, Error> {
    begin(|| vec![Place::File(library.as_ref().to_owned())], false)
}

/// What `MEMPROF=1 MEMPROF_CUDA=intercept` asks for: interception for the life of the process. If it cannot be
/// had, one line on stderr says why, and the program runs on.
pub(crate) fn install_from_environment() {
    let _blind = blind();
    match begin(library::places, true) {
        // A guard that ends nothing.
        Ok(Intercepted { .. }) => {}
        Err(error) => print_line(&format!("memprof: MEMPROF_CUDA=intercept: {error}")),
    }
}

/// Subscribes to the first library that works, and begins to record.
fn begin(places: impl FnOnce() -> Vec<Place>, always: bool) -> Result<Intercepted, Error> {
    let _blind = blind();
    let mut state = state();
    match &*state {
        State::No => {}
        State::Always => return Ok(Intercepted { ends: false }),
        State::Ending(cupti, subscriber) => {
            // Still subscribed, so nothing that it goes by is out of date.
            let next = if always { State::Always } else { State::Guarded(cupti, *subscriber) };
            pools::set_watching(true);
            events::set_intercepted(true);
            *state = next;
            return Ok(Intercepted { ends: !always });
        }
        State::Guarded(..) if always => return Ok(Intercepted { ends: false }),
        State::Guarded(..) => {
            return Err(problem(
                "it is active in this process already: keep the one guard for as long as it is needed",
            ));
        }
    }
    let driver = survey::Driver::find()?;
    let active = driver.active_primaries();
    contexts::prepare();
    blocks::prepare();
    pending::prepare();
    let (cupti, subscriber) = subscribe(places())?;
    driver.learn(&active);
    pools::set_watching(true);
    events::set_intercepted(true);
    reconcile::watch_all();
    *state = if always { State::Always } else { State::Guarded(cupti, subscriber) };
    Ok(Intercepted { ends: !always })
}

impl Drop for Intercepted {
    fn drop(&mut self) {
        if !self.ends {
            return;
        }
        reconcile::interception_ends();
        let mut state = state();
        if let State::Guarded(cupti, subscriber) = *state {
            pools::set_watching(false);
            // From here on callbacks record nothing, but for the calls of wrappers that count on it.
            events::set_intercepted(false);
            *state = State::Ending(cupti, subscriber);
        }
        drop(state);
        end();
    }
}

/// Ends the subscription of an interception whose guard is dropped, unless calls are under way that count on it: the
/// last of them comes here again.
pub(crate) fn end() {
    let _blind = blind();
    let mut state = state();
    if let State::Ending(cupti, subscriber) = *state
        && !events::is_counted_on()
    {
        *state = State::No;
        if let Err(status) = cupti.unsubscribe(subscriber) {
            print_line(&format!("memprof: cannot end the interception of CUDA: {}", cupti.text(status)));
        }
    }
}

/// A block at this address is about to be freed, and interception will not see it: takes what it recorded there off the
/// books.
pub(crate) fn freed_unseen(address: u64) -> Option<Freed> {
    blocks::free_unseen(blocks::Key::address(address))
}

fn problem(problem: impl Into<String>) -> Error {
    Error::new(Kind::Interception { problem: problem.into() })
}

/// Tries the libraries in turn: a toolkit newer than the driver does not work, and an older one beside it may.
fn subscribe(places: Vec<Place>) -> Result<(&'static Cupti, Subscriber), Error> {
    let mut refusals: Vec<String> = Vec::new();
    for place in places {
        let refusal = match load(&place) {
            None => continue,
            Some(Err(refusal)) => refusal,
            Some(Ok(cupti)) => match cupti.subscribe(callback::callback) {
                Ok(subscriber) => match enable(cupti, subscriber) {
                    Ok(()) => return Ok((cupti, subscriber)),
                    Err(refusal) => {
                        let _nothing_more_to_do = cupti.unsubscribe(subscriber);
                        refusal
                    }
                },
                Err(Status::MULTIPLE_SUBSCRIBERS) => return Err(problem(taken(cupti))),
                Err(status) => refused(cupti, status),
            },
        };
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    if refusals.is_empty() {
        return Err(problem(format!(
            "no CUPTI library (libcupti.so) in {}; it comes with the CUDA toolkit and with `pip install \
             nvidia-cuda-cupti`: set CUDA_HOME or LD_LIBRARY_PATH, or name the file with intercept_with()",
            library::SEARCHED
        )));
    }
    Err(problem(refusals.join("; ")))
}

/// A library is loaded once, and is the same by all its names. `None`: there is none.
fn load(place: &Place) -> Option<Result<&'static Cupti, String>> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, cupti)) = loaded.iter().find(|(known, _)| known == place) {
        return Some(Ok(*cupti));
    }
    Some(place.load()?.map(|cupti| {
        let known = loaded.iter().find(|(_, known)| known.is(&cupti)).map(|(_, known)| *known);
        let cupti = known.unwrap_or_else(|| Box::leak(Box::new(cupti)));
        loaded.push((place.clone(), cupti));
        cupti
    }))
}

/// Has all that is watched shown. A library that does not know a function that programs of its time call is too old.
fn enable(cupti: &'static Cupti, subscriber: Subscriber) -> Result<(), String> {
    for watched in &calls::WATCHED {
        match cupti.enable(subscriber, ffi::DRIVER_API, watched.id) {
            Ok(()) => {}
            Err(Status::INVALID_PARAMETER) if watched.id > calls::LAST_REQUIRED => {}
            Err(status) => {
                return Err(format!(
                    "{} does not show calls of {}: {}; use the CUPTI of CUDA 11.3 or later",
                    named(cupti),
                    watched.name,
                    cupti.text(status)
                ));
            }
        }
    }
    // Without the first, a primary context's last release is known by counting; without the others, a stream is taken for
    // one of the current context.
    for id in [ffi::CONTEXT_DESTROY_STARTING, ffi::STREAM_CREATED, ffi::STREAM_DESTROY_STARTING] {
        let _better_if_it_can = cupti.enable(subscriber, ffi::RESOURCE, id);
    }
    Ok(())
}

fn named(cupti: &Cupti) -> String {
    let version = cupti.version().map_or_else(|| "version unknown".to_owned(), |version| format!("version {version}"));
    format!("CUPTI from {} ({version})", cupti.place)
}

fn taken(cupti: &Cupti) -> String {
    format!(
        "another tool is subscribed to CUPTI in this process: {}. Nsight Systems (nsys), Nsight Compute (ncu), cuda-gdb, \
         compute-sanitizer and the profilers of PyTorch and TensorFlow do that; run without it, or record through \
         memprof-cuda's tracked types instead. From CUDA 13.3 on, tools that allow it share CUPTI",
        cupti.text(Status::MULTIPLE_SUBSCRIBERS)
    )
}

fn refused(cupti: &Cupti, status: Status) -> String {
    let advice = match status {
        Status::NOT_INITIALIZED | Status::UNKNOWN | Status::NOT_COMPATIBLE => {
            "the CUDA driver does not run or is older than this CUPTI: check it with `nvidia-smi`, and use the CUPTI of \
             the CUDA version that it shows, or an older one"
        }
        _ => "this CUPTI cannot be used here",
    };
    format!("{}: {}: {advice}", named(cupti), cupti.text(status))
}
