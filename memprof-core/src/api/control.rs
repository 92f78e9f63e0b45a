//! On, off, and the report on demand.

use std::io::Write as _;

use core::sync::atomic::{AtomicBool, Ordering};

use crate::base::blind;
use crate::base::pages;
use crate::base::platform;
use crate::base::tags;
use crate::observe::snapshot;
use crate::process::start;

/// Measures from now on, on every thread.
///
/// Scopes that were entered before record nothing; blocks that were allocated before stay unknown. If the process has
/// memprof's allocator but started without tags, `host` cannot be measured: one line on stderr says so.
pub fn enable() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !cfg!(feature = "runtime") {
        return;
    }
    let _blind = blind::enter();
    start::switch(true);
    if tags::tags().are_left_out() && !SAID.swap(true, Ordering::Relaxed) {
        platform::print_line(
            "memprof: host is not measured: the process started without MEMPROF=1, and its allocator is not Alloc::system().always()",
        );
    }
}

/// Stops measuring, on every thread.
///
/// Scopes that are open are still left and recorded, with what they saw until now. Blocks that are known stay known:
/// freeing one still lowers what its owner and its space hold.
pub fn disable() {
    let _blind = blind::enter();
    start::switch(false);
}

/// Whether memprof measures: by `MEMPROF=1`, or since the last [`enable`].
pub fn is_enabled() -> bool {
    start::is_announced_on()
}

/// What a report of some rows asks the program's allocator for, roughly.
const FOR_A_TEXT: usize = 1 << 16;

/// Prints the report of a [`snapshot`](crate::snapshot()) to stdout, as far as stdout takes it: one that is closed is no
/// error, so this can stand in a panic hook.
pub fn print_memory_report() {
    let snapshot = snapshot::snapshot();
    if !pages::program_has(FOR_A_TEXT) {
        platform::print_line("memprof: the system has no memory left for a report");
        return;
    }
    let text = {
        let _blind = blind::enter();
        snapshot.to_string()
    };
    let mut stdout = std::io::stdout().lock();
    let _not_taken = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
