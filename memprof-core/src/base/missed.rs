//! What could not be recorded, counted for the report to say.
//!
//! A count and not a list: a process that runs out of memory has none for a list, and a signal handler cannot write
//! one. Each count is a note of every snapshot ([`notes`](crate::observe::notes)) and is never reset, since what is
//! missing stays missing.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::base::map::Refused;

static AT_WORK: AtomicU64 = AtomicU64::new(0);
static NO_MEMORY: AtomicU64 = AtomicU64::new(0);

fn count_of(why: Refused) -> &'static AtomicU64 {
    match why {
        Refused::AtWork => &AT_WORK,
        Refused::NoMemory => &NO_MEMORY,
    }
}

/// Counts a call that was not recorded.
#[cold]
pub(crate) fn note(why: Refused) {
    count_of(why).fetch_add(1, Ordering::Relaxed);
}

/// Calls that were not recorded, in the life of the process.
pub(crate) fn count(why: Refused) -> u64 {
    count_of(why).load(Ordering::Relaxed)
}
