//! The start: what the environment asks for, read once, at the first event of the process.
//!
//! That event may be an allocation before `main`, so nothing here uses the standard library's locks on the
//! environment or on stderr.
//!
//! ```text
//! BEGUN no, DONE no ── first event or scope, one thread ──► reading ──► decided: DONE
//!                      other threads meanwhile wait; the same thread, called by its own allocator, goes on undecided
//! ```

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::base::blind;
use crate::base::identity;
use crate::base::lock::{self, Lock};
use crate::base::platform;
use crate::base::state;
use crate::process::exit;
use crate::process::settings::{self, Settings, unknown_variables};
use crate::thread::slot;

static BEGUN: AtomicBool = AtomicBool::new(false);
/// Set when everything is decided: an `enable` before that would be undone.
static DONE: AtomicBool = AtomicBool::new(false);

/// The settings; read now if they have not been. `None` while this thread is reading them.
pub(crate) fn settings() -> Option<&'static Settings> {
    start();
    settings::get()
}

/// Whether the environment asks for the CUDA driver to be intercepted: `MEMPROF=1 MEMPROF_CUDA=intercept`.
pub fn cuda_setting() -> bool {
    exit::note_cuda();
    settings().is_some_and(|settings| settings.enabled && settings.intercept_cuda)
}

/// Reads the environment and decides whether to measure; once.
#[cold]
pub(crate) fn start() {
    thread_local! {
        static STARTING: Cell<bool> = const { Cell::new(false) };
    }
    if STARTING.replace(true) {
        // An allocator, or a signal handler, inside of what follows: nothing is decided yet.
        return;
    }
    start_once();
    STARTING.set(false);
}

/// One thread reads, and any other waits for it. The order inside matters: problems are said, the directory is
/// noted before the program leaves it, settings are kept, forks arranged, and the decision comes last but for the
/// report at exit.
fn start_once() {
    if BEGUN.swap(true, Ordering::AcqRel) {
        while !DONE.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        return;
    }
    let _blind = blind::enter();
    let (mut settings, problems) =
        if cfg!(feature = "runtime") { Settings::read(platform::variable) } else { (Settings::default(), Vec::new()) };
    let idle = settings::without_effect(platform::variable, settings.enabled, &problems);
    for problem in problems.into_iter().chain(idle).chain(unknown_variables(platform::variable_names())) {
        platform::print_line(&problem);
    }
    // Asks the system alone: no lock on the environment.
    if let Some(output) = &mut settings.output
        && let Ok(directory) = std::env::current_dir()
    {
        output.stay_in(directory);
    }
    let enabled = settings.enabled;
    identity::begin(settings.label.clone());
    let settings = settings::keep(settings);
    crate::process::fork::arrange();
    state::decide(enabled);
    if enabled {
        exit::arrange(settings);
    }
    DONE.store(true, Ordering::Release);
}

/// Whether events are to be recorded, once the environment was read.
#[cold]
pub(crate) fn is_decided_on() -> bool {
    if !state::is_decided() {
        start();
    }
    state::is_on()
}

/// Whether events are recorded, for the program to know: whoever learned of it, from here or from one who asked
/// here, goes by it.
pub(crate) fn is_announced_on() -> bool {
    is_decided_on();
    state::is_announced_on()
}

/// Switches measuring on or off; does nothing if it is so already. Every thread was told when this returns.
///
/// One at a time, so that the word, and what threads were told, agree when the last of several has returned.
pub(crate) fn switch(on: bool) {
    static ONE: Lock<()> = Lock::new(());
    is_decided_on();
    // Whoever switches inside of the recorder's own work does not wait for another one who switches at the same moment.
    let _one = (!lock::holds_any()).then(|| ONE.lock());
    if state::is_on() != on {
        state::set(on);
        slot::announce();
        state::set_announced(on);
    }
}
