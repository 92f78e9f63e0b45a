//! The baseline: what stood in the sums at the last reset. A snapshot subtracts it.
//!
//! No thread's numbers are set back, as only their thread writes them. What is live, and what was the most, has no
//! baseline: the former knows no reset, and the latter carries its epoch.
//!
//! | a number | at a reset |
//! |---|---|
//! | sums: calls, totals, temporary, kept | read, kept here, and subtracted from then on |
//! | what is live | stays |
//! | maxima: peak, largest | carry their epoch; those of an older one count as 0 |
//! | marks of spaces | begin again at what is live |

use std::collections::{BTreeMap, HashMap};

use crate::base::lock::{Lock, Locked};
use crate::observe::sums::PathSums;

/// What is subtracted. Empty until the first reset: what is not here is 0.
pub(super) struct Baseline {
    /// Activations that had ended, by path.
    pub(super) calls: Vec<u64>,
    /// By space and path.
    pub(super) spaces: BTreeMap<usize, HashMap<usize, PathSums>>,
    /// Allocations that upstream refused, until then.
    pub(super) host_failures: u64,
}

/// The baseline, to be read or begun anew: a snapshot and a reset wait for each other.
pub(super) fn baseline() -> Locked<'static, Baseline> {
    static BASELINE: Lock<Baseline> =
        Lock::new(Baseline { calls: Vec::new(), spaces: BTreeMap::new(), host_failures: 0 });
    BASELINE.lock()
}
