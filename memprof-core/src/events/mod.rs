//! Events: what an allocation, a free or a reallocation changes.
//!
//! [`host`] is the path that every `malloc` takes, about 30 instructions in the common case: the thread took note of
//! everything, and its top frame saw an event before. [`record`] does the same for any other space, where an event
//! costs a microsecond anyway. Both end in the same changes, in [`Ledger::alloc`] and [`Ledger::free`].

use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::space::spaces::Space;
use crate::thread::ledger::{Ledger, Row};
use crate::thread::slot::Slot;

pub(crate) mod host;
pub(crate) mod record;

impl Slot {
    /// Makes the top frame ready for an event in `ledger`.
    #[inline(always)]
    fn prepare(&'static self, space: Space, ledger: &'static Ledger) -> Option<()> {
        if self.top().has(space.bit()) { Some(()) } else { self.touch(space, ledger) }
    }

    /// The level is above a peak or above what is watched.
    #[cold]
    #[inline(never)]
    fn over(&'static self, ledger: &'static Ledger) {
        self.raise(ledger);
        if ledger.is_watched() {
            self.look();
        }
    }

    /// Raises the watermarks, with the hand-overs that wait taken off first.
    fn raise(&'static self, ledger: &'static Ledger) {
        if self.has_pending() {
            self.settle();
        }
        self.sequence.open();
        ledger.raise();
        self.sequence.close();
    }

    /// Lowers what `path` owns.
    fn disown(&'static self, ledger: &'static Ledger, path: PathId, bytes: u64) {
        let Some(row) = ledger.row_of(path) else { return };
        self.mix();
        self.sequence.open();
        row.freed_bytes.add(bytes);
        row.freed_blocks.add(1);
        self.sequence.close();
    }

    /// Counts the free of a block whose home is not the current lane as its tag has it: the home ended and left it
    /// to the current lane, or it is handed over. `true`: it was counted here.
    #[cold]
    fn free_elsewhere(&'static self, space: Space, ledger: &'static Ledger, tag: Tag, bytes: u64) -> bool {
        let Some(home) = tag.lane() else { return false };
        let is_heir = home.heir().is_some_and(|heir| self.lane.is(heir));
        if !is_heir || self.prepare(space, ledger).is_none() {
            if space == Space::HOST {
                self.free_beside(bytes);
            }
            home.hand_over(space, bytes);
            return false;
        }
        self.lower(ledger, bytes, 1);
        home.add_outstanding(-1);
        true
    }

    /// Makes the current lane the home of a block, if the block's home ended and left it to this lane.
    #[cold]
    fn adopt(&'static self, tag: Tag) -> bool {
        let Some(home) = tag.lane() else { return false };
        if !home.heir().is_some_and(|heir| self.lane.is(heir)) {
            return false;
        }
        self.mix();
        self.add_outstanding(1);
        home.add_outstanding(-1);
        true
    }

    /// Counts a reallocation by the top frame, which is prepared, of a block of this lane. `old` is the row of its
    /// owner.
    #[inline]
    fn count_realloc(&'static self, ledger: &'static Ledger, old: Option<&'static Row>, from: u64, to: u64) {
        self.sequence.open();
        ledger.realloc(from, to);
        let row = ledger.row();
        let grown = to.saturating_sub(from);
        row.alloc_bytes.add(grown);
        if old.is_some_and(|old| core::ptr::eq(old, row)) {
            row.freed_bytes.add(from.saturating_sub(to));
        } else {
            // Live bytes move from the owner to the current path: `from` less there, `to` more here, of which
            // `grown` are counted already.
            if let Some(old) = old {
                old.freed_bytes.add(from);
                old.freed_blocks.add(1);
            }
            row.freed_bytes.sub(to - grown);
            row.freed_blocks.sub(1);
        }
        self.sequence.close();
    }

    /// Counts the second half of a reallocation by the top frame, which is prepared, of a block that was freed elsewhere.
    fn count_realloc_here(&'static self, ledger: &'static Ledger, to: u64) {
        self.sequence.open();
        ledger.reallocs.add(1);
        ledger.alloc(to);
        self.sequence.close();
    }

    /// Counts a failure of the upstream.
    fn count_failure(&'static self, ledger: &'static Ledger) {
        self.sequence.open();
        ledger.failed.add(1);
        self.sequence.close();
    }
}

/// The record that ended threads share: no scope, no lane of its own thread, and several writers.
impl Slot {
    fn count_alloc_shared(&'static self, ledger: &'static Ledger, bytes: u64) -> Option<()> {
        let row = ledger.row_of(PathId::ROOT)?;
        self.sequence.open_shared();
        row.alloc_bytes.add_shared(bytes);
        row.alloc_blocks.add_shared(1);
        self.sequence.close_shared();
        Some(())
    }

    fn count_free_shared(&'static self, space: Space, ledger: &'static Ledger, tag: Tag, bytes: u64) {
        if let Some(row) = ledger.row_of(tag.path()) {
            self.sequence.open_shared();
            row.freed_bytes.add_shared(bytes);
            row.freed_blocks.add_shared(1);
            self.sequence.close_shared();
        }
        if let Some(home) = tag.lane() {
            home.hand_over(space, bytes);
        }
    }
}
