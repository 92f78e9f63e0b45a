//! Where entering a site at a path leads: to another path, with what this thread counts there.
//!
//! A slot remembers the entries that it took last in a cache of 128 places, so a scope that is entered again finds its path by one
//! comparison. What others have driven out of there is looked for among all ways that the thread [knows](super::known), without a lock. What is not
//! among those is interned ([`names::path`](crate::names::path)), which takes a lock, and the thread is blind meanwhile. What entering it does
//! to the stack is left to [`stack`](super::stack).

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::single::Alone;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::thread::frame::{CallRow, SiteRow};
use crate::thread::slot::{CACHE, CacheEntry, Slot};

/// Where entering a site at a path leads.
pub(crate) struct PathEntry {
    pub(crate) site: u32,
    pub(crate) path: PathId,
    pub(crate) calls: &'static CallRow,
    pub(crate) site_row: &'static SiteRow,
}

/// What the cache of paths knows by: where entering this site at this path leads.
pub(crate) fn key(path: PathId, site: u32) -> u64 {
    u64::from(path.bits()) << 32 | u64::from(site)
}

/// The place of a key in the cache.
#[inline(always)]
pub(crate) fn place(key: u64) -> usize {
    // The path and the site number both go up by one at a time; the multiplier spreads the path over the places.
    (((key >> 32).wrapping_mul(37) ^ key) % CACHE as u64) as usize
}

impl Slot {
    #[inline(always)]
    pub(crate) fn cached(&'static self, key: u64) -> &'static CacheEntry {
        &self.cache[place(key)]
    }

    /// The calls of the path that a key leads to, which has this place in the cache, and whether the cache knows it: if not, they are of another
    /// path. Within a change.
    #[inline(always)]
    pub(crate) fn cached_calls(&'static self, key: u64, place: u64, alone: Alone) -> (&'static CallRow, bool) {
        let cached = &self.cache[place as usize % CACHE];
        (cached.calls.get(), cached.key.own(alone) == key)
    }

    /// The path that a key leads to, with its calls, if the thread went there before; within a change, in which the cache remembers it.
    #[inline(always)]
    pub(crate) fn known_calls(&'static self, key: u64) -> Option<(PathId, &'static CallRow)> {
        let cached = self.cached(key);
        if cached.key.get() == key {
            return Some((PathId::from_bits(cached.path.get() as u32), cached.calls.get()));
        }
        let path = self.known.get(key)?;
        let calls = self.calls.get(path.index())?;
        cached.set(key, path, calls);
        Some((path, calls))
    }

    /// Where entering `site` at `path` leads to, as the thread knows or by interning.
    #[inline]
    pub(crate) fn path_entry(&'static self, path: PathId, site: &'static Site) -> Option<PathEntry> {
        let id = site.id();
        if id == 0 {
            return self.make_path_entry(path, site);
        }
        let change = self.begin_change_while_growing();
        let known = self.known_calls(key(path, id));
        drop(change);
        match known {
            Some((path, calls)) => Some(PathEntry { site: id, path, calls, site_row: calls.site.get() }),
            None => self.make_path_entry(path, site),
        }
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
        let _change = self.begin_change_while_growing();
        if path_there != path && path_there.parent() == path {
            self.known.insert(path_entry.calls, key, path_there, &self.calls);
        } else {
            self.known.insert_back(key, path_there, &self.calls);
        }
        self.cached(key).set(key, path_there, path_entry.calls);
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

    /// Counts the end of such an activation, on whichever thread that is, with what `then` does to the calls of its path in
    /// the same change.
    pub(crate) fn count_left(&'static self, path: PathId, then: impl FnOnce(&'static CallRow)) {
        // Within another change, which this handler interrupts, an entry of the cache may be half written.
        let is_outermost = self.top.change().is_none();
        self.change(|| {
            // A path leads to itself by its own site: what was polled or dropped here lately is in the cache.
            let key = key(path, path.site());
            let cached = self.cached(key);
            let calls = if is_outermost && cached.key.get() == key {
                Some(cached.calls.get())
            } else {
                self.path_entry_at(path).map(|path_entry| path_entry.calls)
            };
            if let Some(calls) = calls {
                calls.end_future(path);
                then(calls);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{PathId, Site, Slot, key};

    #[test]
    fn the_end_of_a_future_within_another_change_takes_no_entry_that_may_be_half_written() {
        let slot = Slot::take().expect("memory");
        let entry_of = |name| slot.path_entry(PathId::ROOT, Site::named(name)).expect("memory");
        let (ends, driven_out) = (entry_of("a future that ends"), entry_of("what it drives out of the cache"));
        let change = slot.begin_change();
        let own_key = key(ends.path, ends.site);
        slot.cached(own_key).set(own_key, ends.path, driven_out.calls);
        slot.count_left(ends.path, |_| ());
        drop(change);
        assert_eq!((ends.calls.ended.get(), driven_out.calls.ended.get()), (1, 0));
        slot.cached(own_key).set(own_key, ends.path, ends.calls);
        slot.count_left(ends.path, |_| ());
        assert_eq!((ends.calls.ended.get(), driven_out.calls.ended.get()), (2, 0));
        slot.give_back();
    }
}
