//! The recorder's locks: whoever holds one is blind.
//!
//! What a thread allocates while it holds a lock would otherwise be recorded, and that may take the same lock. And a fork
//! waits for blind threads alone ([`gate`](crate::base::gate)).

use core::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::base::blind::{self, BlindGuard};

/// A mutex that no panic poisons.
pub(crate) struct Lock<T>(Mutex<T>);

/// Holds a [`Lock`], and the thread blind, until it is dropped.
pub(crate) struct Locked<'a, T> {
    // Given back before the thread is seen again.
    guard: MutexGuard<'a, T>,
    _blind: BlindGuard,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Locked<'_, T> {
        let blind = blind::enter();
        Locked { guard: self.0.lock().unwrap_or_else(PoisonError::into_inner), _blind: blind }
    }

    /// `None` while another holds it.
    pub(crate) fn try_lock(&self) -> Option<Locked<'_, T>> {
        let blind = blind::enter();
        let guard = match self.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Locked { guard, _blind: blind })
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

#[cfg(test)]
mod tests {
    use super::Lock;
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
