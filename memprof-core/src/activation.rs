//! The counters of a tracked future, between its polls.
//!
//! They stand in the lane that the future took at its first poll; a future inside another one uses no more of that
//! lane than this.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::counters::Tally;
use crate::frame::{NODE_OPEN, SITE_OPEN};
use crate::lane::Lane;
use crate::sharing::Shared;
use crate::space::Space;
use crate::system::{Blank, Counter, StaticRef};

/// One tracked future that was polled and is not dropped yet.
pub(crate) struct Activation {
    /// Path and, for a task, its own lane. 0 while no future is here.
    pub(crate) tag: Counter,
    /// Blocks of the task's lane that are out, apart from what its holds count.
    pub(crate) outstanding: Counter,
    /// The lane that the latest poll merged into, held.
    pub(crate) parent: StaticRef<Lane>,
    captured: AtomicBool,
    accounts: Mutex<Accounts>,
}

/// What a future recorded, by space.
#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) spaces: Vec<(Space, Account)>,
    /// Set once the future was captured as a `Context`.
    pub(crate) shared: Option<Arc<Shared>>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Account {
    pub(crate) tally: Tally,
    /// What of it was added to the path's row, and to the part of that row that the site's flat row leaves out.
    pub(crate) counted: Tally,
    pub(crate) inner: Tally,
}

impl Blank for Activation {
    const BLANK: Self = Self {
        tag: Counter::new(0),
        outstanding: Counter::new(0),
        parent: StaticRef::null(),
        captured: AtomicBool::new(false),
        accounts: Mutex::new(Accounts { spaces: Vec::new(), shared: None }),
    };
}

impl Activation {
    /// Whether a `Context` was captured directly in this future.
    #[inline]
    pub(crate) fn is_captured(&self) -> bool {
        self.captured.load(Ordering::Relaxed)
    }

    /// Notes the shared part of this future, until [`clear`](Self::clear).
    pub(crate) fn capture(&self, shared: Arc<Shared>) {
        self.accounts().shared = Some(shared);
        self.captured.store(true, Ordering::Relaxed);
    }

    /// Takes everything out, for the next future.
    pub(crate) fn clear(&self) -> Accounts {
        self.tag.set(0);
        self.captured.store(false, Ordering::Relaxed);
        core::mem::take(&mut *self.accounts())
    }

    pub(crate) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// Folds one poll in, and gives what the future recorded so far.
    pub(crate) fn fold(&mut self, space: Space, poll: &Tally, marks: u64) -> Tally {
        let place = self.spaces.iter().position(|(known, _)| *known == space).unwrap_or_else(|| {
            self.spaces.push((space, Account::default()));
            self.spaces.len() - 1
        });
        let account = &mut self.spaces[place].1;
        account.tally.fold(poll);
        if marks & NODE_OPEN == 0 {
            account.counted.fold(poll);
            if marks & SITE_OPEN != 0 {
                account.inner.fold(poll);
            }
        }
        account.tally
    }

    pub(crate) fn tally(&self, space: Space) -> Tally {
        self.spaces.iter().find(|(known, _)| *known == space).map(|(_, account)| account.tally).unwrap_or_default()
    }
}
