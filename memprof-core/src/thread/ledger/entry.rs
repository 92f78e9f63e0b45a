//! Entries: the sums of a ledger as they stood when a scope was entered.
//!
//! An entry is made at the scope's first event, and left to the scope below if that has none: so there are never more than open scopes,
//! and a scope without an event has none. It also saves the watermarks of the frame below it, which begin again for its own frame, so
//! that a peak is one number in the ledger and not one for each depth. Entries are a list in chunks, as frames are.

use crate::base::counter::Counter;
use crate::base::memory::{AtomicOptionRef, AtomicRef, Blank};
use crate::lanes::kind::SELDOM;
use crate::lanes::pending::HandOver;
use crate::thread::frame::Frame;
use crate::thread::row::{NO_ROW, Row};

use super::sums::{Sums, Watermarks};

/// The sums as they stood when a scope was entered, and what its parent's watermarks had reached by then.
pub(crate) struct Entry {
    pub(super) above: AtomicOptionRef<Entry>,
    /// Fixed; [`NO_ENTRY`] below that of the base.
    pub(super) below: AtomicRef<Entry>,
    pub(crate) frame: AtomicOptionRef<Frame>,
    pub(super) row: AtomicRef<Row>,
    pub(super) alloc_bytes: Counter,
    pub(super) alloc_blocks: Counter,
    /// Allocated less freed, signed.
    pub(super) level_bytes: Counter,
    pub(super) level_blocks: Counter,
    /// Kept before the first reallocation or failure in the scope ([`keep_seldom`](Self::keep_seldom)); until then, `failed` is [`UNKEPT`].
    reallocs: Counter,
    failed: Counter,
    pub(super) saved_bytes: Counter,
    pub(super) saved_blocks: Counter,
    pub(super) saved_largest: Counter,
}

/// More failures than any thread comes to.
const UNKEPT: u64 = u64::MAX;

impl Blank for Entry {
    const BLANK: Self = Self {
        above: AtomicOptionRef::null(),
        below: AtomicRef::new(&NO_ENTRY),
        frame: AtomicOptionRef::null(),
        row: AtomicRef::new(&NO_ROW),
        alloc_bytes: Counter::new(0),
        alloc_blocks: Counter::new(0),
        level_bytes: Counter::new(0),
        level_blocks: Counter::new(0),
        reallocs: Counter::new(0),
        failed: Counter::new(UNKEPT),
        saved_bytes: Counter::new(0),
        saved_blocks: Counter::new(0),
        saved_largest: Counter::new(0),
    };
}

/// Where the entries of a ledger end, and all that one has which nobody has begun: never written.
pub(super) static NO_ENTRY: Entry = Entry::BLANK;

impl Entry {
    /// The entry below; `None` for that of the base.
    #[inline(always)]
    pub(crate) fn below(&self) -> Option<&'static Self> {
        Some(self.below.get()).filter(|below| !core::ptr::eq(*below, &raw const NO_ENTRY))
    }

    /// The sums as they stood when the scope was entered. Reallocations and failures are `seldom` where this entry has not kept them, as
    /// there were none in its own scope: they are then those of the entry above, or of now.
    #[inline(always)]
    pub(crate) fn sums(&self, seldom: [u64; 2]) -> Sums {
        let [reallocs, failed] = self.seldom().unwrap_or(seldom);
        Sums { allocated: [self.alloc_bytes.get(), self.alloc_blocks.get()], level: self.level(), reallocs, failed }
    }

    /// The level as it stood when the scope was entered.
    #[inline(always)]
    pub(super) fn level(&self) -> [i64; 2] {
        [self.level_bytes.signed(), self.level_blocks.signed()]
    }

    /// Reallocations and failures as they were when the scope was entered, if either changed since.
    #[inline(always)]
    pub(crate) fn seldom(&self) -> Option<[u64; 2]> {
        let failed = self.failed.get();
        (failed != UNKEPT).then(|| [self.reallocs.get(), failed])
    }

    /// Keeps how many reallocations and failures there were, as their number is about to change, and has the frame say so.
    pub(super) fn keep_seldom(&self, [reallocs, failed]: [u64; 2]) {
        self.reallocs.set(reallocs);
        self.failed.set(failed);
        if let Some(frame) = self.frame.get() {
            frame.set_flag(SELDOM);
        }
    }

    /// Begins with none of either.
    #[inline(always)]
    pub(super) fn begin_seldom(&self) {
        self.failed.set(UNKEPT);
    }

    /// What the watermarks of the frame below had reached by then.
    #[inline(always)]
    pub(crate) fn saved(&self) -> Watermarks {
        let peak = [self.saved_bytes.signed(), self.saved_blocks.signed()];
        Watermarks { peak, largest: self.saved_largest.get() }
    }

    #[inline(always)]
    pub(super) fn set_saved(&self, watermarks: &Watermarks) {
        self.set_saved_peak(watermarks.peak);
        self.saved_largest.set(watermarks.largest);
    }

    #[inline(always)]
    pub(super) fn set_saved_peak(&self, [bytes, blocks]: [i64; 2]) {
        self.saved_bytes.set(bytes.cast_unsigned());
        self.saved_blocks.set(blocks.cast_unsigned());
    }

    /// Blocks were freed before the scope was entered, as it turns out.
    pub(super) fn free_before(&self, HandOver { bytes, blocks }: HandOver) {
        self.level_bytes.sub(bytes);
        self.level_blocks.sub(blocks);
    }

    /// Whether this entry is of `frame` or of one above it.
    pub(super) fn at_or_above(&self, frame: &Frame) -> bool {
        self.frame.get().is_some_and(|mine| mine.depth() >= frame.depth())
    }

    pub(super) fn copy_from(&self, other: &Self) {
        self.frame.set(other.frame.get());
        self.row.set(other.row.get());
        for (to, from) in self.numbers().into_iter().zip(other.numbers()) {
            to.set(from.get());
        }
    }

    pub(super) fn numbers(&self) -> [&Counter; 9] {
        [
            &self.alloc_bytes,
            &self.alloc_blocks,
            &self.level_bytes,
            &self.level_blocks,
            &self.reallocs,
            &self.failed,
            &self.saved_bytes,
            &self.saved_blocks,
            &self.saved_largest,
        ]
    }
}

/// Whether a context was entered between the frames of two entries, so that the lower does not see the upper.
pub(super) fn is_under_context(upper: &Entry, lower: &Entry) -> bool {
    let lowest = lower.frame.get().map_or(0, Frame::depth);
    let between = core::iter::successors(upper.frame.get(), |frame| frame.below());
    between.take_while(|frame| frame.depth() > lowest).any(Frame::hides)
}
