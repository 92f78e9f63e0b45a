//! The start: what the environment asks for, read once, at the first event of the process.
//!
//! That event may be an allocation before `main`, so nothing here uses the standard library's locks on the
//! environment or on stderr.

use core::sync::atomic::{AtomicBool, AtomicI8, Ordering};
use std::sync::OnceLock;

use crate::blind;
use crate::platform;
use crate::settings::{self, Settings, unknown_variables};
use crate::state;

/// Negative, zero or positive, so that each allocation and free compares once.
static TAGS: AtomicI8 = AtomicI8::new(UNDECIDED);
const WITHOUT: i8 = -1;
const UNDECIDED: i8 = 0;
const WITH: i8 = 1;

static BEGUN: AtomicBool = AtomicBool::new(false);
/// Set when everything is decided: an `enable` before that would be undone.
static DONE: AtomicBool = AtomicBool::new(false);
static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Whether host blocks carry a tag in this process, of allocators that do not always write one.
#[inline(always)]
pub(crate) fn tags() -> bool {
    let tags = TAGS.load(Ordering::Relaxed);
    tags >= UNDECIDED && (tags > UNDECIDED || decide_tags())
}

/// Asked by the first allocation, so this must not allocate.
#[cold]
fn decide_tags() -> bool {
    let with =
        cfg!(feature = "runtime") && platform::with_variable(c"MEMPROF", |value| settings::switch(value) == Some(true));
    TAGS.store(if with { WITH } else { WITHOUT }, Ordering::Relaxed);
    with
}

/// What is known of the tags: `None` if no allocator asked.
pub(crate) fn tags_decided() -> Option<bool> {
    match TAGS.load(Ordering::Relaxed) {
        UNDECIDED => None,
        decided => Some(decided == WITH),
    }
}

/// The settings; read now if they have not been.
pub(crate) fn settings() -> &'static Settings {
    start();
    loop {
        if let Some(settings) = SETTINGS.get() {
            return settings;
        }
        // Another thread is reading them.
        std::thread::yield_now();
    }
}

/// Whether the environment asks for the CUDA driver to be intercepted: `MEMPROF=1 MEMPROF_CUDA=intercept`.
pub fn cuda_setting() -> bool {
    let settings = settings();
    settings.enabled && settings.intercept_cuda
}

/// Reads the environment and decides whether to measure; once.
#[cold]
pub(crate) fn start() {
    if BEGUN.swap(true, Ordering::AcqRel) {
        while !DONE.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        return;
    }
    let _blind = blind::enter();
    let (mut settings, problems) =
        if cfg!(feature = "runtime") { Settings::read(platform::variable) } else { (Settings::default(), Vec::new()) };
    for problem in problems.into_iter().chain(unknown_variables(platform::variable_names())) {
        platform::print_line(&problem);
    }
    // Asks the system alone: no lock on the environment.
    if let Some(output) = &mut settings.output
        && let Ok(directory) = std::env::current_dir()
    {
        output.stay_in(directory);
    }
    let enabled = settings.enabled;
    let _ = SETTINGS.set(settings);
    crate::fork::arrange();
    state::decide(enabled);
    if enabled {
        crate::exit::arrange();
    }
    DONE.store(true, Ordering::Release);
}
