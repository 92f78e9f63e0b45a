//! Keeping the recorder's own memory out of every number.
//!
//! While a thread holds a [`BlindGuard`] it is *blind*: nothing that it allocates or frees is recorded. Such blocks
//! carry the tag of an unknown block, so freeing them later changes nothing either. The hot path has no test of its
//! own for this: whatever leads it to the thread's record is covered for that time ([`Cover`]), which sends every
//! event to the cold path. What a thread's record is, and where it is found, is left to `thread/current`.

use core::cell::Cell;

use crate::base::gate::Inside;

/// What a thread has that must not be found while it is blind.
pub(crate) trait Cover: Sync {
    /// Makes the thread's events miss it.
    fn cover(&'static self);
    /// Makes them find it again.
    fn uncover(&'static self);
    /// Where a fork sees that the thread is blind.
    fn gate(&'static self) -> &'static Inside;
}

thread_local! {
    /// How many guards this thread holds. Without a destructor, as all that events may ask.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What this thread has, if anything.
    static COVERED: Cell<Option<&'static dyn Cover>> = const { Cell::new(None) };
}

/// Keeps the thread blind until it is dropped. Guards nest.
#[must_use = "the thread is blind until this is dropped"]
pub struct BlindGuard {
    /// Passed by the outermost of nested guards.
    gate: Option<&'static Inside>,
}

impl core::fmt::Debug for BlindGuard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BlindGuard").finish_non_exhaustive()
    }
}

/// Begins a stretch of the recorder's own work on this thread. Costs some 5 ns; waits while the process forks.
pub fn enter() -> BlindGuard {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    let covered = COVERED.get();
    if let Some(covered) = covered {
        covered.cover();
    }
    let gate = (depth == 0).then(|| covered.map_or_else(Inside::of_others, Cover::gate));
    if let Some(gate) = gate {
        gate.pass_in();
    }
    BlindGuard { gate }
}

impl Drop for BlindGuard {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if let Some(gate) = self.gate {
            gate.pass_out();
            // It may have been set since.
            if let Some(covered) = COVERED.get() {
                covered.uncover();
            }
        }
    }
}

/// Whether this thread is at the recorder's own work.
pub(crate) fn is_blind() -> bool {
    DEPTH.get() > 0
}

/// Sets what this thread has, from now on.
pub(crate) fn set_covered(covered: Option<&'static dyn Cover>) {
    COVERED.set(covered);
}
