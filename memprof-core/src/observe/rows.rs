//! The rows of all threads, in one space.
//!
//! What a thread allocated and what it freed of a row is read at one moment, so blocks that come and go meanwhile
//! are in neither. A thread that is in the midst of a change for long was interrupted there, and goes on when the
//! system lets it: until then, the others are read.
//!
//! A block that thread A allocates and thread B frees, both after this began to read, is met in one of two ways:
//!
//! | order of reading | what is read of it | the sum |
//! |---|---|---|
//! | A's row, then B's frees | freed, not allocated | below 0, which it never was |
//! | B's frees, then A's row | allocated, not freed | live a moment too long, as if read a little before |
//!
//! So rows of which a thread has freed more than it allocated are asked for their frees before anything else is read.

use std::collections::BTreeSet;

use crate::lanes::activation::Activation;
use crate::space::spaces::Space;
use crate::thread::ledger::Ledger;
use crate::thread::slot::{Slot, slots};

use super::open_rows::OpenScopes;
use super::sums::{PathSums, read_freed, read_row};

/// How often whoever is still in the midst of a change is asked again, after the others were let run. On the last
/// round what is there is taken, and counted as not whole.
const ROUNDS: u32 = 64;

/// Adds up what the threads recorded in a space, by path. Gives the futures that were being polled; adds to
/// `unread` how many parts could not be read whole.
pub(super) fn read(space: Space, sums: &mut [PathSums], unread: &mut usize) -> Vec<&'static Activation> {
    let mut threads: Vec<Thread> = slots().filter_map(|slot| Thread::of(slot, space)).collect();
    for thread in &mut threads {
        thread.read_freed_first(sums);
    }
    let mut read = Read { sums, polled: Vec::new(), unread };
    for round in 0..=ROUNDS {
        threads.retain_mut(|thread| !thread.read_on(space, round == ROUNDS, &mut read));
        if threads.is_empty() {
            break;
        }
        std::thread::yield_now();
    }
    read.polled
}

/// What was read so far.
struct Read<'a> {
    sums: &'a mut [PathSums],
    polled: Vec<&'static Activation>,
    unread: &'a mut usize,
}

/// Where the parts go to.
impl Read<'_> {
    fn add(&mut self, path: usize, part: &PathSums) {
        // A path that was made after this snapshot began is none of its.
        if let Some(sums) = self.sums.get_mut(path) {
            sums.add(part);
        }
    }
}

/// A thread that is being read.
struct Thread {
    slot: &'static Slot,
    ledger: &'static Ledger,
    /// The paths whose frees are read already.
    freed_first: BTreeSet<usize>,
    /// The paths that are open there, once they are read; their rows are read with them.
    open: Option<BTreeSet<usize>>,
    /// The first path that is not read yet.
    next: usize,
}

impl Thread {
    /// A thread to be read in a space; `None` if it never touched it.
    fn of(slot: &'static Slot, space: Space) -> Option<Self> {
        // A space may have been touched only by others, under a context captured on this thread.
        let untouched = slot.sharing.get().map(|_| Ledger::untouched());
        let ledger = slot.known_ledger(space).or(untouched)?;
        Some(Self { slot, ledger, freed_first: BTreeSet::new(), open: None, next: 0 })
    }

    /// Rows of which a thread freed more than it allocated get their frees before any other number: blocks that it
    /// takes over from another thread meanwhile are not seen to be freed without having been seen to be allocated.
    fn read_freed_first(&mut self, sums: &mut [PathSums]) {
        if !self.slot.has_foreign_frees() {
            return;
        }
        for (path, row) in self.ledger.rows.iter(sums.len()) {
            if row.freed_bytes.get() > row.alloc_bytes.get()
                && let (freed, true) = read_freed(self.slot, self.ledger, row)
            {
                sums[path].add_freed(&freed);
                self.freed_first.insert(path);
            }
        }
    }

    /// Adds what was read of a path, without its frees if those were read before.
    fn add(&self, path: usize, part: &mut PathSums, read: &mut Read<'_>) {
        if self.freed_first.contains(&path) {
            part.forget_freed();
        }
        read.add(path, part);
    }

    /// Reads as far as it gets. Whether that was all; on the last round it is.
    fn read_on(&mut self, space: Space, is_last_round: bool, read: &mut Read<'_>) -> bool {
        match self.open.take().or_else(|| self.read_open(space, is_last_round, read)) {
            Some(open) => self.read_closed(open, is_last_round, read),
            None => false,
        }
    }

    /// [`read_on`](Self::read_on) of the rows whose paths are not open. By itself: a thread with a small stack has no room for this beside
    /// the reading of those that are.
    #[inline(never)]
    fn read_closed(&mut self, open: BTreeSet<usize>, is_last_round: bool, read: &mut Read<'_>) -> bool {
        let rows = self.ledger.rows.range(self.next..read.sums.len());
        for (path, row) in rows.filter(|(path, _)| !open.contains(path)) {
            let (mut part, whole) = read_row(self.slot, self.ledger, row);
            if !whole && !is_last_round {
                (self.open, self.next) = (Some(open), path);
                return false;
            }
            *read.unread += usize::from(!whole);
            self.add(path, &mut part, read);
        }
        true
    }

    /// Reads what is open, with its rows, and gives its paths.
    fn read_open(&self, space: Space, is_last_round: bool, read: &mut Read<'_>) -> Option<BTreeSet<usize>> {
        let mut open = OpenScopes::read(self.slot, space, self.ledger);
        if !open.whole && !is_last_round {
            return None;
        }
        *read.unread += usize::from(!open.whole);
        read.polled.extend(open.polled);
        for (path, part) in &mut open.rows {
            self.add(*path, part, read);
        }
        Some(open.rows.into_keys().collect())
    }
}
