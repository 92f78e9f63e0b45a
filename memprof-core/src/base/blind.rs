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
    /// How many guards this thread holds, with [`IS_COVERED`]. Without a destructor, as all that events may ask.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What this thread has, if anything.
    static COVERED: Cell<Option<&'static dyn Cover>> = const { Cell::new(None) };
}

/// Once the outermost guard has covered the thread: those within need not, as nothing else uncovers it. Not before, as a signal handler may
/// come in between.
const IS_COVERED: u32 = 1 << 31;

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

/// Begins a stretch of the recorder's own work on this thread. Costs some 5 ns, and within another next to nothing; waits
/// while the process forks.
#[inline]
pub fn enter() -> BlindGuard {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    BlindGuard { gate: if depth & IS_COVERED == 0 { cover(depth) } else { None } }
}

/// Covers the thread, which had so many guards; passes the gate and gives it if there was none.
#[inline(never)]
fn cover(depth: u32) -> Option<&'static Inside> {
    let covered = COVERED.get();
    if let Some(covered) = covered {
        covered.cover();
    }
    if depth > 0 {
        return None;
    }
    DEPTH.set(DEPTH.get() | IS_COVERED);
    let gate = covered.map_or_else(Inside::of_others, Cover::gate);
    gate.pass_in();
    Some(gate)
}

impl Drop for BlindGuard {
    #[inline]
    fn drop(&mut self) {
        match self.gate {
            None => DEPTH.set(DEPTH.get() - 1),
            Some(gate) => uncover(gate),
        }
    }
}

/// The outermost guard is given up.
#[inline(never)]
fn uncover(gate: &'static Inside) {
    DEPTH.set((DEPTH.get() - 1) & !IS_COVERED);
    gate.pass_out();
    // It may have been set since.
    if let Some(covered) = COVERED.get() {
        covered.uncover();
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

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Mutex;

    use super::{Cover, DEPTH, enter, is_blind, set_covered};
    use crate::base::gate::Inside;

    struct Counted {
        covered: AtomicU32,
        uncovered: AtomicU32,
        inside: Inside,
    }

    impl Cover for Counted {
        fn cover(&'static self) {
            self.covered.fetch_add(1, Ordering::Relaxed);
        }

        fn uncover(&'static self) {
            self.uncovered.fetch_add(1, Ordering::Relaxed);
        }

        fn gate(&'static self) -> &'static Inside {
            &self.inside
        }
    }

    static COUNTED: Counted =
        Counted { covered: AtomicU32::new(0), uncovered: AtomicU32::new(0), inside: Inside::new() };
    /// Held by whoever reads the counts.
    static COUNTING: Mutex<()> = Mutex::new(());

    /// Runs this on a thread that has something to cover; how often it was covered and uncovered.
    fn covers_and_uncovers(run: impl FnOnce() + Send) -> [u32; 2] {
        let _counting = COUNTING.lock().expect("no test fails while it counts");
        let counts = || [&COUNTED.covered, &COUNTED.uncovered].map(|count| count.load(Ordering::Relaxed));
        let before = counts();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                set_covered(Some(&COUNTED));
                run();
                assert!(!is_blind() && !COUNTED.inside.is_taken());
                set_covered(None);
            });
        });
        let after = counts();
        [after[0] - before[0], after[1] - before[1]]
    }

    #[test]
    fn the_outermost_guard_covers_for_those_within() {
        let counts = covers_and_uncovers(|| {
            let outer = enter();
            for _ in 0..3 {
                let _within = [enter(), enter()];
                assert!(is_blind() && COUNTED.inside.is_taken());
            }
            drop(outer);
        });
        assert_eq!(counts, [1, 1]);
    }

    #[test]
    fn a_guard_of_a_handler_that_comes_before_the_outermost_has_covered_does_it_too() {
        let counts = covers_and_uncovers(|| {
            DEPTH.set(1);
            drop(enter());
            DEPTH.set(0);
        });
        assert_eq!(counts, [1, 0]);
    }

    #[test]
    fn guards_that_go_out_of_order_leave_none_behind() {
        let counts = covers_and_uncovers(|| {
            let outer = enter();
            let within = enter();
            drop(outer);
            assert!(is_blind());
            drop(within);
            drop(enter());
        });
        assert_eq!(counts, [2, 2]);
    }
}
