//! Signals that end the process: the report is written first, then the signal takes its course.
//!
//! A handler stands for each of SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGABRT whose disposition is the default when
//! the process starts. It asks memprof's own thread for the report, waits for at most [`PATIENCE`], restores the
//! default and raises the signal again, so the process ends with the status that it would have had. A second signal
//! takes its course at once. Where another handler was put there since, and calls this one as the one that it
//! found, this does nothing. In a forked child without a thread of its own, the signal takes its course at once. No
//! mask is changed.
//!
//! Some programs ask what the disposition is, and go by it (`ctrlc::try_set_handler` refuses if there is a
//! handler), or restore the default and raise the signal again when they are done. To them the handler is the
//! default: on Linux with the GNU C library, [`sigaction`] and [`signal`] stand in front of the C library's own,
//! and see to that. With another C library such a program sees the handler.
//!
//! | the signal comes | what happens |
//! |---|---|
//! | once | report, then the default: the process ends with the signal's status |
//! | a second time while the report is written | the default at once: whoever asks twice does not want to wait |
//! | while memprof's own thread is out of memory (SIGABRT) | that thread gives up; the process ends as it would have |
//! | in a forked child without a thread of memprof's | the default at once |
//! | where the program put a handler | the program's handler; memprof's is not there |

#![expect(unsafe_code, reason = "signal handlers")]

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use libc::sigaction as Action;

use crate::base::platform;
use crate::process::helper;
use crate::process::settings::Settings;

/// Those that end a process.
const ENDING: [c_int; 5] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGABRT];

/// How long a signal waits for the report. Who stops a program by hand waits no longer, and `docker stop` gives ten seconds
/// before it kills, systemd ninety.
const PATIENCE: Duration = Duration::from_secs(2);

/// The signals that a handler stands for where the program wants the default, a bit each.
static STANDS: AtomicU32 = AtomicU32::new(0);
/// Whether a signal is ending the process.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Puts the handlers where the disposition is the default.
pub(crate) fn arrange(settings: &Settings) {
    for signal in ENDING {
        if stand(signal, end) {
            STANDS.fetch_or(1 << signal, Ordering::Relaxed);
        }
    }
    if let Some(signal) = settings.signal {
        stand(signal, write_now);
    }
}

/// Puts a handler there, if the disposition is the default. Whether it was.
fn stand(signal: c_int, handler: extern "C" fn(c_int)) -> bool {
    let is_default = get(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL);
    if is_default {
        // The same signal once more must get through while the first one waits.
        set(signal, handler as *const () as usize, libc::SA_RESTART | libc::SA_NODEFER | libc::SA_ONSTACK);
    }
    is_default
}

/// Allocates nothing and takes no lock, as all that it calls.
///
/// Everything that it calls is in the list of `signal-safety(7)`: `sigaction`, `sem_post`, `raise`, `write`; and
/// `sem_timedwait`, which is not, but which takes no lock in the C libraries of Linux: it is a loop around a
/// `futex` call.
extern "C" fn end(signal: c_int) {
    if !get(signal).is_some_and(|action| is_end(&action)) {
        // The one that stands there now has called the one that it found.
        return;
    }
    platform::keeping_errno(|| end_by(signal));
}

fn end_by(signal: c_int) {
    if signal == libc::SIGABRT && helper::is_this() {
        // The report has no memory: the process goes on without it.
        helper::give_up();
    }
    if !IS_ENDING.swap(true, Ordering::AcqRel) {
        helper::finish(PATIENCE);
    }
    set(signal, libc::SIG_DFL, 0);
    // SAFETY: raises a signal on this thread.
    unsafe { libc::raise(signal) };
    // The process goes on: it is the first of its namespace, which the default does not end.
    IS_ENDING.store(false, Ordering::Release);
    stand(signal, end);
}

/// For `MEMPROF_SIGNAL`. Allocates nothing and takes no lock.
extern "C" fn write_now(_: c_int) {
    platform::keeping_errno(helper::ask_for_one);
}

fn is_end(action: &Action) -> bool {
    action.sa_sigaction == end as *const () as usize
}

/// The disposition of a signal as it is.
fn get(signal: c_int) -> Option<Action> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: asks for the disposition, and there is room for it.
    let refused = unsafe { system_sigaction(signal, core::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was written.
    (refused == 0).then(|| unsafe { action.assume_init() })
}

fn set(signal: c_int, handler: usize, flags: c_int) {
    let mut action = default();
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the default, or a function that takes the signal's number; nobody asks what stood there.
    unsafe { system_sigaction(signal, &raw const action, core::ptr::null_mut()) };
}

/// What stands there unless somebody put something else there.
fn default() -> Action {
    // SAFETY: all zero bytes are one: no flags, an empty mask, the default.
    unsafe { core::mem::zeroed() }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
use libc::sigaction as system_sigaction;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    /// The C library's own, each under its other name.
    #[link_name = "__sigaction"]
    fn system_sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int;
    #[link_name = "ssignal"]
    fn system_signal(signal: c_int, handler: usize) -> usize;
}

/// The program has set the default: memprof's handler stands for it, if it did when the process started.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn stand_for_default(signal: c_int) {
    if u32::try_from(signal)
        .is_ok_and(|signal| STANDS.load(Ordering::Relaxed).checked_shr(signal).unwrap_or(0) & 1 != 0)
    {
        stand(signal, end);
    }
}

/// The C library's `sigaction`, but that memprof's handler passes for the default.
///
/// # Safety
///
/// * As for the C library's.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    // SAFETY: as the caller promises.
    let refused = unsafe { system_sigaction(signal, new, old) };
    if refused != 0 {
        return refused;
    }
    // SAFETY: null, or an action that the caller gives.
    if unsafe { new.as_ref() }.is_some_and(|new| new.sa_sigaction == libc::SIG_DFL) {
        stand_for_default(signal);
    }
    // SAFETY: null, or what was just written for the caller.
    if let Some(old) = unsafe { old.as_mut() }
        && is_end(old)
    {
        *old = default();
    }
    0
}

/// The C library's `signal`, but that memprof's handler passes for the default.
///
/// # Safety
///
/// * As for the C library's.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn signal(signal: c_int, handler: usize) -> usize {
    // SAFETY: as the caller promises.
    let before = unsafe { system_signal(signal, handler) };
    if before != libc::SIG_ERR && handler == libc::SIG_DFL {
        stand_for_default(signal);
    }
    if before == end as *const () as usize { libc::SIG_DFL } else { before }
}
