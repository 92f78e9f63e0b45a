//! The paths that a thread was at, by their parent and site: where entering a site leads that the cache of 128 places has no more.
//!
//! A hash table whose entries are the thread's own [`CallRow`]s, each with the next one of its bucket: it takes a pointer for each path, and no
//! more. It has as many buckets as paths, and twice as many once they are more; then every row is put in anew. Nobody but the thread
//! reads it, and it takes no lock. Sites that lead back to a path further up, as in recursion, are not in it.
//!
//! Whoever puts a row in has begun a change, so a signal handler does not meet it half done; one that comes while a row is looked for may
//! put rows in, and then the search goes on in one bucket or the other, and may miss: the path is interned again, to the same end.

use crate::base::counter::Counter;
use crate::base::memory::{AtomicOptionRef, Blank, Table};
use crate::names::path::{MOST_PATHS, PATH_CHUNKS, PathId};
use crate::thread::frame::CallRow;

/// See the [module](self).
pub(crate) struct Known {
    buckets: Table<AtomicOptionRef<CallRow>, PATH_CHUNKS>,
    /// How many buckets are in use: a power of two, or none yet.
    size: Counter,
    rows: Counter,
}

impl Blank for Known {
    const BLANK: Self = Self { buckets: Table::new(), size: Counter::new(0), rows: Counter::new(0) };
}

/// Buckets to begin with: a chunk of the table.
const FEWEST: u64 = 64;

/// The bucket of a key. Paths and sites are numbers that go up by one; the multiplier (2^64 over the golden ratio) spreads both.
#[inline(always)]
fn place(key: u64, size: u64) -> usize {
    ((key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) & (size - 1)) as usize
}

impl Known {
    /// The row of the path that this key leads to, if the thread was there.
    #[inline]
    pub(super) fn get(&self, key: u64) -> Option<&'static CallRow> {
        let size = self.size.get();
        if size == 0 {
            return None;
        }
        let mut row = self.buckets.get(place(key, size))?.get()?;
        while row.key.get() != key {
            row = row.next.get()?;
        }
        Some(row)
    }

    /// Puts in the row of `path`, which this key leads to. `rows` are all of the thread.
    pub(super) fn insert(&self, row: &'static CallRow, key: u64, path: PathId, rows: &Table<CallRow, PATH_CHUNKS>) {
        if row.key.get() != 0 {
            return;
        }
        row.path.set(u64::from(path.bits()));
        row.key.set(key);
        self.rows.add(1);
        let has_grown = self.rows.get() > self.size.get() && self.grow(rows);
        if !has_grown {
            self.link(row);
        }
    }

    /// Puts all rows into twice as many buckets. `false`: there is no memory for them, or they are as many as there can be paths.
    #[cold]
    fn grow(&self, rows: &Table<CallRow, PATH_CHUNKS>) -> bool {
        let size = (2 * self.size.get()).max(FEWEST);
        let made = size <= u64::from(MOST_PATHS)
            && (0..size as usize).step_by(FEWEST as usize).all(|place| self.buckets.make(place).is_some());
        if !made {
            return false;
        }
        self.buckets.iter(size as usize).for_each(|(_, bucket)| bucket.set(None));
        self.size.set(size);
        rows.iter(PathId::count()).filter(|(_, row)| row.key.get() != 0).for_each(|(_, row)| self.link(row));
        true
    }

    /// Puts a row in front of those in its bucket; in none, if there never was memory for any.
    fn link(&self, row: &'static CallRow) {
        let size = self.size.get();
        if size > 0
            && let Some(bucket) = self.buckets.get(place(row.key.get(), size))
        {
            row.next.set(bucket.get());
            bucket.set(Some(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Blank as _, Known, PATH_CHUNKS, PathId, Table};

    #[test]
    fn every_path_is_found_under_its_key_however_many_there_are() {
        let (known, rows) = (Known::BLANK, Table::<_, PATH_CHUNKS>::new());
        let sites = 1..=1_000_u64;
        for site in sites.clone() {
            let parent = PathId::ROOT.enter(910_000 + site as u32).expect("memory");
            let row = rows.make(parent.index()).expect("memory");
            assert!(known.get(site).is_none());
            known.insert(row, site, parent, &rows);
            known.insert(row, site + 5_000, parent, &rows);
        }
        assert_eq!((known.rows.get(), known.size.get()), (1_000, 1_024));
        for site in sites {
            let row = known.get(site).expect("it was put in");
            assert_eq!(
                row.path.get(),
                rows.iter(PathId::count()).find(|(_, other)| core::ptr::eq(*other, row)).expect("its own").0 as u64
            );
            assert!(known.get(site + 5_000).is_none(), "a row has one key");
        }
    }
}
