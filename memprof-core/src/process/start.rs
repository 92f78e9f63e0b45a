//! The start: what the environment asks for, read once, at the first event of the process.
//!
//! That event may be an allocation before `main`, so nothing here uses the standard library's locks on the
//! environment or on stderr.

use core::sync::atomic::{AtomicBool, AtomicI8, Ordering};
use std::sync::OnceLock;

use crate::base::blind;
use crate::base::platform;
use crate::base::state;
use crate::process::settings::{self, Settings, unknown_variables};

static TAGS: AtomicI8 = AtomicI8::new(0);

/// Whether blocks carry tags: negative, zero while that is to be decided, or positive, so that each allocation and free
/// compares once.
#[derive(Clone, Copy)]
pub(crate) struct Tags(i8);

impl Tags {
    pub(crate) const WITHOUT: Self = Self(-1);
    pub(crate) const WITH: Self = Self(1);

    /// Decided: they do.
    #[inline(always)]
    pub(crate) fn are_written(self) -> bool {
        self.0 > 0
    }

    /// Decided: they do not.
    #[inline(always)]
    pub(crate) fn are_left_out(self) -> bool {
        self.0 < 0
    }
}

static BEGUN: AtomicBool = AtomicBool::new(false);
/// Set when everything is decided: an `enable` before that would be undone.
static DONE: AtomicBool = AtomicBool::new(false);
static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Whether host blocks carry a tag in this process, of allocators that do not always write one.
#[inline(always)]
pub(crate) fn tags() -> Tags {
    Tags(TAGS.load(Ordering::Relaxed))
}

/// Decides it, the same each time. Asked by the first allocation, so this must not allocate.
#[cold]
pub(crate) fn decide_tags() -> bool {
    let with =
        cfg!(feature = "runtime") && platform::with_variable(c"MEMPROF", |value| settings::switch(value) == Some(true));
    TAGS.store(if with { Tags::WITH } else { Tags::WITHOUT }.0, Ordering::Relaxed);
    with
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
    crate::process::fork::arrange();
    state::decide(enabled);
    if enabled {
        crate::process::exit::arrange();
    }
    DONE.store(true, Ordering::Release);
}
