//! Forks: the child starts with the parent's records and never hangs on a lock that a thread held which it lacks.
//!
//! The [`gate`](crate::base::gate) of the recorder's own work is closed around each fork.
//!
//! | when | in which process | what |
//! |---|---|---|
//! | before | parent | closes the gate; waits until nobody is at the recorder's own work, for at most [`PATIENCE`] |
//! | after | parent | opens it |
//! | after | child | nobody is inside any more, or at the picture; closes the endpoint's files; forgets memprof's threads; opens the gate |
//!
//! A child reports to a file of its own name, or not at all ([`writer`](super::writer)). It starts a thread of its
//! own at its next scope.

use std::time::{Duration, Instant};

use crate::base::gate::{self, Inside};
use crate::base::platform;
use crate::process::exit;
use crate::process::http::open_files;
use crate::thread::picture;
use crate::thread::slot::Slot;

/// How long a fork waits for a snapshot that is being written, say; it goes on after that.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has the gate closed around each fork.
pub(crate) fn arrange() {
    #[cfg(unix)]
    platform::around_fork(before, open, open_in_child);
}

/// The flags of all threads, and the one that those without share.
fn all() -> impl Iterator<Item = &'static Inside> {
    Slot::all().map(|slot| &slot.inside).chain([Inside::of_others()])
}

/// Before the fork, on the thread that forks. A signal handler that forks inside the recorder's own work waits for
/// itself until the patience ends, and then goes on.
extern "C" fn before() {
    gate::close();
    let begun = Instant::now();
    while all().any(Inside::is_taken) && begun.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
}

extern "C" fn open() {
    gate::open();
}

extern "C" fn open_in_child() {
    // Threads that were inside, if the patience ended, do not exist here.
    all().for_each(Inside::clear);
    open_files::close_in_child();
    exit::forget_writer();
    picture::forget_in_child();
    open();
}
