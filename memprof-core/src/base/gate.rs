//! The gate that a fork closes: no thread is in a *blind stretch*, the recorder's own work, while the process is
//! copied.
//!
//! All locks of the recorder, its hash maps' included, are taken only in a blind stretch ([`blind`](super::blind)).
//! So before a fork the forking thread closes the gate that blind stretches pass at their beginning, and waits
//! until nobody is inside; parent and child open it again. Each side announces itself and then looks at the other,
//! in one total order, so at least one of the two sees the other (the argument of Dekker's algorithm), and both
//! yield to the fork. The forking thread itself passes freely: what else the program has called around a fork, and
//! a signal handler, may come by.
//!
//! Who is asked to close it, how long it waits and what the child forgets is left to `process/fork`.
//!
//! The two sides, each of which writes its own flag and then reads the other's, all in one total order (`SeqCst`):
//!
//! | a thread that becomes blind | the thread that forks | |
//! |---|---|---|
//! | counts itself in, sees the gate open | closes, sees somebody inside | the fork waits for the thread |
//! | counts itself in, sees the gate closed | closes, sees somebody inside or nobody | the thread counts itself out again and waits |
//! | counts itself in, sees the gate open | closes, sees nobody inside | cannot be: in a total order one of the two writes comes first, and the other side's read comes after it |
//!
//! Without this a child could be copied while another thread holds a lock. That thread does not exist in the child,
//! so the lock would never be given back there (`fork(2)`: only the calling thread is copied).

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Whether a thread is in a blind stretch: one flag a thread, so that threads do not meet here.
///
/// A count and not a flag, as threads without one of their own share one.
pub(crate) struct Inside(AtomicU32);

/// Whether a fork is under way.
static CLOSED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread closed the gate.
    static FORKING: Cell<bool> = const { Cell::new(false) };
}

impl Inside {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// For threads without a flag of their own.
    pub(crate) fn of_others() -> &'static Self {
        static OTHERS: Inside = Inside::new();
        &OTHERS
    }

    /// A blind stretch begins on a thread that was not blind; waits while the gate is closed.
    pub(crate) fn pass_in(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        while CLOSED.load(Ordering::SeqCst) && !FORKING.get() {
            self.0.fetch_sub(1, Ordering::SeqCst);
            while CLOSED.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The blind stretch ended.
    pub(crate) fn pass_out(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether somebody is inside; asked once the gate is [`close`]d.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// Whoever was inside does not exist in a fork's child.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// From now on nobody new gets inside.
pub(crate) fn close() {
    FORKING.set(true);
    CLOSED.store(true, Ordering::SeqCst);
}

/// Lets everybody in again: in the parent, and in the child.
pub(crate) fn open() {
    CLOSED.store(false, Ordering::SeqCst);
    FORKING.set(false);
}
