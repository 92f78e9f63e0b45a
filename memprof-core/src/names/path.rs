//! Paths: the nodes of the call tree.
//!
//! A path is the list of the sites open when something happens, outermost first. It is interned once for the
//! process as `(parent path, site)`. A site stands once in a path: entering it again leads back to its own node, so
//! recursion does not make the tree grow.
//!
//! An example: `load` calls `parse`, which calls itself and then `index`; and `index` is called from outside too.
//!
//! ```text
//! 0 (root) ─┬─► 1 load ───► 2 parse ───► 3 index      entering parse at 2 leads to 2 again
//!           └─► 4 index                               a site has as many paths as ways lead to it
//! ```
//!
//! A path is made after its parent and so has the greater number: whoever goes through all paths downwards meets
//! children before parents, without a list of children.
//!
//! A look-up by parent and site happens once a thread and call path: threads keep what they found
//! ([`Slot`](crate::thread::slot::Slot)'s cache).

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::base::map::{Map, Refused};
use crate::base::memory::{Blank, Table};

/// Paths that one process can tell apart: what fits the 20 bits of a tag. Past that, an event goes to the parent's.
pub(crate) const MOST_PATHS: u32 = 1 << 20;
/// Chunks of a table with one entry a path.
pub(crate) const PATH_CHUNKS: usize = MOST_PATHS as usize / 64;

/// The number of a path. Below [`MOST_PATHS`], so that it fits a tag; [`ROOT`](PathId::ROOT) is what is outside any
/// scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PathId(u32);

/// Where a path comes from. Written once, before anybody but the maker knows the number.
struct Node {
    parent: AtomicU32,
    site: AtomicU32,
}

impl Blank for Node {
    const BLANK: Self = Self { parent: AtomicU32::new(0), site: AtomicU32::new(0) };
}

static NODES: Table<Node, PATH_CHUNKS> = Table::new();
/// Paths given so far. Path 0 is [`PathId::ROOT`].
static COUNT: AtomicU32 = AtomicU32::new(1);
/// Whether a path was refused: a note of every snapshot from then on.
static FULL: AtomicBool = AtomicBool::new(false);

impl PathId {
    /// Outside any scope.
    pub(crate) const ROOT: Self = Self(0);

    /// The path with these [`bits`](Self::bits).
    #[inline(always)]
    pub(crate) fn from_bits(bits: u32) -> Self {
        debug_assert!(bits < MOST_PATHS, "of no path");
        Self(bits)
    }

    /// The path whose entry in a table has this index.
    pub(crate) fn of_index(index: usize) -> Self {
        Self((index & (MOST_PATHS as usize - 1)) as u32)
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The path that entering `site` here leads to: itself once [`MOST_PATHS`] is reached.
    ///
    /// Costs a walk to the root and a look-up in a map. An error where this is a
    /// signal handler that interrupted the map on its own thread, or where the system has no memory: then the scope
    /// is not recorded.
    #[cold]
    pub(crate) fn enter(self, site: u32) -> Result<Self, Refused> {
        static CHILDREN: Map<(u32, u32), u32> = Map::new();
        if let Some(open) = self.ancestor_of(site) {
            return Ok(open);
        }
        let key = (self.0, site);
        match CHILDREN.get_or_make(key, || Some((key, self.new_child(site)?))) {
            Ok(child) => Ok(Self(child)),
            Err(Refused::NoMemory) if Self::limit_reached() => Ok(self),
            Err(why) => Err(why),
        }
    }

    /// A number, with a node that leads to this path and the site. The site is stored last: a reader that finds it
    /// finds the parent too.
    fn new_child(self, site: u32) -> Option<u32> {
        let taken =
            COUNT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < MOST_PATHS).then_some(count + 1));
        let Ok(id) = taken else {
            FULL.store(true, Ordering::Relaxed);
            return None;
        };
        // A number whose node cannot be made stays unused.
        let node = NODES.make(id as usize)?;
        node.parent.store(self.0, Ordering::Relaxed);
        node.site.store(site, Ordering::Release);
        Some(id)
    }

    /// The node of `site` in this path, if the site is open in it.
    fn ancestor_of(self, site: u32) -> Option<Self> {
        let mut path = self;
        while path != Self::ROOT {
            if path.site() == site {
                return Some(path);
            }
            path = path.parent();
        }
        None
    }

    /// Whether each of these, which are in the order of their numbers, is this path or one that it leads through.
    pub(crate) fn leads_through(self, nodes: &[Self]) -> bool {
        let mut upwards = core::iter::successors(Some(self), |path| (*path != Self::ROOT).then(|| path.parent()));
        nodes.iter().rev().all(|node| upwards.find(|path| path.0 <= node.0) == Some(*node))
    }

    /// The path without its innermost site; the root of the root.
    pub(crate) fn parent(self) -> Self {
        Self(NODES.get(self.index()).map_or(0, |node| node.parent.load(Ordering::Relaxed)))
    }

    /// The number of the innermost site; 0 for the root, and for a path that is being made right now.
    pub(crate) fn site(self) -> u32 {
        NODES.get(self.index()).map_or(0, |node| node.site.load(Ordering::Acquire))
    }

    /// The paths given so far are those below this number.
    pub(crate) fn count() -> usize {
        COUNT.load(Ordering::Acquire) as usize
    }

    /// Whether a path was refused because [`MOST_PATHS`] was reached.
    pub(crate) fn limit_reached() -> bool {
        FULL.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::PathId;

    #[test]
    fn entering_an_open_site_leads_back_to_its_node() {
        let f = PathId::ROOT.enter(900_001).expect("memory");
        let g = f.enter(900_002).expect("memory");
        assert_ne!(f, g);
        assert_eq!(g.enter(900_001), Ok(f));
        assert_eq!(f.enter(900_002), Ok(g));
        assert_eq!((f.site(), g.site()), (900_001, 900_002));
        assert_eq!((g.parent(), f.parent()), (f, PathId::ROOT));
        assert_eq!((g.ancestor_of(900_001), f.ancestor_of(900_002)), (Some(f), None));
    }

    #[test]
    fn a_path_leads_through_those_above_it_and_no_other() {
        let f = PathId::ROOT.enter(900_011).expect("memory");
        let beside = PathId::ROOT.enter(900_012).expect("memory");
        let g = f.enter(900_013).expect("memory");
        let below = g.enter(900_014).expect("memory");
        for through in [&[][..], &[PathId::ROOT], &[f], &[g], &[f, g], &[PathId::ROOT, f, g]] {
            assert!(g.leads_through(through), "{through:?}");
        }
        for aside in [&[beside][..], &[f, beside], &[f, beside, g], &[below], &[g, below], &[beside, below]] {
            assert!(!g.leads_through(aside), "{aside:?}");
        }
    }
}
