//! Whether the process measures, and how threads learn that this, or anything else they go by, changed.
//!
//! One word says on or off. Whoever changes it, begins an epoch, or opens or ends an ambient scope, then marks every
//! thread's slot ([`Slot::notify`]). So the hot path looks at its own slot alone, and a thread goes to the cold path
//! once for each change.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use crate::base::lock::Lock;
use crate::process::start;
use crate::thread::slot::Slot;

const OFF: u32 = 0;
const ON: u32 = 1;
/// Nothing was decided yet: the environment is read at the first event. Not zero, so that it passes for on.
const UNREAD: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNREAD);
/// What every thread was told: the word, but for a switch that is still telling them.
static TOLD: AtomicBool = AtomicBool::new(false);
static EPOCH: AtomicU32 = AtomicU32::new(1);

/// Whether events are to be recorded, or this is not decided yet.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    cfg!(feature = "runtime") && STATE.load(Ordering::Relaxed) != OFF
}

/// Whether events are to be recorded, once the environment was read.
#[cold]
pub(crate) fn is_decided_on() -> bool {
    // With what `decide` stored before.
    if STATE.load(Ordering::Acquire) == UNREAD {
        start::start();
    }
    is_on()
}

/// Whether events are recorded, for the program to know: whoever learned of it, from here or from one who asked here, goes
/// by it.
pub(crate) fn is_told_on() -> bool {
    is_decided_on();
    TOLD.load(Ordering::Acquire)
}

/// The first decision, from the environment, made once and before any other. No thread took note of anything yet.
pub(crate) fn decide(on: bool) {
    TOLD.store(on, Ordering::Relaxed);
    STATE.store(word(on), Ordering::Release);
}

/// Switches measuring on or off; does nothing if it is so already. Every thread was told when this returns.
pub(crate) fn switch(on: bool) {
    static ONE: Lock<()> = Lock::new(());
    is_decided_on();
    let _one = ONE.lock();
    if is_on() != on {
        STATE.store(word(on), Ordering::Release);
        announce();
        TOLD.store(on, Ordering::Release);
    }
}

fn word(on: bool) -> u32 {
    if on { ON } else { OFF }
}

/// Makes every thread take note, at its next event, of what the caller has changed.
///
/// Each of the two writes first and reads then, with a fence of one total order in between (Dekker's argument): this
/// writes the change and reads which slots there are, a thread makes or clears its slot's notice
/// ([`Slot::begin_note`]) and reads what there is to know. So either the slot is found here, and notified after the
/// change, or its thread sees the change. A notice that is cleared by a swap brings the change that it was set for.
pub(crate) fn announce() {
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
