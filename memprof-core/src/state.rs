//! Whether the process measures, and how threads learn that this, or anything else they go by, changed.
//!
//! One word says on or off. Whoever changes it, begins an epoch, or opens or ends an ambient scope, then marks every
//! thread's slot ([`Slot::notify`]). So the hot path looks at its own slot alone, and a thread goes to the cold path
//! once for each change.

use core::sync::atomic::{AtomicU32, Ordering, fence};

use crate::slot::Slot;
use crate::start;

const OFF: u32 = 0;
const ON: u32 = 1;
/// Nothing was decided yet: the environment is read at the first event. Not zero, so that it passes for on.
const UNREAD: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNREAD);
static EPOCH: AtomicU32 = AtomicU32::new(1);

/// Whether events are to be recorded, or this is not decided yet.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    cfg!(feature = "runtime") && STATE.load(Ordering::Relaxed) != OFF
}

/// Whether events are to be recorded, once the environment was read.
#[cold]
pub(crate) fn is_decided_on() -> bool {
    if STATE.load(Ordering::Relaxed) == UNREAD {
        start::start();
    }
    is_on()
}

/// The first decision, from the environment.
pub(crate) fn decide(on: bool) {
    let _ = STATE.compare_exchange(UNREAD, word(on), Ordering::AcqRel, Ordering::Relaxed);
}

/// Switches measuring on or off; does nothing if it is so already.
pub(crate) fn switch(on: bool) {
    if is_decided_on() != on {
        STATE.store(word(on), Ordering::Release);
        announce();
    }
}

fn word(on: bool) -> u32 {
    if on { ON } else { OFF }
}

/// Makes every thread take note, at its next event, of what the caller has changed.
pub(crate) fn announce() {
    // Either this sees a slot that is being taken, or its thread sees the change; see `take_note`.
    fence(Ordering::SeqCst);
    Slot::all().for_each(Slot::notify);
}

/// The number of resets so far, plus 1.
#[inline(always)]
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Begins a new epoch: what is recorded from now on is told apart from what was.
pub(crate) fn next_epoch() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
    announce();
}
