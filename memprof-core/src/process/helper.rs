//! memprof's own thread: it writes reports every so often, when a signal asks for one, and at the end of the process.
//!
//! It starts with the first scope of a process that was started with `MEMPROF=1`, and waits. What asks it for
//! something may be a signal handler: that sets a bit, posts a semaphore, and allocates and locks nothing. At the
//! end of the process whoever ends it waits for the report, for a bounded time. It is written here and not there,
//! because this thread has a stack of its own; the room that is set aside when it starts is given back for the last
//! report; and where even that is not enough, this thread alone stays where it is: the process ends as it would
//! have without memprof.
//!
//! ```text
//! first scope ──► start ──► waits ◄──────────────────────────────────────────┐
//!                             │ REFUSED   says who holds the memory          │
//!                             │ LAST      the last report, then posts back   │
//!                             │ NOW       a report, for MEMPROF_SIGNAL       │
//!                             └ in time   a file, by interval or by rise ────┘
//! ```
//!
//! What is asked for is a set of bits and not a queue: asking twice before it is done is asking once.

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::OnceLock;
use std::time::Instant;

use crate::base::blind;
use crate::base::pages::Aside;
use crate::base::platform;
use crate::base::semaphore::Semaphore;
use crate::names::path::PathId;
use crate::process::http::published;
use crate::process::settings::Settings;
use crate::process::shortage::{self, Said, Shortage};
use crate::process::{begun, watch::Watch, writer};

/// A report now: `MEMPROF_SIGNAL`.
const NOW: u32 = 1;
/// The last report: the process ends, and whoever ends it waits.
const LAST: u32 = 1 << 1;
/// Upstream refused an allocation.
const REFUSED: u32 = 1 << 2;

static ASKED: AtomicU32 = AtomicU32::new(0);
static SOMETHING_IS_ASKED: Semaphore = Semaphore::new();
static LAST_IS_WRITTEN: Semaphore = Semaphore::new();
static HAS_BEGUN: Semaphore = Semaphore::new();
/// The process that has this thread; a forked child does not.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Room in the address space for the last report, or as much of it as there was.
static ASIDE: Aside = Aside::new();
/// The same for what is said of a refused allocation: the program goes on, and may take what is given back.
static ASIDE_FOR_A_REFUSAL: Aside = Aside::new();

/// What is set aside. Nothing of it is memory until it is given back and used.
const SET_ASIDE: usize = 8 << 20;
const SET_ASIDE_FOR_A_REFUSAL: usize = 4 << 20;
/// What the standard library gives a thread. It looks for another wish in the environment unless told, and at a fork
/// a thread that the child lacks may hold the lock on that.
const STACK: usize = 2 << 20;

thread_local! {
    static IS_THIS: Cell<bool> = const { Cell::new(false) };
}

/// What the thread was started with.
static SETTINGS: OnceLock<&'static Settings> = OnceLock::new();

/// Whether this process, not the one it was forked from, was given the thread.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Whether [`start`] has nothing to do: a load, for whatever begins an activation.
#[inline]
pub(crate) fn has_started() -> bool {
    STARTED.load(Ordering::Relaxed)
}

/// Starts the thread, once a process.
///
/// It waits for the thread to begin: what the thread needs memory for is done by then. Whoever enters
/// scopes at the same moment does not wait for that.
pub(crate) fn start(settings: &'static Settings) {
    // A forked child that has no file to report to reports nothing.
    if !settings.enabled || writer::is_forked() && settings.output.is_none() || STARTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let _blind = blind::enter();
    SOMETHING_IS_ASKED.begin();
    LAST_IS_WRITTEN.begin();
    HAS_BEGUN.begin();
    ASIDE.take(SET_ASIDE);
    ASIDE_FOR_A_REFUSAL.take(SET_ASIDE_FOR_A_REFUSAL);
    SETTINGS.get_or_init(|| settings);
    match platform::spawn(STACK, serve) {
        Ok(()) => {
            // From there on it needs no memory until it is asked for something, whatever the program does with all
            // that there is.
            HAS_BEGUN.wait(Duration::from_secs(2));
            PROCESS.store(std::process::id(), Ordering::Release);
        }
        Err(error) => platform::print_line(&format!(
            "memprof: cannot start a thread: {error}; the report comes when the process exits, and not before"
        )),
    }
}

/// Has a forked child start a thread of its own at its next scope. Whether it was there to be forgotten. Neither
/// allocates nor locks.
pub(crate) fn forget() -> bool {
    PROCESS.store(0, Ordering::Relaxed);
    ASKED.store(0, Ordering::Relaxed);
    STARTED.swap(false, Ordering::Relaxed)
}

