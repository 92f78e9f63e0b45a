//! Where entering a site at a path leads: to another path, with what this thread counts there.
//!
//! A slot remembers the entries that it took last in a cache of 128 places, so a scope that is entered again finds its path by one
//! comparison. What others have driven out of there is looked for among all paths that the thread [knows](super::known), without a lock. A path
//! that is not among those, as in recursion and for polls, has a second place in the cache, which the slow path looks at; what is nowhere is interned
//! ([`names::path`](crate::names::path)), which takes a lock, and the thread is blind meanwhile. What entering it does
//! to the stack is left to [`stack`](super::stack).

use core::hint::cold_path;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::thread::frame::{CallRow, SiteRow};
use crate::thread::slot::{CACHE, CacheEntry, KNOWN, Slot};

/// Where entering a site at a path leads.
pub(crate) struct PathEntry {
    pub(crate) site: u32,
    pub(crate) path: PathId,
    pub(crate) calls: &'static CallRow,
    pub(crate) site_row: &'static SiteRow,
}

pub(crate) fn key(path: PathId, site: u32) -> u64 {
    u64::from(path.bits()) << 32 | u64::from(site)
}

/// The first place of a key in the cache.
#[inline(always)]
fn place(key: u64) -> usize {
    // The path and the site number both go up by one at a time; the multiplier spreads the path over the places.
    (((key >> 32).wrapping_mul(37) ^ key) % CACHE as u64) as usize
}

impl Slot {
    #[inline(always)]
    pub(crate) fn cached(&'static self, key: u64) -> &'static CacheEntry {
        &self.cache[place(key)]
    }

    /// The second place of a key.
    fn cached_second(&'static self, key: u64) -> &'static CacheEntry {
        &self.cache[place(key) ^ (CACHE / 2)]
    }

    /// Puts an entry into its first place; what stood there goes to its second, if it is found nowhere else. A signal handler does not meet half an entry: it is
    /// recorded aside.
    fn remember(&'static self, key: u64, path: u64, calls: &'static CallRow) {
        let _change = self.begin_change();
        self.remember_changing(key, path, calls);
    }

    /// [`remember`](Self::remember) within a change.
    #[inline(always)]
    fn remember_changing(&'static self, key: u64, path: u64, calls: &'static CallRow) {
        let first = self.cached(key);
        if first.path.get() & KNOWN == 0 {
            cold_path();
            self.drive_out(key);
        }
        first.set(key, path, calls);
    }

    /// Puts what stands in the first place of a key into its second. Number by number, so that few registers do.
    #[inline(always)]
    fn drive_out(&'static self, key: u64) {
        let (first, second) = (self.cached(key), self.cached_second(key));
        second.key.set(first.key.get());
        second.path.set(first.path.get());
        second.calls.set(first.calls.get());
    }

    /// The calls of the path that entering `site` at `path` leads to, and whether the cache knows it: if not, they are of
    /// another path.
    #[inline(always)]
    pub(crate) fn cached_calls(&'static self, path: PathId, site: &'static Site) -> (&'static CallRow, bool) {
        let key = key(path, site.id());
        let cached = self.cached(key);
        (cached.calls.get(), cached.key.get() == key)
    }

    /// Where entering `site` at `path` leads to, from the cache or by interning.
    #[inline]
    pub(crate) fn path_entry(&'static self, path: PathId, site: &'static Site) -> Option<PathEntry> {
        let id = site.id();
        let key = key(path, id);
        let (first, second) = (self.cached(key), self.cached_second(key));
        let is_second = first.key.get() != key;
        let cached = if is_second { second } else { first };
        if id == 0 || cached.key.get() != key {
            return self.known_path_entry(key, id).or_else(|| self.make_path_entry(path, site));
        }
        let (path, calls) = (cached.path.get(), cached.calls.get());
        if is_second {
            self.remember(key, path, calls);
        }
        Some(PathEntry { site: id, path: PathId::from_bits(path as u32), calls, site_row: calls.site.get() })
    }

    /// The path that a key leads to, with its calls, if the thread was there; within a change.
    #[inline(always)]
    pub(crate) fn known_calls(&'static self, key: u64) -> Option<(PathId, &'static CallRow)> {
        let calls = self.known.get(key)?;
        let path = calls.path.get();
        self.remember_changing(key, path | KNOWN, calls);
        Some((PathId::from_bits(path as u32), calls))
    }

    /// The entry of a path that the thread was at, and whose place in the cache others have taken since.
    fn known_path_entry(&'static self, key: u64, id: u32) -> Option<PathEntry> {
        let calls = self.known.get(key)?;
        let path = calls.path.get();
        self.remember(key, path | KNOWN, calls);
        Some(PathEntry { site: id, path: PathId::from_bits(path as u32), calls, site_row: calls.site.get() })
    }

    #[cold]
    fn make_path_entry(&'static self, path: PathId, site: &'static Site) -> Option<PathEntry> {
        let _blind = blind::enter();
        let id = site.register()?;
        let path_there = path.enter(id).inspect_err(|why| missed::note(*why)).ok()?;
        let Some(path_entry) = self.path_entry_at(path_there) else {
            missed::note(Refused::NoMemory);
            return None;
        };
        let path_entry = PathEntry { site: id, ..path_entry };
        let key = key(path, id);
        let is_own = path_there != path && path_there.parent() == path;
        if is_own {
            let _change = self.begin_change();
            self.known.insert(path_entry.calls, key, path_there, &self.calls);
        }
        let known = if is_own { KNOWN } else { 0 };
        self.remember(key, u64::from(path_entry.path.bits()) | known, path_entry.calls);
        Some(path_entry)
    }

    /// The entry of a path that is known.
    pub(crate) fn path_entry_at(&'static self, path: PathId) -> Option<PathEntry> {
        let site = path.site();
        let calls = self.calls.get(path.index()).or_else(|| self.calls.make(path.index()))?;
        let site_row = self.sites.get(site as usize).or_else(|| self.sites.make(site as usize))?;
        calls.site.set(site_row);
        Some(PathEntry { site, path, calls, site_row })
    }
}

impl Slot {
    /// Counts the call of an activation that is entered later, poll by poll.
    #[inline]
    pub(crate) fn count_call(&'static self, path_entry: &PathEntry) {
        self.change(|| path_entry.calls.calls.add(1));
    }

    /// Counts the end of such an activation, on whichever thread that is.
    pub(crate) fn count_left(&'static self, path: PathId) {
        if let Some(path_entry) = self.path_entry_at(path) {
            self.change(|| path_entry.calls.end_future(path));
        }
    }
}
