//! Pools: entries that are made when they are needed, lent out one at a time, and never given back to the system.
//!
//! An entry has a number for as long as the process lives, so whoever kept the number finds the entry again; whose
//! entry it is by then is left to the holder to find out. Memory is bounded by the most entries that were out at
//! once. Taking and giving back is one compare-and-exchange each, from any thread, and waits for nobody.
//!
//! The free entries are a stack. Its top stands in one word with the number of changes that the stack has seen: a
//! thread that read the top, and was stopped before it exchanged the word, cannot mistake an entry that was taken
//! and came back for one that never left (the ABA problem).
//!
//! ```text
//!              take ◄──────────────────────────┐
//! made 1 .. n ──┬──► out ──── give_back ───► free: top ──► next ──► next ──► 0
//!               │             (any thread)     (last given back, first taken: its cache lines are warm)
//!  none free: make, number n + 1
//! ```
//!
//! The count of changes has 32 bits. To be mistaken, a thread would have to be stopped between its two steps while
//! the others change the stack exactly a multiple of 2^32 times, and leave the same entry on top.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::base::memory::{Blank, Table};

/// What an entry keeps for its pool.
pub(crate) struct Place {
    /// The entry's number, by which others find it. 0 until the entry was made; never changed after that.
    index: AtomicU32,
    /// The entry below this one on the stack of free ones, while it is there.
    next_free: AtomicU32,
}

impl Place {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    pub(crate) const BLANK: Self = Self { index: AtomicU32::new(0), next_free: AtomicU32::new(0) };

    /// The number of the entry in its pool; 0 while it is in none.
    #[inline(always)]
    pub(crate) fn index(&self) -> u32 {
        self.index.load(Ordering::Relaxed)
    }
}

/// An entry of a [`Pool`].
pub(crate) trait Pooled: Blank {
    fn place(&self) -> &Place;
}

/// See the [module](self). Room for up to `64 * CHUNKS` entries; number 0 is never given, so that it may mean none.
pub(crate) struct Pool<T: Pooled, const CHUNKS: usize> {
    entries: Table<T, CHUNKS>,
    /// One more than there are entries.
    made: AtomicU32,
    /// The stack of free entries: the number of the top, and above it, in the upper half, how often the word was
    /// changed.
    free: AtomicU64,
}

impl<T: Pooled, const CHUNKS: usize> Pool<T, CHUNKS> {
    /// Without entries, and without memory until the first is taken.
    pub(crate) const fn new() -> Self {
        Self { entries: Table::new(), made: AtomicU32::new(1), free: AtomicU64::new(0) }
    }

    /// An entry that nobody has, as whoever gave it back left it; `None` if the pool is full or there is no memory.
    ///
    /// Nobody waits: each time that the exchange fails, another thread's has succeeded. The next entry that is read
    /// of one that another thread takes at the same moment may be wrong; then the exchange fails, as the word has
    /// changed.
    #[inline]
    pub(crate) fn take(&self) -> Option<&'static T> {
        let mut top = self.free.load(Ordering::Acquire);
        loop {
            let Some(entry) = self.of_index(low(top)) else { return self.make() };
            let next = changed(top, entry.place().next_free.load(Ordering::Relaxed));
            match self.free.compare_exchange_weak(top, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(entry),
                Err(now) => top = now,
            }
        }
    }

    /// One entry more. A number whose memory cannot be had stays unused: [`of_index`](Self::of_index) finds no
    /// entry there.
    #[cold]
    fn make(&self) -> Option<&'static T> {
        let most = u32::try_from(CHUNKS * 64).unwrap_or(u32::MAX);
        let one_more = |made: u32| (made < most).then_some(made + 1);
        let index = self.made.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let entry = self.entries.make(index as usize)?;
        entry.place().index.store(index, Ordering::Release);
        Some(entry)
    }

    /// Gives an entry of this pool back, which nobody else has.
    ///
    /// The release of the exchange carries what the caller wrote to the entry to whoever takes it next.
    #[inline]
    pub(crate) fn give_back(&self, entry: &T) {
        let mut top = self.free.load(Ordering::Relaxed);
        loop {
            entry.place().next_free.store(low(top), Ordering::Relaxed);
            let next = changed(top, entry.place().index());
            match self.free.compare_exchange_weak(top, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// The entry of this number; `None` for 0 and for one that was never made.
    #[inline]
    pub(crate) fn of_index(&self, index: u32) -> Option<&'static T> {
        let entry = self.entries.get(index as usize)?;
        (entry.place().index() != 0).then_some(entry)
    }

    /// Every entry made so far, out or free.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static T> {
        let made = self.made.load(Ordering::Acquire) as usize;
        self.entries.iter(made).map(|(_, entry)| entry).filter(|entry| entry.place().index() != 0)
    }
}

/// The number of the top, of the word of the stack.
fn low(word: u64) -> u32 {
    (word & u64::from(u32::MAX)) as u32
}

/// The next value of [`Pool::free`]: a new top, and one more change.
fn changed(word: u64, top: u32) -> u64 {
    (word >> 32).wrapping_add(1) << 32 | u64::from(top)
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, Ordering};

    use super::{Place, Pool, Pooled};
    use crate::base::memory::Blank;

    /// With whether it is out.
    struct Entry(Place, AtomicBool);

    impl Blank for Entry {
        const BLANK: Self = Self(Place::BLANK, AtomicBool::new(false));
    }

    impl Pooled for Entry {
        /// It stands in the entry, so that a pool needs no memory of its own for what is free.
        fn place(&self) -> &Place {
            &self.0
        }
    }

    fn indices<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u32> {
        entries.into_iter().map(|entry| entry.0.index()).collect()
    }

    #[test]
    fn the_last_entry_given_back_is_the_next_one_taken() {
        static POOL: Pool<Entry, 1> = Pool::new();
        let taken = [(); 3].map(|()| POOL.take().expect("room"));
        assert_eq!(indices(taken), [1, 2, 3]);
        POOL.give_back(taken[0]);
        POOL.give_back(taken[2]);
        assert_eq!(indices([(); 3].map(|()| POOL.take().expect("room"))), [3, 1, 4]);
        assert_eq!(indices(POOL.all()), [1, 2, 3, 4]);
        assert!(POOL.of_index(0).is_none() && POOL.of_index(5).is_none());
    }

    #[test]
    fn a_pool_is_full_when_its_table_is() {
        static POOL: Pool<Entry, 1> = Pool::new();
        let taken: Vec<_> = core::iter::from_fn(|| POOL.take()).collect();
        assert_eq!(indices(taken.iter().copied()), (1..64).collect::<Vec<u32>>());
        POOL.give_back(taken[7]);
        assert_eq!(indices(POOL.take()), [8]);
        assert!(POOL.take().is_none());
    }

    #[test]
    fn no_entry_is_out_twice() {
        static POOL: Pool<Entry, 4> = Pool::new();
        const TURNS: usize = 10_000;
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..TURNS {
                        let both = [(); 2].map(|()| POOL.take().expect("room"));
                        for entry in both {
                            assert!(!entry.1.swap(true, Ordering::Relaxed), "it is out already");
                        }
                        for entry in both {
                            entry.1.store(false, Ordering::Relaxed);
                            POOL.give_back(entry);
                        }
                    }
                });
            }
        });
        // No more than two for each thread were ever out, so no more were made.
        let mut out = indices(core::iter::from_fn(|| POOL.take()).take(8));
        out.sort_unstable();
        assert_eq!(out, (1..=8).collect::<Vec<u32>>());
    }
}
