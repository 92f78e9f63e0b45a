//! Rows: the sums of one path in one ledger.
//!
//! A row is two cache lines of its own, so that threads never share one. Its first three pairs change at events; the sums over activations
//! change when a scope is left, and the maxima with them. Where a number of the report comes from:
//!
//! | column | numbers |
//! |---|---|
//! | `self_total`, `self_blocks` | `alloc_bytes`, `alloc_blocks` |
//! | `live`, `live_blocks` | those less `freed_bytes`, `freed_blocks`, over all threads |
//! | `memory_total`, `blocks_total`, `reallocs`, `failed` | `sums`; flat, less `inner` |
//! | `memory_peak`, `largest` | the maxima, where `epoch` is the present one |
//! | `temporary` | `temporary` |
//!
//! `ncalls` is counted apart, as it is of all spaces (`CallRow` in [`frame`](super::frame)).

use crate::base::counter::Counter;
use crate::base::map::Refused;
use crate::base::memory::{AtomicOptionRef, Blank, leak};
use crate::base::missed;
use crate::base::single::Alone;
use crate::base::state;
use crate::base::tally::{Tally, TotalCounters, Totals};
use crate::lanes::kind::{NODE_OPEN, SITE_OPEN};

/// What one thread recorded for one path in one space. The sums only grow: a reset is a subtraction by the reader.
/// The two maxima belong to the epoch that stands beside them.
///
/// The first cache line is what events change, with the maxima; the second is added to when an activation ends.
#[repr(C, align(128))]
pub(crate) struct Row {
    /// Allocated by this path itself.
    pub(crate) alloc_bytes: Counter,
    pub(crate) alloc_blocks: Counter,
    /// Freed, by this thread, of what this path owns; reallocations move ownership through here too.
    pub(crate) freed_bytes: Counter,
    pub(crate) freed_blocks: Counter,
    pub(crate) temporary: Counter,
    pub(crate) peak: Counter,
    pub(crate) largest: Counter,
    pub(crate) epoch: Counter,
    /// Sums over the activations that ended, children included.
    pub(crate) sums: TotalCounters,
    /// What of `sums` came from activations inside another one of their site: not in the site's flat row. Made for the first.
    inner: AtomicOptionRef<TotalCounters>,
}

/// What a ledger leads to that nobody has begun, and a path without events: never written.
pub(crate) static NO_ROW: Row = Row::BLANK;

impl Blank for Row {
    const BLANK: Self = Self {
        alloc_bytes: Counter::new(0),
        alloc_blocks: Counter::new(0),
        freed_bytes: Counter::new(0),
        freed_blocks: Counter::new(0),
        temporary: Counter::new(0),
        peak: Counter::new(0),
        largest: Counter::new(0),
        epoch: Counter::new(0),
        sums: TotalCounters::BLANK,
        inner: AtomicOptionRef::null(),
    };
}

/// The numbers of a row as plain values, for who reads another thread's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowCopy {
    pub(crate) allocated: [u64; 2],
    pub(crate) freed: [u64; 2],
    pub(crate) temporary: u64,
    pub(crate) sums: Totals,
    pub(crate) inner: Totals,
    pub(crate) peak: u64,
    pub(crate) largest: u64,
    pub(crate) epoch: u64,
}

impl Row {
    /// Number by number: the reader makes sure that nothing changed meanwhile.
    #[inline(always)]
    pub(crate) fn copy(&self) -> RowCopy {
        RowCopy {
            allocated: [self.alloc_bytes.get(), self.alloc_blocks.get()],
            freed: self.copy_freed(),
            temporary: self.temporary.get(),
            sums: self.sums.get(),
            inner: self.inner.get().map(TotalCounters::get).unwrap_or_default(),
            peak: self.peak.get(),
            largest: self.largest.get(),
            epoch: self.epoch.get(),
        }
    }

    /// What this thread's events add to the live bytes and blocks of the path.
    #[inline(always)]
    pub(crate) fn owned(&self) -> [u64; 2] {
        let [bytes, blocks] = self.copy_freed();
        [self.alloc_bytes.get().wrapping_sub(bytes), self.alloc_blocks.get().wrapping_sub(blocks)]
    }

    /// [`owned`](Self::owned) of a row that this thread alone writes, within a change of its record.
    #[inline(always)]
    pub(crate) fn own_owned(&self, alone: Alone) -> [u64; 2] {
        [
            self.alloc_bytes.own(alone).wrapping_sub(self.freed_bytes.own(alone)),
            self.alloc_blocks.own(alone).wrapping_sub(self.freed_blocks.own(alone)),
        ]
    }

    /// Bytes and blocks that this thread freed of the path's.
    #[inline(always)]
    pub(crate) fn copy_freed(&self) -> [u64; 2] {
        [self.freed_bytes.get(), self.freed_blocks.get()]
    }

    /// Adds what an activation recorded that has ended, with the flags of its frame.
    pub(crate) fn add(&self, tally: &Tally, flags: u64) {
        self.add_totals(&tally.totals(), flags);
    }

    /// Adds what one poll of a future recorded, with the flags of its frame. That the future kept something is counted when it
    /// has ended ([`count_kept`](Self::count_kept)).
    #[inline]
    pub(crate) fn add_poll(&self, tally: &Tally, flags: u64) {
        self.add_totals(&tally.poll_totals(), flags);
    }

    #[inline]
    fn add_totals(&self, totals: &Totals, flags: u64) {
        if flags & NODE_OPEN == 0 {
            self.sums.add(totals);
            if flags & SITE_OPEN != 0
                && let Some(inner) = self.inner()
            {
                inner.add(totals);
            }
        }
    }

    /// A future has ended that kept so much of what stands in `sums`, and of what stands in the site's flat row.
    pub(crate) fn count_kept(&self, kept: i64, flat: i64) {
        let [calls, flat_calls] = [kept, flat].map(|kept| u64::from(kept > 0));
        self.sums.add_kept_calls(calls);
        if calls != flat_calls
            && let Some(inner) = self.inner()
        {
            inner.add_kept_calls(calls.wrapping_sub(flat_calls));
        }
    }

    #[cold]
    fn inner(&self) -> Option<&'static TotalCounters> {
        if self.inner.get().is_none() {
            self.inner.set(leak(TotalCounters::BLANK));
        }
        let inner = self.inner.get();
        if inner.is_none() {
            missed::note(Refused::NoMemory);
        }
        inner
    }

    /// Raises the maxima of this epoch to those of an activation: its peak in bytes, and its largest block.
    #[inline]
    pub(crate) fn raise(&self, peak: i64, largest: u64) {
        let epoch = state::epoch();
        if self.epoch.get() != u64::from(epoch) {
            self.begin_epoch(epoch);
        }
        self.peak.raise(peak.cast_unsigned());
        self.largest.raise(largest);
    }

    /// [`raise`](Self::raise) within a change, by a caller who knows the epoch.
    #[inline(always)]
    pub(super) fn raise_own(&self, epoch: u32, peak: u64, largest: u64, alone: Alone) {
        if self.epoch.own(alone) != u64::from(epoch) {
            self.begin_epoch(epoch);
        }
        self.peak.raise_own(peak, alone);
        self.largest.raise_own(largest, alone);
    }

    #[cold]
    fn begin_epoch(&self, epoch: u32) {
        self.epoch.set(u64::from(epoch));
        self.peak.set(0);
        self.largest.set(0);
    }
}
