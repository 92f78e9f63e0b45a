//! On, off, and the report on demand.
//!
//! A switch changes one word, and then tells every thread that something changed: each takes note before its next
//! event. So an event that begins after [`enable`] or [`disable`] returned goes by it, on whichever thread. How
//! threads learn of it is left to [`announce`](crate::thread::slot::announce).

use std::io::Write as _;

use core::sync::atomic::{AtomicBool, Ordering};

use memprof_report::Snapshot;

use crate::base::blind;
use crate::base::lock;
use crate::base::pages;
use crate::base::platform;
use crate::base::tags;
use crate::observe::snapshot::{nothing_to_read, take};
use crate::process::start;

/// Measures from now on, on every thread.
///
/// Scopes that were entered before record nothing; blocks that were allocated before stay unknown. If the process has
/// memprof's allocator but started without tags, `host` cannot be measured: one line on stderr says so.
///
/// Costs a look at a word of each thread, a fraction of a microsecond for 64 of them. Calling it while memprof
/// measures does nothing, and neither does another thread's call at the same moment.
///
/// ```
/// # use memprof_core as memprof;
/// memprof::enable();
/// let scope = memprof::Scope::enter(memprof::Site::named("import"));
/// // .. work ..
/// drop(scope);
/// memprof::disable();
/// ```
pub fn enable() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !cfg!(feature = "runtime") {
        return;
    }
    let _blind = blind::enter();
    start::switch(true);
    // An allocator that always writes tags notes itself when it is asked for a block, so that the report does not
    // ask for one. Where there is no memory left, it has been asked before.
    let _no_matter = std::hint::black_box(Vec::<u8>::new()).try_reserve_exact(1);
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
///
/// A [limit](https://docs.rs/memprof/latest/memprof/attr.limit.html) on a function that is running fails if memprof
/// is switched off meanwhile: part of it was not measured.
pub fn disable() {
    let _blind = blind::enter();
    start::switch(false);
}

/// Whether memprof measures: by `MEMPROF=1`, or since the last [`enable`].
///
/// What it says, every thread was told: while another thread is switching, the answer is the old one until all are.
/// Costs a load; the first call of the process reads the environment.
pub fn is_enabled() -> bool {
    start::is_announced_on()
}

/// What a report of some rows asks the program's allocator for, roughly; a long one asks for more as it is written.
const FOR_A_TEXT: usize = 1 << 16;

/// Everything recorded so far, with the scopes that are open counted as if they ended at this instant.
///
/// No thread is stopped: a thread that changes a number again and again while it is being read contributes the
/// scopes that it has left, and the snapshot says so in its notes. Costs some milliseconds for 10,000 paths on 64
/// threads; the snapshot's own memory is in no number.
///
/// Where a signal handler interrupted memprof on its own thread, or memprof's own work called the allocator that
/// asks for it, there is nothing to be read: the snapshot says so in a note and is empty else.
///
/// It may be called at any time and on any thread, and by several at once, which take turns. Events go on
/// meanwhile, so two numbers of one snapshot may be some events apart; of each path, bytes and blocks belong
/// together.
///
/// ```
/// # use memprof_core as memprof;
/// let snapshot = memprof::snapshot();
/// for record in snapshot.records(memprof::Space::HOST) {
///     println!("{} {}", record.memory_peak, record.name);
/// }
/// ```
pub fn snapshot() -> Snapshot {
    if lock::holds_any() {
        return nothing_to_read("it was asked for where memprof was at work on the same thread: nothing could be read");
    }
    take(start::is_announced_on())
}

/// Prints the report of a [`snapshot`](crate::snapshot()) to stdout, as far as stdout takes it: one that is closed
/// is no error, so this can stand in a panic hook.
pub fn print_memory_report() {
    let snapshot = snapshot();
    let text = {
        let _blind = blind::enter();
        pages::program_has(FOR_A_TEXT).then(|| snapshot.to_string())
    };
    let Some(text) = text else {
        return platform::print_line("memprof: the system has no memory left for a report");
    };
    let mut stdout = {
        // The first one to write in a process has the standard library make its buffer, which is nobody's here.
        let _blind = blind::enter();
        std::io::stdout().lock()
    };
    let _not_taken = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
