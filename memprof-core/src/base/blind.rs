//! Keeping the recorder's own memory out of every number.
//!
//! While a thread holds a [`BlindGuard`], nothing that it allocates or frees is recorded: such blocks carry the tag
//! of an unknown block, so freeing them later changes nothing either. The thread's slot pointer is hidden for that
//! time, which sends every event to the cold path; the hot path has no test of its own for it.

use crate::thread::current;

/// Hides the thread from the recorder until it is dropped. Guards nest.
#[must_use = "the thread is hidden until this is dropped"]
pub struct BlindGuard(current::Hidden);

impl core::fmt::Debug for BlindGuard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BlindGuard").finish_non_exhaustive()
    }
}

/// Begins a stretch of the recorder's own work on this thread.
pub fn enter() -> BlindGuard {
    BlindGuard(current::hide())
}

impl Drop for BlindGuard {
    fn drop(&mut self) {
        current::unhide(&self.0);
    }
}
