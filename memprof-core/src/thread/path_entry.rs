//! Where entering a site at a path leads: to another path, with what this thread counts there.
//!
//! A slot remembers the entries that it took last in a cache of 128 places, so a scope that is entered again finds its path by one
//! comparison. Otherwise the path is interned ([`names::path`](crate::names::path)), which takes a lock, and the thread is blind
//! meanwhile. What entering it does to the stack is left to [`stack`](super::stack).

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::thread::frame::{CallRow, SiteRow};
use crate::thread::slot::{CacheEntry, NO_KEY, Slot};

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

impl Slot {
    #[inline(always)]
    pub(crate) fn cached(&'static self, key: u64) -> &'static CacheEntry {
        // The path and the site number both go up by one at a time; the multiplier spreads the path over the places.
        let place = (key >> 32).wrapping_mul(37) ^ key;
        &self.cache[(place % self.cache.len() as u64) as usize]
    }

    /// The calls of the path that entering `site` at `path` leads to, if the cache knows.
    #[inline(always)]
    pub(crate) fn cached_calls(&'static self, path: PathId, site: &'static Site) -> Option<&'static CallRow> {
        let key = key(path, site.id());
        let cached = self.cached(key);
        (cached.key.get() == key).then(|| cached.calls.get())
    }

    /// Where entering `site` at `path` leads to, from the cache or by interning.
    #[inline]
    pub(crate) fn path_entry(&'static self, path: PathId, site: &'static Site) -> Option<PathEntry> {
        let id = site.id();
        let key = key(path, id);
        let cached = self.cached(key);
        if id != 0 && cached.key.get() == key {
            return Some(PathEntry {
                site: id,
                path: PathId::from_bits(cached.path.get() as u32),
                calls: cached.calls.get(),
                site_row: cached.calls.get().site.get(),
            });
        }
        self.make_path_entry(path, site)
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
        let cached = self.cached(key);
        cached.key.set(NO_KEY);
        cached.path.set(u64::from(path_entry.path.bits()));
        cached.calls.set(path_entry.calls);
        cached.key.set(key);
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
