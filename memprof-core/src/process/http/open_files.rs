//! Which files of the system the endpoint has open, for a forked child to close: it does not serve, and must not
//! keep the parent's connections from ending.
//!
//! Numbers in an array of atomics, as a child may neither allocate nor wait for a lock that another thread of the
//! parent held.

use core::sync::atomic::{AtomicI32, Ordering};

use crate::base::poll;

/// The listener, and as many connections as there are at once.
pub(crate) const MOST: usize = 1 + MOST_CONNECTIONS;
/// Connections at once; the next one waits, or takes the place of one that has not asked yet.
pub(crate) const MOST_CONNECTIONS: usize = 16;

/// No file: the system never gives this number.
const NONE: i32 = -1;
static OPEN: [AtomicI32; MOST] = [const { AtomicI32::new(NONE) }; MOST];

/// Notes what is open now, whatever was. The thread is blind, so that no fork comes in between.
pub(crate) fn note(open: impl Iterator<Item = i32>) {
    let open = open.chain(core::iter::repeat(NONE));
    for (place, file) in OPEN.iter().zip(open) {
        place.store(file, Ordering::Relaxed);
    }
}

/// Closes what the parent has open. For a child that was just forked: neither allocates nor locks.
pub(crate) fn close_in_child() {
    for place in &OPEN {
        let file = place.swap(NONE, Ordering::Relaxed);
        if file != NONE {
            poll::close(file);
        }
    }
}