/// Whether this process has the thread.
pub(crate) fn is_there() -> bool {
    PROCESS.load(Ordering::Acquire) == std::process::id()
}

/// Whether this is it.
pub(crate) fn is_this() -> bool {
    IS_THIS.get()
}

/// Asks for a report now. For a signal handler.
#[cfg(all(target_os = "linux", feature = "runtime"))]
pub(crate) fn ask_for_one() {
    if is_there() {
        ASKED.fetch_or(NOW, Ordering::AcqRel);
        SOMETHING_IS_ASKED.post();
    }
}

/// Upstream refused so many bytes where `path` is open. Neither allocates nor locks.
///
/// The program may be about to end for lack of memory, so what is known is two words, and the text is made by the
/// other thread.
pub(crate) fn tell_of_refusal(path: PathId, bytes: u64) {
    if is_there() && !is_this() && shortage::note_refusal(path, bytes) {
        ASKED.fetch_or(REFUSED, Ordering::AcqRel);
        SOMETHING_IS_ASKED.post();
    }
}

/// Asks for the last report, and waits until it is written, at most so long. For a signal handler too. `false`:
/// there is no thread.
///
/// It sets a bit, posts a semaphore, and waits for another: that is allowed in a signal handler
/// (`signal-safety(7)`), where waiting for a lock is not.
pub(crate) fn finish(patience: Duration) -> bool {
    let is_there = is_there();
    if is_there && !is_this() {
        ASKED.fetch_or(LAST, Ordering::AcqRel);
        SOMETHING_IS_ASKED.post();
        LAST_IS_WRITTEN.wait(patience);
    }
    is_there
}

/// The thread is about to be the end of the process: it stays where it is instead, for good, and the process goes
/// on without it.
#[cfg(all(target_os = "linux", feature = "runtime"))]
pub(crate) fn give_up() -> ! {
    PROCESS.store(0, Ordering::Release);
    platform::print("memprof: the system has no memory left for the report\n");
    LAST_IS_WRITTEN.post();
    loop {
        platform::pause();
    }
}

/// What the thread runs, until the process ends. Reports are written one after another; what takes long is done
/// blind, so a fork waits for it.
fn serve() {
    let Some(settings) = SETTINGS.get().copied() else { return };
    IS_THIS.set(true);
    platform::block_signals();
    let (mut shortage, mut watch) = {
        let _blind = blind::enter();
        (Shortage::begin(), Watch::begin(settings))
    };
    HAS_BEGUN.post();
    let mut next = settings.interval.and_then(|interval| Instant::now().checked_add(interval));
    loop {
        let until_next = next.map(|next| next.saturating_duration_since(Instant::now()));
        let patience = [until_next, watch.every(), shortage.every()].into_iter().flatten().min();
        SOMETHING_IS_ASKED.wait(patience.unwrap_or(Duration::MAX));
        let asked = ASKED.swap(0, Ordering::AcqRel);
        if asked & REFUSED != 0 {
            ASIDE_FOR_A_REFUSAL.give_back();
            tell(|| shortage.report_refusal());
            ASIDE_FOR_A_REFUSAL.take(SET_ASIDE_FOR_A_REFUSAL);
        }
        tell(|| shortage.look());
        if asked & LAST != 0 {
            ASIDE.give_back();
            safely(published::withdraw);
            safely(|| writer::write_last(settings));
            begun::end();
            LAST_IS_WRITTEN.post();
            // A process that goes on all the same may end once more.
            ASIDE.take(SET_ASIDE);
            continue;
        }
        if asked & NOW != 0 {
            safely(|| writer::write_last(settings));
        }
        let is_due = next.is_some_and(|next| next <= Instant::now());
        if is_due || watch.has_risen() {
            if is_due {
                next = settings.interval.and_then(|interval| Instant::now().checked_add(interval));
            }
            let mut goes_on = true;
            safely(|| goes_on = writer::write_file(settings));
            if !goes_on {
                (next, watch) = (None, Watch::nothing());
            }
            watch.note_written();
        }
    }
}

/// Blind, so that nothing of it is recorded, and a fork waits for it; only for so long.
fn safely(work: impl FnOnce()) {
    let _blind = blind::enter();
    let _no_panic_gets_out = catch_unwind(AssertUnwindSafe(work));
}

/// Says a shortage, and tells the program if it asked for that; not where the process ends, and waits for the last report: what
/// the program does may take long.
fn tell(say: impl FnOnce() -> Option<Said>) {
    let mut said = None;
    safely(|| said = say());
    if let Some(said) = said
        && ASKED.load(Ordering::Acquire) & LAST == 0
    {
        let _no_panic_gets_out = catch_unwind(AssertUnwindSafe(|| said.tell()));
    }
}
