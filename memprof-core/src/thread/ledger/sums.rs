//! The numbers of a ledger at one moment, as plain values, and what a scope recorded as a difference of two of them.
//!
//! The one place where a scope's counters are computed: for a scope that is left ([`nesting`](super::nesting)), for one
//! that is open on this thread, and for one that another thread has copied (`share/open_frames`).

use crate::base::tally::{Counters, Tally, Totals};

/// What a ledger counted so far. Each pair is in bytes and in blocks. Sums only grow but where history is written
/// afterwards, and they may wrap: only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) allocated: [u64; 2],
    /// Allocated less freed, signed.
    pub(crate) level: [i64; 2],
    pub(crate) reallocs: u64,
    pub(crate) failed: u64,
}

/// The most that was reached since an entry was made: the level, in bytes and in blocks, and the largest block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Watermarks {
    pub(crate) peak: [i64; 2],
    pub(crate) largest: u64,
}

impl Watermarks {
    /// What was reached inside was reached here as well.
    #[inline]
    pub(crate) fn raise(&mut self, inner: &Self) {
        self.peak = [0, 1].map(|unit| self.peak[unit].max(inner.peak[unit]));
        self.largest = self.largest.max(inner.largest);
    }
}

impl Sums {
    /// What only adds up, of a scope that ends for which the sums stood `at` its entry.
    #[inline(always)]
    pub(crate) fn totals_since(&self, at: &Self) -> Totals {
        let kept = self.level[0] - at.level[0];
        Totals {
            bytes: self.allocated[0].wrapping_sub(at.allocated[0]),
            blocks: self.allocated[1].wrapping_sub(at.allocated[1]),
            reallocs: self.reallocs.wrapping_sub(at.reallocs),
            failed: self.failed.wrapping_sub(at.failed),
            kept: kept.cast_unsigned(),
            kept_calls: u64::from(kept > 0),
        }
    }

    /// What a scope recorded for which the sums stood `at` its entry, and which reached `watermarks`.
    #[inline(always)]
    pub(crate) fn tally_since(&self, at: &Self, watermarks: &Watermarks) -> Tally {
        let ([bytes, blocks], [at_bytes, at_blocks]) = (self.level, at.level);
        let totals = self.totals_since(at);
        let counters = Counters {
            current_bytes: bytes - at_bytes,
            current_blocks: blocks - at_blocks,
            peak_bytes: watermarks.peak[0] - at_bytes,
            peak_blocks: watermarks.peak[1] - at_blocks,
            total_bytes: totals.bytes.cast_signed(),
            total_blocks: totals.blocks.cast_signed(),
        };
        Tally { counters, reallocs: totals.reallocs, failed: totals.failed, largest: watermarks.largest }
    }

    /// Changes what was recorded from `before` to `after`.
    pub(crate) fn correct(&mut self, before: &Tally, after: &Tally) {
        let (was, is) = (&before.counters, &after.counters);
        let totals = [is.total_bytes - was.total_bytes, is.total_blocks - was.total_blocks];
        let values = [is.current_bytes - was.current_bytes, is.current_blocks - was.current_blocks];
        for unit in [0, 1] {
            self.allocated[unit] = self.allocated[unit].wrapping_add(totals[unit].cast_unsigned());
            self.level[unit] += values[unit];
        }
        self.reallocs += after.reallocs - before.reallocs;
        self.failed += after.failed - before.failed;
    }
}
