//! The counters of one activation, and the formulas of the contract as plain functions.
//!
//! Three shapes: [`Counters`] are what a program sees of an open scope; a [`Tally`] has besides what only records
//! show; [`Totals`] are the part that only adds up, so that sums of them can be subtracted again. No peak can: that
//! is why a reset is an epoch and not a subtraction for them.
//!
//! Peaks cannot be subtracted, since what the peak would have been without a part of the events is not known from
//! the numbers. Sums can: a reset subtracts what stood there, a running scope what stood there at its entry.

use crate::base::counter::Counter;
use crate::base::memory::Blank;

/// Bytes and blocks of one space in one scope: what it holds now beyond what it held at entry, the most it held,
/// and all it ever allocated, children included.
///
/// Signed: a scope that frees memory older than itself goes below zero. `peak` never does; it is growth above the
/// scope's entry, the headroom that the code needs.
///
/// It says nothing about the space, or about when: two of them can be subtracted, which gives what happened in
/// between, but for the peaks.
///
/// ```
/// # use memprof_core as memprof;
/// let scope = memprof::Scope::enter(memprof::Site::named("two steps"));
/// let before = scope.counters(memprof::Space::HOST);
/// // .. the first step ..
/// let after = scope.counters(memprof::Space::HOST);
/// let allocated = after.total_bytes - before.total_bytes;
/// # assert_eq!(allocated, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes allocated less bytes freed.
    pub current_bytes: i64,
    /// Blocks allocated less blocks freed.
    pub current_blocks: i64,
    /// The greatest `current_bytes` so far, at least 0.
    pub peak_bytes: i64,
    /// The greatest `current_blocks` so far, at least 0; not necessarily at the same moment as `peak_bytes`.
    pub peak_blocks: i64,
    /// Bytes allocated.
    pub total_bytes: i64,
    /// Blocks allocated.
    pub total_blocks: i64,
}

impl Counters {
    /// What it holds now, in bytes and in blocks.
    pub(crate) fn value(&self) -> [i64; 2] {
        [self.current_bytes, self.current_blocks]
    }
}

/// The difference of two pairs, in bytes and in blocks.
pub(crate) fn minus(one: [i64; 2], other: [i64; 2]) -> [i64; 2] {
    [one[0] - other[0], one[1] - other[1]]
}

/// [`Counters`] with what only records show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) counters: Counters,
    /// Reallocations that succeeded, in place or not.
    pub(crate) reallocs: u64,
    /// Allocations and reallocations that upstream refused.
    pub(crate) failed: u64,
    /// The bytes of the largest single block, children included.
    pub(crate) largest: u64,
}

/// The words of a [`Tally`], which is kept and copied word by word where other threads read it.
pub(crate) const TALLY_WORDS: usize = 9;

/// What only adds up over activations: bytes and blocks allocated, reallocations, failures, and what was left
/// behind. Differences are taken with wrapping arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) reallocs: u64,
    pub(crate) failed: u64,
    /// The bytes that they held when they ended, signed.
    pub(crate) kept: u64,
    /// How many held more than nothing then.
    pub(crate) kept_calls: u64,
}

impl Totals {
    /// Adds number by number, wrapping: a difference that is added to what it was taken from gives what was there
    /// before.
    #[inline]
    pub(crate) fn add(&mut self, more: &Self) {
        self.bytes = self.bytes.wrapping_add(more.bytes);
        self.blocks = self.blocks.wrapping_add(more.blocks);
        self.reallocs = self.reallocs.wrapping_add(more.reallocs);
        self.failed = self.failed.wrapping_add(more.failed);
        self.kept = self.kept.wrapping_add(more.kept);
        self.kept_calls = self.kept_calls.wrapping_add(more.kept_calls);
    }

    /// Takes off number by number, wrapping likewise.
    #[inline]
    pub(crate) fn subtract(&mut self, less: &Self) {
        self.bytes = self.bytes.wrapping_sub(less.bytes);
        self.blocks = self.blocks.wrapping_sub(less.blocks);
        self.reallocs = self.reallocs.wrapping_sub(less.reallocs);
        self.failed = self.failed.wrapping_sub(less.failed);
        self.kept = self.kept.wrapping_sub(less.kept);
        self.kept_calls = self.kept_calls.wrapping_sub(less.kept_calls);
    }
}

/// [`Totals`] that one thread writes and any may read.
pub(crate) struct TotalCounters {
    bytes: Counter,
    blocks: Counter,
    reallocs: Counter,
    failed: Counter,
    kept: Counter,
    kept_calls: Counter,
}

impl Blank for TotalCounters {
    const BLANK: Self = Self {
        bytes: Counter::new(0),
        blocks: Counter::new(0),
        reallocs: Counter::new(0),
        failed: Counter::new(0),
        kept: Counter::new(0),
        kept_calls: Counter::new(0),
    };
}

impl TotalCounters {
    /// Number by number: whoever reads another thread's makes sure that they belong together.
    #[inline]
    pub(crate) fn get(&self) -> Totals {
        Totals {
            bytes: self.bytes.get(),
            blocks: self.blocks.get(),
            reallocs: self.reallocs.get(),
            failed: self.failed.get(),
            kept: self.kept.get(),
            kept_calls: self.kept_calls.get(),
        }
    }

    #[inline]
    pub(crate) fn set(&self, totals: &Totals) {
        self.bytes.set(totals.bytes);
        self.blocks.set(totals.blocks);
        self.reallocs.set(totals.reallocs);
        self.failed.set(totals.failed);
        self.kept.set(totals.kept);
        self.kept_calls.set(totals.kept_calls);
    }

