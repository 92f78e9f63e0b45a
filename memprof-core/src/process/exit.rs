//! The report that comes by itself, when the process exits and every so often before.
//!
//! Every so often a thread writes it, which a forked child lacks: the child starts its own at its next scope, as the parent
//! did at its first. The thread is hidden only while it writes, since a [`fork`](crate::process::fork) waits for hidden threads.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::time::Instant;

use memprof_report::Options;

use crate::base::blind;
use crate::base::lock::{self, Lock};
use crate::base::platform;
use crate::base::state;
use crate::observe::snapshot;
use crate::process::output::Output;
use crate::process::start::settings;
use crate::thread::slot::{NO_KEY, Slot};

/// The process that read the environment; a forked child is another one.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Held while the output is written; then, whether the last report was written.
static WRITING: Lock<bool> = Lock::new(false);
/// Whether this process, not the one it was forked from, was given the thread that writes every so often.
static WRITER_STARTED: AtomicBool = AtomicBool::new(false);

/// How long the last report waits for one that is being written.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the standard library gives a thread. It looks for another wish in the environment unless told, and at a fork
/// a thread that the child lacks may hold the lock on that.
const WRITERS_STACK: usize = 2 << 20;

/// Has the report written when the process exits.
pub(crate) fn arrange() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    platform::at_exit(at_exit);
}

extern "C" fn at_exit() {
    if lock::holds_any() {
        // `exit` was called by an allocator, or by a signal handler, inside of the recorder's own work.
        return platform::print_line(
            "memprof: the process ends where memprof is at work on the same thread: no report",
        );
    }
    let _blind = blind::enter();
    // A report that fails must not take the program's exit status with it.
    let _ = catch_unwind(AssertUnwindSafe(last_report));
}

fn last_report() {
    let (forked, Some(settings)) = (is_forked(), settings()) else { return };
    match &settings.output {
        Some(output) => {
            let begun = Instant::now();
            let writing = loop {
                match WRITING.try_lock() {
                    Some(guard) => break Some(guard),
                    // In a forked child nobody is left to unlock it.
                    None if forked || begun.elapsed() > PATIENCE => break None,
                    None => std::thread::yield_now(),
                }
            };
            let written = write(output);
            if let Some(mut last) = writing {
                *last = true;
            }
            if let Err(problem) = written {
                platform::print_line(&problem);
                platform::print(&text(&settings.report));
            }
        }
        None if forked => {}
        None => platform::print(&text(&settings.report)),
    }
}

fn is_forked() -> bool {
    PROCESS.load(Ordering::Relaxed) != std::process::id()
}

fn write(output: &Output) -> Result<(), String> {
    let snapshot = snapshot::take(state::is_announced_on());
    let path = output.path(std::process::id(), is_forked());
    let report = snapshot
        .report()
        .options(settings().map(|settings| settings.report.clone()).unwrap_or_default())
        .format(output.format());
    report.write_to(path).map_err(|error| format!("memprof: {error}; it follows here"))
}

fn text(options: &Options) -> String {
    snapshot::take(state::is_announced_on()).report().options(options.clone()).to_string()
}

/// Starts the thread that writes the report every so often, if the environment asks for one. Called from the first
/// scope on: before that there is nothing to report, and threads cannot be started from an allocation.
pub(crate) fn start_writer() {
    let Some(settings) = settings() else { return };
    let (Some(interval), Some(output)) = (settings.interval, &settings.output) else { return };
    if !settings.enabled || WRITER_STARTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let thread = std::thread::Builder::new().name("memprof".to_owned()).stack_size(WRITERS_STACK);
    if let Err(error) = thread.spawn(move || write_every(interval, output)) {
        platform::print_line(&format!("memprof: cannot start the thread for MEMPROF_INTERVAL: {error}"));
    }
}

/// Has a forked child start a writer of its own at its next scope. Neither allocates nor locks: the fork is just over.
pub(crate) fn forget_writer() {
    if !WRITER_STARTED.swap(false, Ordering::Relaxed) {
        return;
    }
    // A scope that is entered by the cache does not come by `start_writer`. A new thread of the child may take any slot.
    for slot in Slot::all() {
        slot.cache.iter().for_each(|entry| entry.key.set(NO_KEY));
    }
}

fn write_every(interval: Duration, output: &Output) {
    loop {
        std::thread::sleep(interval);
        // Held for the last report; or, in a forked child, by a writer that the fork did not wait for.
        let Some(last) = WRITING.try_lock() else { return };
        if *last {
            return;
        }
        if let Err(problem) = write(output) {
            // The report goes to stderr at exit; every interval would drown the program's own lines.
            platform::print_line(&problem.replace("; it follows here", "; the report at exit goes to stderr"));
            return;
        }
    }
}
