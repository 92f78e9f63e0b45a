//! Where entering a site leads that the cache of 128 places has no more: the ways that the thread went.
//!
//! A way leads from a path, by a site, to a path: to a child of it, or back to one further up, as in recursion and for polls. It is found in a hash
//! table whose entries are the ways themselves, each with the next one of its bucket. That to a child stands in the child's own
//! [`CallRow`]; one that leads back in a table of its own. So a path takes a pointer more, and a way back 24 bytes and a pointer. There are as
//! many buckets as ways, and twice as many once they are more; then every way is put in anew. Nobody but the thread reads them, and it takes no
//! lock.
//!
//! Whoever looks for a way or puts one in has begun a change, so a signal handler does not meet it half done.

use crate::base::counter::Counter;
use crate::base::memory::{AtomicOptionRef, Blank, Table};
use crate::names::path::{MOST_PATHS, PATH_CHUNKS, PathId};
use crate::thread::frame::CallRow;
use crate::thread::way::Way;

/// See the [module](self).
pub(crate) struct Known {
    buckets: Table<AtomicOptionRef<Way>, PATH_CHUNKS>,
    /// How many buckets are in use: a power of two, or none yet.
    size: Counter,
    ways: Counter,
    /// The ways that lead back to a path further up.
    back: Table<Way, PATH_CHUNKS>,
    ways_back: Counter,
}

impl Blank for Known {
    const BLANK: Self = Self {
        buckets: Table::new(),
        size: Counter::new(0),
        ways: Counter::new(0),
        back: Table::new(),
        ways_back: Counter::new(0),
    };
}

/// Buckets to begin with: a chunk of the table.
const FEWEST: u64 = 64;

/// The bucket of a key. Paths and sites are numbers that go up by one; the multiplier (2^64 over the golden ratio) spreads both.
#[inline(always)]
fn place(key: u64, size: u64) -> usize {
    ((key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) & (size - 1)) as usize
}

impl Known {
    /// The path that this key leads to, if the thread went there.
    #[inline]
    pub(super) fn get(&self, key: u64) -> Option<PathId> {
        let size = self.size.get();
        if size == 0 {
            return None;
        }
        let mut way = self.buckets.get(place(key, size))?.get()?;
        while way.key.get() != key {
            way = way.next.get()?;
        }
        Some(PathId::from_bits(way.path.get() as u32))
    }

    /// Notes that this key leads to the child whose row this is; `rows` are all of the thread.
    pub(super) fn insert(&self, child: &'static CallRow, key: u64, path: PathId, rows: &Table<CallRow, PATH_CHUNKS>) {
        if !child.way.is_in() {
            self.insert_way(&child.way, key, path, rows);
        }
    }

    /// Notes that this key leads back to a path further up. Without memory for that, it is interned again each time.
    pub(super) fn insert_back(&self, key: u64, path: PathId, rows: &Table<CallRow, PATH_CHUNKS>) {
        let index = self.ways_back.get();
        // Where none can be found again, none is taken.
        let is_ready = self.size.get() > 0 || self.grow(rows);
        if is_ready
            && index < u64::from(MOST_PATHS)
            && self.get(key).is_none()
            && let Some(way) = self.back.get(index as usize).or_else(|| self.back.make(index as usize))
        {
            self.ways_back.add(1);
            self.insert_way(way, key, path, rows);
        }
    }

    fn insert_way(&self, way: &'static Way, key: u64, path: PathId, rows: &Table<CallRow, PATH_CHUNKS>) {
        way.path.set(u64::from(path.bits()));
        way.key.set(key);
        self.ways.add(1);
        let has_grown = self.ways.get() > self.size.get() && self.grow(rows);
        if !has_grown {
            self.link(way);
        }
    }

    /// Puts all ways into twice as many buckets. `false`: there is no memory for them, or they are as many as there can be paths.
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
        let to_children = rows.iter(PathId::count()).map(|(_, row)| &row.way);
        let back = self.back.iter(self.ways_back.get() as usize).map(|(_, way)| way);
        to_children.chain(back).filter(|way| way.is_in()).for_each(|way| self.link(way));
        true
    }

    /// Puts a way in front of those in its bucket; in none, if there never was memory for any.
    fn link(&self, way: &'static Way) {
        let size = self.size.get();
        if size > 0
            && let Some(bucket) = self.buckets.get(place(way.key.get(), size))
        {
            way.next.set(bucket.get());
            bucket.set(Some(way));
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
        let mut paths = Vec::new();
        for site in sites.clone() {
            let path = PathId::ROOT.enter(910_000 + site as u32).expect("memory");
            let row = rows.make(path.index()).expect("memory");
            assert_eq!(known.get(site), None);
            known.insert(row, site, path, &rows);
            known.insert(row, site + 5_000, path, &rows);
            known.insert_back(site + 10_000, path, &rows);
            known.insert_back(site + 10_000, PathId::ROOT, &rows);
            paths.push(path);
        }
        assert_eq!((known.ways.get(), known.ways_back.get(), known.size.get()), (2_000, 1_000, 2_048));
        for (site, path) in sites.zip(paths) {
            assert_eq!(known.get(site), Some(path));
            assert_eq!(known.get(site + 10_000), Some(path), "the first way back counts");
            assert_eq!(known.get(site + 5_000), None, "a row has one key");
        }
    }
}
