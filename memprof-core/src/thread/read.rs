//! Reading what a thread records, from any thread and without ever making it wait.
//!
//! A thread writes its slot with plain stores. What it changes when scopes come and go shows in the slot's top, its count of changes and its
//! [`Sequence`](crate::base::counter::Sequence) ([`change`](super::change)); an event shows in the count of blocks of its ledger
//! ([`Ledger::blocks`]) that it is under way. A reader copies what it wants, and makes sure that neither was going on.
//!
//! Two ways to make sure. One copy is enough if neither number moved from before it to after it: that is tried first, and mostly
//! succeeds. A thread that never rests would defeat it, so from then on two copies have to agree around a moment at which nothing
//! was under way: as sums only grow, equal copies are of one moment, and the thread may have gone on before and after. Both are argued in
//! `thread/ledger/blocks`, where all orders of three events and a reader are a test.
//!
//! Tries are bounded. A thread that was stopped in the midst of a change cannot be read until it goes on: the last copy is given with
//! `false`, and the caller says that something is missing.

use core::sync::atomic::{Ordering, fence};

use crate::base::counter::{read_again, yield_now_and_then};
use crate::thread::current;
use crate::thread::ledger::Ledger;
use crate::thread::row::Row;
use crate::thread::slot::Slot;

impl Slot {
    /// Copies numbers of a ledger, and of what is open, as they stand at one moment, in at most `tries`. Gives the last
    /// copy, and whether it can be trusted.
    #[inline]
    pub(crate) fn read<T: PartialEq>(&self, ledger: &Ledger, tries: u32, mut copy: impl FnMut() -> T) -> (T, bool) {
        match self.read_at_rest(ledger, &mut copy) {
            Some(words) => (words, true),
            None => self.read_again(ledger, tries, copy, |_| ()),
        }
    }

    /// [`read`](Self::read) that lets others run now and then, as a thread that is in the midst of a change for long
    /// was interrupted there.
    pub(crate) fn read_patiently<T: PartialEq>(
        &self,
        ledger: &Ledger,
        tries: u32,
        copy: impl FnMut() -> T,
    ) -> (T, bool) {
        self.read_again(ledger, tries, copy, yield_now_and_then)
    }

    /// One copy, which is enough if nothing changed meanwhile.
    #[inline]
    fn read_at_rest<T>(&self, ledger: &Ledger, copy: impl FnOnce() -> T) -> Option<T> {
        let change = self.read_begin()?;
        let version = ledger.blocks().read_begin()?;
        let words = copy();
        fence(Ordering::Acquire);
        (ledger.blocks().read_validate(version) && self.read_validate(change)).then_some(words)
    }

    /// Two copies that agree around a quiet moment: a thread that never rests need not pause for a whole copy, only leave
    /// these numbers alone for as long.
    #[cold]
    fn read_again<T: PartialEq>(
        &self,
        ledger: &Ledger,
        tries: u32,
        mut copy: impl FnMut() -> T,
        pause: impl Fn(u32),
    ) -> (T, bool) {
        // What this very thread is in the midst of, which a signal handler interrupted, does not go on while it waits.
        let tries = if current::own().is_some_and(|own| core::ptr::eq(own, self)) { 1 } else { tries };
        read_again(tries, pause, || {
            let words = copy();
            fence(Ordering::Acquire);
            let quiet = self.read_begin().is_some() && ledger.blocks().read_begin().is_some();
            let whole = quiet && copy() == words;
            (words, whole)
        })
    }

    /// What this thread's events on the host add to the live bytes and blocks of a row's path; and whether both are of
    /// one moment: not where the thread stands in the midst of an event.
    pub(crate) fn owned(&self, row: &Row) -> ([u64; 2], bool) {
        const TRIES: u32 = 64;
        self.read(&self.host, TRIES, || row.owned())
    }

    /// [`owned`](Self::owned) of these rows, into as many places. `false`: of one at least, not of one moment.
    pub(crate) fn copy_owned(&self, rows: &[Row], into: &mut [[u64; 2]]) -> bool {
        let copy_all = || {
            for (owned, row) in into.iter_mut().zip(rows) {
                *owned = row.owned();
            }
        };
        if self.read_at_rest(&self.host, copy_all).is_some() {
            return true;
        }
        // One by one they may be of one moment each, of a thread that hardly rests.
        let mut all_whole = true;
        for (owned, row) in into.iter_mut().zip(rows) {
            let (now, is_whole) = self.owned(row);
            *owned = now;
            all_whole &= is_whole;
        }
        all_whole
    }
}
