//! Rows: the sums of one path in one ledger.

use crate::base::counter::Counter;
use crate::base::memory::Blank;
use crate::base::state;
use crate::base::tally::{TOTALS, Tally};
use crate::lanes::kind::{NODE_OPEN, SITE_OPEN};

/// What one thread recorded for one path in one space. The sums only grow: a reset is a subtraction by the reader.
/// The two maxima belong to the epoch that stands beside them.
#[repr(align(128))]
pub(crate) struct Row {
    /// Allocated by this path itself.
    pub(crate) alloc_bytes: Counter,
    pub(crate) alloc_blocks: Counter,
    /// Freed, by this thread, of what this path owns; reallocations move ownership through here too.
    pub(crate) freed_bytes: Counter,
    pub(crate) freed_blocks: Counter,
    pub(crate) temporary: Counter,
    /// Sums over the activations that ended, children included.
    pub(crate) sums: Sums,
    /// What of `sums` came from activations inside another one of their site: not in the site's flat row.
    pub(crate) inner: Sums,
    pub(crate) peak: Counter,
    pub(crate) largest: Counter,
    pub(crate) epoch: Counter,
}

/// What a ledger leads to that nobody has begun: never written.
pub(super) static NO_ROW: Row = Row::BLANK;

/// Inclusive sums of ended activations.
pub(crate) struct Sums {
    pub(crate) bytes: Counter,
    pub(crate) blocks: Counter,
    pub(crate) reallocs: Counter,
    pub(crate) failed: Counter,
}

impl Sums {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    const BLANK: Self =
        Self { bytes: Counter::new(0), blocks: Counter::new(0), reallocs: Counter::new(0), failed: Counter::new(0) };

    /// Adds what [`Tally::totals`] gives.
    #[inline]
    pub(super) fn add(&self, [bytes, blocks, reallocs, failed]: [u64; TOTALS]) {
        self.bytes.add(bytes);
        self.blocks.add(blocks);
        self.reallocs.add(reallocs);
        self.failed.add(failed);
    }
}

impl Blank for Row {
    const BLANK: Self = Self {
        alloc_bytes: Counter::new(0),
        alloc_blocks: Counter::new(0),
        freed_bytes: Counter::new(0),
        freed_blocks: Counter::new(0),
        temporary: Counter::new(0),
        sums: Sums::BLANK,
        inner: Sums::BLANK,
        peak: Counter::new(0),
        largest: Counter::new(0),
        epoch: Counter::new(0),
    };
}

impl Row {
    /// Adds what an activation, or one poll of it, recorded. `flags` are its frame's.
    pub(crate) fn add(&self, tally: &Tally, flags: u64) {
        if flags & NODE_OPEN == 0 {
            self.sums.add(tally.totals());
            if flags & SITE_OPEN != 0 {
                self.inner.add(tally.totals());
            }
        }
    }

    /// Raises the maxima of this epoch to those of an activation: its peak in bytes, and its largest block.
    #[inline]
    pub(crate) fn raise(&self, peak: i64, largest: u64) {
        let epoch = u64::from(state::epoch());
        if self.epoch.get() != epoch {
            self.epoch.set(epoch);
            self.peak.set(0);
            self.largest.set(0);
        }
        self.peak.raise(peak.cast_unsigned());
        self.largest.raise(largest);
    }
}
