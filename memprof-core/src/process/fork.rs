//! Forks: the child starts with the parent's records and never hangs on a lock that a thread held which it lacks.
//!
//! All locks of the recorder, its hash maps' included, are taken only by a thread that is hidden
//! ([`lock`](crate::base::lock), [`blind`](crate::base::blind)). So before a fork the forking thread closes a gate that hidden
//! stretches pass at their beginning, and waits until nobody is inside; parent and child open it again. Each side
//! announces itself and then looks at the other, in one total order, so at least one of the two sees the other (the
//! argument of Dekker's algorithm), and both yield to the fork. A hidden stretch inside another one, and one of the
//! forking thread itself, passes freely.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::base::platform;
use crate::process::exit;
use crate::thread::slot::Slot;

/// Whether a thread is in a hidden stretch: one flag a slot, so that threads do not meet here.
pub(crate) struct Inside(AtomicU32);

impl Inside {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }
}

/// For threads without a slot.
static INSIDE: Inside = Inside::new();
static CLOSED: AtomicBool = AtomicBool::new(false);

/// How long a fork waits for a snapshot that is being written, say; it goes on after that.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has the gate closed around each fork.
pub(crate) fn arrange() {
    #[cfg(unix)]
    platform::around_fork(before, open, open_in_child);
}

/// A hidden stretch begins on a thread that was not hidden. The result goes to [`pass_out`].
pub(crate) fn pass_in(own: Option<&'static Slot>) -> &'static Inside {
    let inside = own.map_or(&INSIDE, |slot| &slot.inside);
    inside.0.fetch_add(1, Ordering::SeqCst);
    while CLOSED.load(Ordering::SeqCst) {
        inside.0.fetch_sub(1, Ordering::SeqCst);
        while CLOSED.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        inside.0.fetch_add(1, Ordering::SeqCst);
    }
    inside
}

/// The hidden stretch ended.
pub(crate) fn pass_out(inside: &Inside) {
    inside.0.fetch_sub(1, Ordering::SeqCst);
}

fn all() -> impl Iterator<Item = &'static Inside> {
    Slot::all().map(|slot| &slot.inside).chain([&INSIDE])
}

extern "C" fn before() {
    CLOSED.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    while all().any(|inside| inside.0.load(Ordering::SeqCst) != 0) && begun.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
}

extern "C" fn open() {
    CLOSED.store(false, Ordering::SeqCst);
}

extern "C" fn open_in_child() {
    // Threads that were inside, if the patience ended, do not exist here.
    all().for_each(|inside| inside.0.store(0, Ordering::SeqCst));
    exit::forget_writer();
    open();
}
