//! Whether interception records what the driver does, and who counts on that.
//!
//! A call counts itself first and then looks whether interception is on; who ends interception switches it off first
//! and then looks whether any call is counted. So one of the two sees the other, and no call is left that counts on a
//! subscription which has ended. No lock is taken. Subscribing, and ending it, is left to `intercept/subscription`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether interception records what the driver does; then wrappers leave that to it.
static INTERCEPTED: AtomicBool = AtomicBool::new(false);

/// Calls of wrappers that leave the recording to interception. While there are any, it stays subscribed.
static LEFT_TO_INTERCEPTION: AtomicUsize = AtomicUsize::new(0);

/// What the last call that counted on an interception whose guard is gone has done.
static END: OnceLock<fn()> = OnceLock::new();

/// Has `end` called when the last call is over that counts on an interception which has ended meanwhile.
pub(crate) fn ends_with(end: fn()) {
    END.get_or_init(|| end);
}

/// Whether it records, for those that are in no call.
pub(super) fn is_on() -> bool {
    INTERCEPTED.load(Ordering::SeqCst)
}

/// Interception begins or ends.
pub(crate) fn set_intercepted(intercepted: bool) {
    INTERCEPTED.store(intercepted, Ordering::SeqCst);
}

/// Whether calls are under way that count on interception.
pub(crate) fn is_counted_on() -> bool {
    LEFT_TO_INTERCEPTION.load(Ordering::SeqCst) > 0
}

/// Counts on interception, unless it is off or has ended.
pub(super) fn leave_to_interception() -> bool {
    if !INTERCEPTED.load(Ordering::SeqCst) {
        return false;
    }
    LEFT_TO_INTERCEPTION.fetch_add(1, Ordering::SeqCst);
    // Ending, interception clears the one and then looks at the other: one of the two sees what the other did.
    let intercepted = INTERCEPTED.load(Ordering::SeqCst);
    if !intercepted {
        counts_no_longer();
    }
    intercepted
}

pub(super) fn counts_no_longer() {
    let is_last = LEFT_TO_INTERCEPTION.fetch_sub(1, Ordering::SeqCst) == 1;
    if let Some(end) = END.get().filter(|_| is_last && !INTERCEPTED.load(Ordering::SeqCst)) {
        end();
    }
}
