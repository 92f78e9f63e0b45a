//! What is installed: which library is subscribed to, since when, and until when.
//!
//! There is one at a time in a process. Its guard gone, nothing more is recorded but the calls of wrappers that counted
//! on it; the last of them ends the subscription. A library that was loaded stays loaded, since a call that it has
//! shown may be under way. CUPTI and the driver are called with the lock of [`STATE`] held, which no callback takes.
//! Where libraries are is left to [`library`], what a callback does to [`callback`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use memprof_core::__allocator::{blind, print_line};

use super::ffi::{self, Cupti, Status, Subscriber};
use super::library::{self, Place};
use super::{blocks, callback, calls, contexts, pending, questions, survey};
use crate::error::{Error, Kind};
use crate::{captures, driver, events, pools, reconcile, relaxed};

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

/// Subscribes to the first library that works, and begins to record. Gives whether it is for the caller to end it.
pub(super) fn begin(places: impl FnOnce() -> Vec<Place>, always: bool) -> Result<bool, Error> {
    let _blind = blind();
    let mut state = state();
    match &*state {
        State::No => {}
        State::Always => return Ok(false),
        State::Ending(cupti, subscriber) => {
            // Still subscribed, so nothing that it goes by is out of date.
            let next = if always { State::Always } else { State::Guarded(cupti, *subscriber) };
            pools::set_watching(true);
            events::set_intercepted(true);
            *state = next;
            return Ok(!always);
        }
        State::Guarded(..) if always => return Ok(false),
        State::Guarded(..) => {
            return Err(problem(
                "it is active in this process already: keep the one guard for as long as it is needed",
            ));
        }
    }
    let driver = survey::Driver::find()?;
    let active = relaxed::while_relaxed(|| driver.active_primaries());
    contexts::prepare();
    questions::prepare();
    blocks::prepare();
    pending::prepare();
    events::ends_with(end);
    let (cupti, subscriber) = subscribe(places())?;
    relaxed::while_relaxed(|| driver.learn(&active));
    captures::interception_begins();
    pools::set_watching(true);
    events::set_intercepted(true);
    reconcile::watch_all();
    *state = if always { State::Always } else { State::Guarded(cupti, subscriber) };
    Ok(!always)
}

/// The guard is gone: nothing is recorded from here on, but for the calls of wrappers that count on it.
pub(super) fn leave() {
    reconcile::interception_ends();
    let mut state = state();
    if let State::Guarded(cupti, subscriber) = *state {
        pools::set_watching(false);
        events::set_intercepted(false);
        *state = State::Ending(cupti, subscriber);
    }
    drop(state);
    end();
}

/// Ends the subscription of an interception whose guard is dropped, unless calls are under way that count on it: the
/// last of them comes here again.
fn end() {
    let _blind = blind();
    let mut state = state();
    if let State::Ending(cupti, subscriber) = *state
        && !events::is_counted_on()
    {
        *state = State::No;
        captures::interception_ends();
        if let Err(status) = cupti.unsubscribe(subscriber) {
            print_line(&format!("memprof: cannot end the interception of CUDA: {}", cupti.text(status)));
        }
    }
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
                Err((Status::MULTIPLE_SUBSCRIBERS, named)) => return Err(problem(taken(cupti, &named))),
                Err((status, _)) => refused(cupti, status),
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

/// Has all that is watched shown. A function that this library does not show is left out: what it allocates is not counted, which
/// one line on stderr says if the driver has that function. Refused is only a library that shows none.
fn enable(cupti: &'static Cupti, subscriber: Subscriber) -> Result<(), String> {
    let mut left_out = Vec::new();
    for watched in calls::WATCHED {
        if let Err(status) = cupti.enable(subscriber, ffi::DRIVER_API, watched.id) {
            left_out.push((watched.name, status));
        }
    }
    let shown = calls::WATCHED.len() - left_out.len();
    if let (0, Some((name, status))) = (shown, left_out.first()) {
        return Err(format!("{} shows no call of the driver, not even {name}: {}", named(cupti), cupti.text(*status)));
    }
    let missed: Vec<&str> =
        left_out.iter().map(|(name, _)| *name).filter(|name| driver::require(&[*name]).is_ok()).collect();
    if !missed.is_empty() {
        print_line(&format!(
            "memprof: {} does not show calls of {}: what they allocate and free is not counted; use the CUPTI of the \
             driver's own version",
            named(cupti),
            missed.join(", ")
        ));
    }
    // Without the first, a primary context's end is known once its last release is over, and that of one which `cuCtxDetach` ends not at
    // all; without the others, a stream is taken for one of the current context.
    for id in [ffi::CONTEXT_DESTROY_STARTING, ffi::STREAM_CREATED, ffi::STREAM_DESTROY_STARTING] {
        let _better_if_it_can = cupti.enable(subscriber, ffi::RESOURCE, id);
    }
    Ok(())
}

fn named(cupti: &Cupti) -> String {
    let version = cupti.version().map_or_else(|| "version unknown".to_owned(), |version| format!("version {version}"));
    format!("CUPTI from {} ({version})", cupti.place)
}

fn taken(cupti: &Cupti, named: &str) -> String {
    let named = if named.is_empty() { String::new() } else { format!(" ({named:?})") };
    format!(
        "another tool is subscribed to CUPTI in this process{named}: {}. Nsight Systems (nsys), Nsight Compute (ncu), cuda-gdb, \
         compute-sanitizer and the profilers of PyTorch and TensorFlow do that; run without it, or record through \
         memprof-cuda's tracked types instead. From CUDA 13.3 on, with a driver of that version (r610), tools that allow it share \
         CUPTI, and memprof does: use the CUPTI of 13.3 or later, and let the other tool allow it too",
        cupti.text(Status::MULTIPLE_SUBSCRIBERS)
    )
}

fn refused(cupti: &Cupti, status: Status) -> String {
    let advice = match status {
        Status::NOT_INITIALIZED | Status::UNKNOWN | Status::NOT_COMPATIBLE | Status::NOT_SUPPORTED => {
            "the CUDA driver does not run or is older than this CUPTI: check it with `nvidia-smi`, and use the CUPTI of \
             the CUDA version that it shows, or an older one"
        }
        _ => "this CUPTI cannot be used here",
    };
    format!("{}: {}: {advice}", named(cupti), cupti.text(status))
}
