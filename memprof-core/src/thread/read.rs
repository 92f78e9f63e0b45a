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
use crate::thread::change;
use crate::thread::current;
use crate::thread::ledger::{self, Ledger};
use crate::thread::row::Row;
use crate::thread::slot::Slot;

/// A moment at which nothing was being changed; see [`Slot::own_read_begin`].
#[derive(Clone, Copy)]
pub(crate) struct Moment(change::Version, ledger::Version);

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
    fn read_at_rest<T>(&self, ledger: &Ledger, copy: &mut impl FnMut() -> T) -> Option<T> {
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

    /// How far this thread's changes and events on the host have come, if this is its own slot and none is under way beneath a signal handler.
    /// What it reads from then on is whole as long as that [holds](Self::own_read_validate): no handler came.
    pub(crate) fn own_read_begin(&self) -> Option<Moment> {
        let is_own = current::own().is_some_and(|own| core::ptr::eq(own, self));
        is_own.then(|| Some(Moment(self.read_begin()?, self.host.blocks().read_begin()?))).flatten()
    }

    /// Whether nothing has changed since that moment.
    pub(crate) fn own_read_validate(&self, Moment(change, event): Moment) -> bool {
        fence(Ordering::Acquire);
        self.read_validate(change) && self.host.blocks().read_validate(event)
    }
}
