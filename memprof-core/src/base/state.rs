//! Whether the process measures: words that everybody reads.
//!
//! Who decides, and how threads learn that something changed, is left to `process/start` and
//! [`announce`](crate::thread::slot::announce).
//!
//! | word | says | written by | read by |
//! |---|---|---|---|
//! | `STATE` | off, on, or not decided | a switch | every event that is not on the short path |
//! | `ANNOUNCED` | what all threads were told | a switch, after it told them | `is_enabled`, reports |
//! | `TIMES_OFF` | how often nothing was recorded | a switch | limits, which must be measured whole |
//! | `EPOCH` | how many resets there were | a reset | whoever raises a maximum |
//!
//! They change seldom, so each processor keeps a copy of them, and reading them is a load from its own cache.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const OFF: u32 = 0;
const ON: u32 = 1;
/// Nothing was decided yet: the environment is read at the first event. Not zero, so that it passes for on.
const UNREAD: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNREAD);
/// What every thread was told: the word, but for a switch that is still telling them.
static ANNOUNCED: AtomicBool = AtomicBool::new(false);
/// How many times without recording there were: the one since the start, and each since it was switched off.
static TIMES_OFF: AtomicU32 = AtomicU32::new(0);
/// Resets, plus 1: an entry that was never written has epoch 0, and so is of none.
static EPOCH: AtomicU32 = AtomicU32::new(1);

/// Whether events are to be recorded, or this is not decided yet.
///
/// Not decided counts as on: the first event then goes the slow path, and decides.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    cfg!(feature = "runtime") && STATE.load(Ordering::Relaxed) != OFF
}

/// Whether the environment was read, with all that [`decide`] was called after.
pub(crate) fn is_decided() -> bool {
    STATE.load(Ordering::Acquire) != UNREAD
}

/// Whether events are recorded, as every thread was told.
pub(crate) fn is_announced_on() -> bool {
    ANNOUNCED.load(Ordering::Acquire)
}

/// The first decision, from the environment, made once and before any other. No thread took note of anything yet.
pub(crate) fn decide(on: bool) {
    ANNOUNCED.store(on, Ordering::Relaxed);
    set(on);
}

/// Measures from now on, or no longer. The caller announces it.
pub(crate) fn set(on: bool) {
    if !on {
        TIMES_OFF.fetch_add(1, Ordering::Relaxed);
    }
    STATE.store(if on { ON } else { OFF }, Ordering::Release);
}

/// Whether blocks may be there that were allocated while nothing was recorded.
pub(crate) fn was_off() -> bool {
    times_off() > 0
}

/// How many times without recording there were so far.
pub(crate) fn times_off() -> u32 {
    TIMES_OFF.load(Ordering::Relaxed)
}

/// Whether events are recorded, and have been since there were so many times without: it was on then, or switched on after.
///
/// A switch counts first and switches then, and this reads in the other order.
pub(crate) fn is_on_since(times: u32) -> bool {
    STATE.load(Ordering::Acquire) == ON && times_off() == times
}

/// Every thread was told.
pub(crate) fn set_announced(on: bool) {
    ANNOUNCED.store(on, Ordering::Release);
}

/// The number of resets so far, plus 1.
#[inline(always)]
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Begins a new epoch: what is recorded from now on is told apart from what was. The caller announces it.
pub(crate) fn next_epoch() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
}
