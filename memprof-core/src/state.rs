//! Whether the process measures, and which stretch of measuring this is.
//!
//! One word says both at once: its lowest bit is on or off, the rest counts the changes. A thread keeps the last
//! value that it took note of, so one comparison on the hot path sees every enable, disable, reset and ambient scope,
//! and sends the thread to the cold path once for each.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::start;

/// Nothing was decided yet: the environment is read at the first event. Odd, so that it reads as "on".
const UNREAD: u32 = u32::MAX;
/// What a thread has noted before it noted anything; even, so that it never equals a state that is on.
pub(crate) const STALE: u32 = 0;

static STATE: AtomicU32 = AtomicU32::new(UNREAD);
static EPOCH: AtomicU32 = AtomicU32::new(1);

/// The word as it stands: odd is on, or not decided yet.
#[inline(always)]
pub(crate) fn load() -> u32 {
    if cfg!(feature = "runtime") { STATE.load(Ordering::Relaxed) } else { 2 }
}

/// Whether a word of [`load`] says that events are to be recorded (or that this is not decided yet).
#[inline(always)]
pub(crate) fn is_on(state: u32) -> bool {
    state & 1 != 0
}

/// The word, once the environment was read.
#[cold]
pub(crate) fn decided() -> u32 {
    if load() == UNREAD {
        start::start();
    }
    load()
}

/// The first decision, from the environment.
pub(crate) fn decide(on: bool) {
    let _ = STATE.compare_exchange(UNREAD, 2 | u32::from(on), Ordering::AcqRel, Ordering::Relaxed);
}

/// Switches measuring on or off; does nothing if it is so already.
pub(crate) fn switch(on: bool) {
    decided();
    let _ = STATE
        .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| (is_on(state) != on).then_some(next(state) ^ 1));
}

/// Makes every thread take note at its next event.
pub(crate) fn announce() {
    decided();
    let _ = STATE.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| Some(next(state)));
}

/// One more change. Skips what the count must not meet when it comes round: stale and unread.
fn next(state: u32) -> u32 {
    let next = state.wrapping_add(2);
    if next >= UNREAD - 1 { 2 | (next & 1) } else { next.max(2) }
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

#[cfg(test)]
mod tests {
    use super::{STALE, UNREAD, is_on, next};

    #[test]
    fn counting_the_changes_keeps_on_on_and_off_off() {
        for state in [2, 3, 100, 101, UNREAD - 5, UNREAD - 4, UNREAD - 3, UNREAD - 2] {
            let after = next(state);
            assert_eq!(is_on(after), is_on(state), "{state}");
            assert!(after != UNREAD && after != STALE && after != state, "{state} -> {after}");
        }
    }
}
