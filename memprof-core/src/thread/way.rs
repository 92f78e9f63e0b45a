//! Ways: how a thread came from one path to another, as an entry of the table that [`known`](super::known) is.
//!
//! It stands where memory is blank at first, in a child's row or among the ways back, so a key of 0 says that it leads
//! nowhere yet; once it leads somewhere it never changes but for its place in a bucket. The one thread that it is of
//! reads and writes it; when it is put in and how it is found is left to [`known`](super::known).

use crate::base::counter::Counter;
use crate::base::memory::{AtomicOptionRef, Blank};

/// From a path, by a site, to a path.
pub(crate) struct Way {
    /// The path that it begins at, and the site; 0 for none.
    pub(super) key: Counter,
    /// Where it leads.
    pub(super) path: Counter,
    /// The next one in the same bucket.
    pub(super) next: AtomicOptionRef<Self>,
}

impl Blank for Way {
    const BLANK: Self = Self { key: Counter::new(0), path: Counter::new(0), next: AtomicOptionRef::null() };
}

impl Way {
    /// Whether it leads anywhere.
    pub(super) fn is_in(&self) -> bool {
        self.key.get() != 0
    }
}