    #[inline]
    pub(crate) fn add(&self, more: &Totals) {
        self.bytes.add(more.bytes);
        self.blocks.add(more.blocks);
        self.reallocs.add(more.reallocs);
        self.failed.add(more.failed);
        self.kept.add(more.kept);
        self.kept_calls.add(more.kept_calls);
    }

    #[inline(always)]
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.add(bytes);
    }

    #[inline(always)]
    pub(crate) fn add_blocks(&self, blocks: u64) {
        self.blocks.add(blocks);
    }

    /// Counts reallocations and failures.
    #[inline(always)]
    pub(crate) fn add_seldom(&self, reallocs: u64, failed: u64) {
        self.reallocs.add(reallocs);
        self.failed.add(failed);
    }

    /// Counts what a poll left behind, with which the activation does not end.
    #[inline(always)]
    pub(crate) fn add_kept_by_poll(&self, bytes: i64) {
        self.kept.add(bytes.cast_unsigned());
    }

    /// Counts an activation that left so many bytes behind.
    #[inline(always)]
    pub(crate) fn add_kept(&self, bytes: i64) {
        if bytes != 0 {
            self.add_kept_by_poll(bytes);
            self.kept_calls.add(u64::from(bytes > 0));
        }
    }

    /// Counts activations that kept something.
    pub(crate) fn add_kept_calls(&self, calls: u64) {
        self.kept_calls.add(calls);
    }
}

impl Tally {
    /// What of it only adds up, if the activation ends with this.
    #[inline]
    pub(crate) fn totals(&self) -> Totals {
        Totals { kept_calls: u64::from(self.kept() > 0), ..self.poll_totals() }
    }

    /// The same of one poll, with which the activation does not end.
    #[inline]
    pub(crate) fn poll_totals(&self) -> Totals {
        let Counters { total_bytes, total_blocks, .. } = self.counters;
        let (bytes, blocks) = (total_bytes.cast_unsigned(), total_blocks.cast_unsigned());
        let kept = self.kept().cast_unsigned();
        Totals { bytes, blocks, reallocs: self.reallocs, failed: self.failed, kept, kept_calls: 0 }
    }

    /// The bytes that an activation leaves behind if it ends with this.
    #[inline]
    pub(crate) fn kept(&self) -> i64 {
        self.counters.current_bytes
    }

    /// All of it, for [`of_words`](Self::of_words).
    #[inline]
    pub(crate) fn words(&self) -> [u64; TALLY_WORDS] {
        let of = &self.counters;
        [
            of.current_bytes.cast_unsigned(),
            of.current_blocks.cast_unsigned(),
            of.peak_bytes.cast_unsigned(),
            of.peak_blocks.cast_unsigned(),
            of.total_bytes.cast_unsigned(),
            of.total_blocks.cast_unsigned(),
            self.reallocs,
            self.failed,
            self.largest,
        ]
    }

    /// What [`words`](Self::words) gave, put together again.
    #[inline]
    pub(crate) fn of_words(words: [u64; TALLY_WORDS]) -> Self {
        let [counters @ .., reallocs, failed, largest] = words;
        let [current_bytes, current_blocks, peak_bytes, peak_blocks, total_bytes, total_blocks] =
            counters.map(u64::cast_signed);
        let counters = Counters { current_bytes, current_blocks, peak_bytes, peak_blocks, total_bytes, total_blocks };
        Self { counters, reallocs, failed, largest }
    }

    /// Adds a child that ends: `p.peak = max(p.peak, p.value + s.peak); p.value += s.value; p.total += s.total`.
    ///
    /// In this order, as the peak is above what the parent held when the child began. An example, in bytes:
    ///
    /// | | value | peak | total |
    /// |---|---|---|---|
    /// | parent before | 100 | 120 | 150 |
    /// | child | 10 | 50 | 60 |
    /// | parent after | 110 | 150 | 210 |
    pub(crate) fn fold(&mut self, child: &Self) {
        let (parent, ended) = (&mut self.counters, &child.counters);
        parent.peak_bytes = parent.peak_bytes.max(parent.current_bytes + ended.peak_bytes);
        parent.peak_blocks = parent.peak_blocks.max(parent.current_blocks + ended.peak_blocks);
        parent.current_bytes += ended.current_bytes;
        parent.current_blocks += ended.current_blocks;
        parent.total_bytes += ended.total_bytes;
        parent.total_blocks += ended.total_blocks;
        self.reallocs += child.reallocs;
        self.failed += child.failed;
        self.largest = self.largest.max(child.largest);
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Tally, Totals};

    fn tally(current: i64, peak: i64, total: i64) -> Tally {
        let counters = Counters {
            current_bytes: current,
            current_blocks: current / 10,
            peak_bytes: peak,
            peak_blocks: peak / 10,
            total_bytes: total,
            total_blocks: total / 10,
        };
        Tally { counters, reallocs: 1, failed: 0, largest: total.unsigned_abs() }
    }

    #[test]
    fn a_tally_comes_back_from_its_words() {
        let words = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(Tally::of_words(words).words(), words);
        let totals = Totals { bytes: 5, blocks: 6, reallocs: 7, failed: 8, kept: 1, kept_calls: 1 };
        assert_eq!(Tally::of_words(words).totals(), totals);
    }

    #[test]
    fn a_childs_peak_stands_on_what_its_parent_held() {
        for (parent, child, sum) in [
            (tally(100, 100, 100), tally(0, 50, 50), tally(100, 150, 150)),
            (tally(10, 200, 300), tally(20, 50, 70), tally(30, 200, 370)),
            (tally(0, 0, 0), tally(-10, 0, 0), tally(-10, 0, 0)),
        ] {
            let mut folded = parent;
            folded.fold(&child);
            assert_eq!(folded.counters, sum.counters);
            assert_eq!(folded.reallocs, 2);
        }
    }
}
