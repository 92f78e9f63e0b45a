//! The recorder's locks: whoever holds one is blind.
//!
//! What a thread allocates while it holds a lock would otherwise be recorded, and that may take the same lock. And
//! a fork waits for blind threads alone ([`gate`](crate::base::gate)).
//!
//! A thread that holds a lock may still be made to call memprof: by a signal handler that interrupts it, or by an
//! allocator of the program that reports what it allocates, where the recorder allocates something. Such a call
//! must not wait for a lock, since it may be one that its own thread holds, or that waits for one of those. Two
//! rules keep that so. What takes a [`Lock`] asks [`holds_any`] at the entrance, in the public function, and does
//! without if so. A [`Leaf`] says itself that its own thread is inside of one; there, nothing else is waited for
//! and no code of the program runs, so it can be taken while any [`Lock`] is held.
//!
//! | | waits | may be held meanwhile | asked for where the thread is inside already |
//! |---|---|---|---|
//! | [`Lock::lock`], [`Lock::lock_awake`] | yes | another `Lock` | never: public functions ask [`holds_any`] first |
//! | [`Lock::try_lock`] | no | any | gives `None` |
//! | [`Leaf::lock`] | for others that are in one, who are done in bounded time | any `Lock` | gives `None` |
//!
//! The mutex is the standard library's: a word, and a system call where a thread sleeps for it. It needs no allocation, and
//! none is poisoned, as a panic in the recorder is caught where it matters and leaves plain numbers behind. Once a thread
//! sleeps for such a mutex all do that come, and each hand-over is two system calls: where many threads want a lock
//! mostly for some ten instructions each, they stay awake for it.

use core::cell::Cell;
use core::hint;
use core::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::base::blind::{self, BlindGuard};

thread_local! {
    /// How many locks this thread holds, or is about to take: noted before a lock is taken and until after it is
    /// given back, so that a signal handler that comes in between is on the safe side.
    static HELD: Cell<u32> = const { Cell::new(0) };
    /// Whether one of them is a [`Leaf`].
    static IN_LEAF: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of any of the recorder's locks: then a public function takes none.
pub(crate) fn holds_any() -> bool {
    HELD.get() > 0
}

/// Notes a lock, from before it is taken until it was given back. A value, so that an unwinding takes the note off
/// too. By itself, for what is held without a [`Lock`], by a thread that is not blind meanwhile.
pub(crate) struct Holding(());

impl Holding {
    pub(crate) fn begin() -> Self {
        HELD.set(HELD.get() + 1);
        Self(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// The longest pause between two attempts of a thread that stays awake is 2 to the power of this, in `spin_loop`s of 5 to 45 ns; and how
/// many there are of that length before it sleeps all the same.
const LONGEST: u32 = 5;
const REPEATED: usize = 8;

/// A mutex that no panic poisons.
pub(crate) struct Lock<T>(Mutex<T>);

/// Holds a [`Lock`], and the thread blind, until it is dropped.
pub(crate) struct Locked<'a, T> {
    /// The first field, and so the first to be dropped: given back before the thread is seen again.
    guard: MutexGuard<'a, T>,
    _holding: Holding,
    _blind: BlindGuard,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Takes the lock, and waits for it. The caller, or whoever called it, has made sure that this thread holds
    /// none that leads here.
    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_, T> {
        let (blind, holding) = (blind::enter(), Holding::begin());
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { guard, _holding: holding, _blind: blind }
    }

    /// [`lock`](Self::lock) of what is mostly held for a moment and wanted by many: asks again for a few microseconds before it sleeps. The pauses
    /// get longer, so that those who wait leave the word to who holds it.
    pub(crate) fn lock_awake(&self) -> Locked<'_, T> {
        let (blind, holding) = (blind::enter(), Holding::begin());
        let guard = self.free_soon().unwrap_or_else(|| self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Locked { guard, _holding: holding, _blind: blind }
    }

    /// Takes the lock if nobody has it; `None` while another holds it, or this thread itself.
    pub(crate) fn try_lock(&self) -> Option<Locked<'_, T>> {
        let (blind, holding) = (blind::enter(), Holding::begin());
        let guard = self.free()?;
        Some(Locked { guard, _holding: holding, _blind: blind })
    }

    /// The mutex, if nobody has it.
    fn free(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The mutex, if it is given back within a few microseconds.
    fn free_soon(&self) -> Option<MutexGuard<'_, T>> {
        for doubled in (0..LONGEST).chain([LONGEST; REPEATED]) {
            if let Some(guard) = self.free() {
                return Some(guard);
            }
            (0..1 << doubled).for_each(|_: u32| hint::spin_loop());
        }
        None
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A lock under which nothing else is waited for and no code of the program runs.
pub(crate) struct Leaf<T>(Lock<T>);

/// Holds a [`Leaf`].
pub(crate) struct LeafLocked<'a, T> {
    /// Given back before others may come in on this thread, as fields are dropped in order.
    locked: Locked<'a, T>,
    _inside: InLeaf,
}

/// Notes that this thread is inside of a leaf.
struct InLeaf;

impl Drop for InLeaf {
    fn drop(&mut self) {
        IN_LEAF.set(false);
    }
}

impl<T> Leaf<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Lock::new(value))
    }

    /// `None` on a thread that is inside of a leaf: this is a signal handler, which interrupted it there.
    ///
    /// The note is made before the lock is waited for. A handler that interrupts the waiting is refused too, which
    /// is on the safe side.
    pub(crate) fn lock(&self) -> Option<LeafLocked<'_, T>> {
        if IN_LEAF.replace(true) {
            return None;
        }
        let inside = InLeaf;
        Some(LeafLocked { locked: self.0.lock_awake(), _inside: inside })
    }
}

impl<T> Deref for LeafLocked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.locked
    }
}

impl<T> DerefMut for LeafLocked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.locked
    }
}

#[cfg(test)]
mod tests {
    use super::{Leaf, Lock, holds_any};
    use crate::base::blind::is_blind;

    #[test]
    fn whoever_holds_a_lock_is_blind() {
        let lock = Lock::new(());
        let held = lock.lock();
        assert!(is_blind());
        assert!(lock.try_lock().is_none());
        assert!(is_blind(), "it is still held");
        drop(held);
        assert!(!is_blind());
        let held = lock.try_lock();
        assert!(held.is_some() && is_blind());
        drop(held);
        assert!(!is_blind());
    }

    #[test]
    fn a_thread_knows_of_the_locks_that_it_holds() {
        let (lock, leaf, other) = (Lock::new(()), Leaf::new(()), Leaf::new(()));
        assert!(!holds_any());
        let held = lock.lock();
        let inside = leaf.lock();
        assert!(holds_any() && inside.is_some());
        assert!(other.lock().is_none() && leaf.lock().is_none(), "one is inside of one leaf at most");
        drop(inside);
        assert!(other.lock().is_some() && holds_any());
        drop(held);
        assert!(!holds_any());
    }

    #[test]
    fn a_panic_while_it_is_held_changes_nothing() {
        let lock = Lock::new(1);
        std::panic::catch_unwind(|| {
            let _held = lock.lock();
            panic!("while it is held");
        })
        .expect_err("it panics");
        assert!(!is_blind());
        assert_eq!(*lock.lock(), 1);
        assert_eq!(lock.try_lock().map(|held| *held), Some(1));
    }
}
