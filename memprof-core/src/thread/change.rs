//! Changes of a slot other than events: how a slow path says that one is under way, and how a reader sees that one was.
//!
//! Two kinds of readers have to know. A signal handler on the same thread finds the top busy ([`top`](super::top)) and is recorded
//! aside. A snapshot on another thread counts changes before and after it copies: the top says that one is under way, the
//! slot's [`Changes`](super::changes::Changes) and its sequence that one was. Short paths do the same by hand (`scope/plain`).

use crate::thread::slot::Slot;

/// A change on a slow path; see [`Slot::begin_change`].
#[must_use = "the change ends when this is dropped"]
pub(crate) struct Changing(Option<&'static Slot>);

impl Drop for Changing {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.top.set(slot.top.frame());
        }
    }
}

/// How far the changes of a slot have come, at a moment without one; see [`Slot::read_begin`].
#[derive(Clone, Copy)]
pub(super) struct Version {
    changes: u64,
    sequence: u64,
}

impl Slot {
    /// Begins a change on a slow path: until the result is dropped, a signal handler is recorded aside. One inside another
    /// changes nothing; entering or leaving a frame ends it.
    pub(crate) fn begin_change(&'static self) -> Changing {
        let change = self.begin_change_while_growing();
        // Within it: a handler that comes before may have let the lane grow.
        self.end_growing();
        change
    }

    /// [`begin_change`](Self::begin_change) that lets the lane grow on.
    pub(super) fn begin_change_while_growing(&'static self) -> Changing {
        let outermost = self.top.change().is_none();
        if outermost {
            self.top.begin_change();
            self.changes.begin();
        }
        Changing(outermost.then_some(self))
    }

    /// How far the changes have come, if none is under way.
    #[inline]
    pub(super) fn read_begin(&self) -> Option<Version> {
        // In this order: of a change that is counted here and still under way, the top says so.
        let changes = self.changes.count();
        let sequence = self.sequence.read_begin()?;
        self.top.change().is_none().then_some(Version { changes, sequence })
    }

    /// Whether no change has begun since; asked after an acquire fence.
    #[inline]
    pub(super) fn read_validate(&self, version: Version) -> bool {
        self.changes.is_count(version.changes) && self.sequence.read_validate(version.sequence)
    }
}
