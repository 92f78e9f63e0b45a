//! Numbers that one thread writes, with plain loads and stores, and that any thread may read at any time: one by one
//! ([`Counter`]), or several as they stood at one moment ([`Sequence`]).
//!
//! Which numbers belong together, and who writes them, is left to whoever holds them.
//!
//! A counter costs what a plain number costs: an addition to memory, without a lock. A locked one would cost some 20
//! cycles (Agner Fog's instruction tables, `lock add`), which is more than the rest of an event.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::base::single::{self, Alone};

/// A 64-bit number that one thread writes, without locked instructions, and any thread may read.
///
/// Differences are taken with wrapping arithmetic, so it serves for signed numbers too.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// The number now. It is whole, as it is one word; what stands beside it may be newer or older.
    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The number as a signed one, in two's complement.
    #[inline(always)]
    pub(crate) fn signed(&self) -> i64 {
        self.get().cast_signed()
    }

    /// The number, of a record that this thread is changing: read as a plain one.
    #[inline(always)]
    pub(crate) fn own(&self, alone: Alone) -> u64 {
        single::read(&self.0, alone)
    }

    /// [`own`](Self::own) as a signed one.
    #[inline(always)]
    pub(crate) fn own_signed(&self, alone: Alone) -> i64 {
        self.own(alone).cast_signed()
    }

    /// Sets it, on the thread that writes it.
    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `value`, in one instruction where the machine has one ([`single`]).
    #[inline(always)]
    pub(crate) fn add(&self, value: u64) {
        single::add(&self.0, value);
    }

    /// Subtracts `value`, likewise.
    #[inline(always)]
    pub(crate) fn sub(&self, value: u64) {
        self.add(value.wrapping_neg());
    }

    /// Keeps the greater of what stands here and `value`, both unsigned.
    #[inline(always)]
    pub(crate) fn raise(&self, value: u64) {
        if value > self.get() {
            self.set(value);
        }
    }

    /// [`raise`](Self::raise) of a number of a record that this thread is changing.
    #[inline(always)]
    pub(crate) fn raise_own(&self, value: u64, alone: Alone) {
        if value > self.own(alone) {
            self.set(value);
        }
    }

    /// Adds from any thread: for the one slot that several threads write.
    pub(crate) fn add_shared(&self, value: u64) -> u64 {
        self.0.fetch_add(value, Ordering::Relaxed).wrapping_add(value)
    }
}

/// What lets a reader take a consistent copy of numbers that their owner keeps changing, without ever making the
/// owner wait.
///
/// The owner brackets each change with [`begin_write`](Self::begin_write) and [`end_write`](Self::end_write):
/// `begin` is ahead of `end` exactly while a change is under way. A reader sees `begin == end`, copies the numbers,
/// and sees that `begin` is still the same: then nothing changed in between. Why that holds on any machine: the
/// release fence after `begin` orders it before the change's stores, so a reader that saw one of those stores and
/// then an acquire fence also sees `begin`; and the acquire load of `end` brings in all stores of the changes
/// counted in it. One writer and plain loads and stores: there is no interleaving for loom to search that this
/// argument does not cover.
///
/// What a reader can meet, by where the owner is when the reader takes each of its three looks:
///
/// | first look | while it copies | last look | the copy |
/// |---|---|---|---|
/// | a change is under way | | | is not trusted: `begin` is ahead of `end` |
/// | at rest | nothing begins | `begin` as before | is whole |
/// | at rest | a change begins | `begin` has grown | is not trusted |
/// | at rest | a change begins and ends | `begin` has grown | is not trusted: it may hold parts of both |
///
/// It is a sequence lock with its one word split in two, so that it also serves a record that several threads
/// change at once: one word that is odd while somebody is at it would be even again with two of them.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// Changes that have begun. Only grows; 2^64 of them do not happen.
    begin: AtomicU64,
    /// Changes that have ended.
    end: AtomicU64,
}

impl Sequence {
    pub(crate) const fn new() -> Self {
        Self { begin: AtomicU64::new(0), end: AtomicU64::new(0) }
    }

    /// Begins a change, until [`end_write`](Self::end_write).
    #[inline(always)]
    pub(crate) fn begin_write(&self) {
        single::add(&self.begin, 1);
        fence(Ordering::Release);
    }

    /// Ends the change. The release store carries all stores of the change to a reader that sees it.
    #[inline(always)]
    pub(crate) fn end_write(&self) {
        single::add_release(&self.end, 1);
    }

    /// [`begin_write`](Self::begin_write) for a record that several threads change at once.
    ///
    /// While one of them is at it, `begin` is ahead of `end`, whoever else has ended meanwhile: the two counts
    /// agree only where nobody is.
    pub(crate) fn begin_write_shared(&self) {
        self.begin.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
    }

    /// [`end_write`](Self::end_write) for a record that several threads change at once.
    pub(crate) fn end_write_shared(&self) {
        self.end.fetch_add(1, Ordering::Release);
    }

    /// How many changes there were, if none is under way.
    #[inline]
    pub(crate) fn read_begin(&self) -> Option<u64> {
        let end = self.end.load(Ordering::Acquire);
        (self.begin.load(Ordering::Acquire) == end).then_some(end)
    }

    /// Whether no further change has begun since there were so many; asked after an acquire fence.
    #[inline]
    pub(crate) fn read_validate(&self, changes: u64) -> bool {
        self.begin.load(Ordering::Relaxed) == changes
    }

    /// Copies with `copy` until nothing changed meanwhile, at most `tries` times. Gives the last copy, and whether
    /// it can be trusted. Lets others run now and then, as an owner that is in the midst of a change for long was
    /// interrupted there.
    pub(crate) fn read<T>(&self, tries: u32, mut copy: impl FnMut() -> T) -> (T, bool) {
        read_again(tries, yield_now_and_then, || {
            let before = self.read_begin();
            let words = copy();
            fence(Ordering::Acquire);
            (words, before.is_some_and(|changes| self.read_validate(changes)))
        })
    }
}

/// Calls `read` until what it gives can be trusted, as its `bool` says, at most `tries` times; `pause` is told after how
/// many. Gives the last that was read.
pub(crate) fn read_again<T>(tries: u32, pause: impl Fn(u32), mut read: impl FnMut() -> (T, bool)) -> (T, bool) {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (words, whole) = read();
        if whole || attempt >= tries {
            return (words, whole);
        }
        core::hint::spin_loop();
        pause(attempt);
    }
}

/// Yields every 64th time: a spinning reader would otherwise keep an owner from the processor that it waits for, where
/// there are fewer processors than threads.
pub(crate) fn yield_now_and_then(attempt: u32) {
    if attempt.is_multiple_of(64) {
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn a_change_under_way_is_never_read() {
        let sequence = Sequence::new();
        sequence.begin_write();
        assert_eq!(sequence.read(3, || 1), (1, false));
        sequence.end_write();
        assert_eq!(sequence.read(3, || 1), (1, true));
    }

    #[test]
    fn what_changes_while_it_is_copied_is_copied_again() {
        let sequence = Sequence::new();
        let mut copies = 0;
        let copy = || {
            copies += 1;
            if copies <= 3 {
                sequence.begin_write();
                sequence.end_write();
            }
            copies
        };
        assert_eq!(sequence.read(9, copy), (4, true));
    }
}
