//! The report that comes by itself when the process ends: by `exit`, or by a signal.
//!
//! Whoever ends the process asks memprof's own thread for the report and waits a bounded time. Where there is no
//! such thread, as no scope was entered, or in a forked child, it is written here. It catches its own panics and
//! keeps the program's exit status. Inside the recorder's own work, which an allocator or a signal handler may have
//! interrupted, there is no report but one line that says why.
//!
//! | the process ends by | the report |
//! |---|---|
//! | `main` returning, `exit` | [`at_exit`], by the C library |
//! | SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, a panic that aborts | [`signal`] |
//! | `_exit`, `exec`, SIGKILL, the system's out-of-memory killer | none: nobody is asked; files of `MEMPROF_INTERVAL` stay, and that of [`begun`] |

use core::hint::cold_path;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;

use crate::base::blind;
use crate::base::lock;
use crate::base::platform;
use crate::process::http::published;
use crate::process::settings::Settings;
use crate::process::{begun, helper, settings, signal, writer};
use crate::thread::slot::{NO_KEY, Slot};

/// How long an exit waits for its report: far longer than any takes. A bound all the same: a process that never
/// ends is worse than one without a report.
const PATIENCE: Duration = Duration::from_mins(1);

/// Whether anybody asked for the setting of CUDA.
static CUDA_ASKED: AtomicBool = AtomicBool::new(false);

/// The crate for CUDA is there, and asks what it is to do.
pub(crate) fn note_cuda() {
    CUDA_ASKED.store(true, Ordering::Relaxed);
}

/// Has the report written when the process ends.
pub(crate) fn arrange(settings: &'static Settings) {
    writer::begin();
    begun::note();
    platform::at_exit(at_exit);
    signal::arrange(settings);
}

/// What the C library calls. It runs on the thread that called `exit`, while other threads go on; thread-locals
/// with a destructor may be gone by then, so it uses none.
extern "C" fn at_exit() {
    if lock::holds_any() {
        begun::end();
        // `exit` was called by an allocator, or by a signal handler, inside of the recorder's own work.
        return platform::print_line(
            "memprof: the process ends where memprof is at work on the same thread: no report",
        );
    }
    let Some(settings) = settings::get() else { return };
    if settings.intercept_cuda && !CUDA_ASKED.load(Ordering::Relaxed) && !writer::is_forked() {
        platform::print_line(
            "memprof: MEMPROF_CUDA had no effect: nothing of CUDA was made or tracked through memprof, or its feature `cuda` is missing",
        );
    }
    if writer::is_forked() && settings.output.is_none() || helper::finish(PATIENCE) {
        return;
    }
    published::withdraw();
    // There is no such thread: no scope was entered, this is a forked child, or the system gave none.
    let _blind = blind::enter();
    // A report that fails must not take the program's exit status with it.
    let _no_panic_gets_out = catch_unwind(AssertUnwindSafe(|| writer::write_last(settings)));
    begun::end();
}

/// Starts the thread that writes reports. Called from the first scope on: before that there is nothing to report,
/// and threads cannot be started from an allocation.
#[inline]
pub(crate) fn start_writer() {
    if !helper::has_started() {
        cold_path();
        // Asked here too, as one comparison: a program that measures without a report comes by whenever it enters a scope slowly.
        if let Some(settings) = settings::get().filter(|settings| settings.enabled) {
            helper::start(settings);
        }
    }
}

/// Has a forked child start a thread of its own at its next scope. Neither allocates nor locks: the fork is just over.
pub(crate) fn forget_writer() {
    if !helper::forget() {
        return;
    }
    // A scope that is entered by the cache does not come by `start_writer`. A new thread of the child may take any
    // slot.
    for slot in Slot::all() {
        slot.cache.iter().for_each(|entry| entry.key.set(NO_KEY));
    }
}
