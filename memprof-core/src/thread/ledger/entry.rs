//! Entries: the sums of a ledger as they stood when a scope was entered.

use crate::base::counter::Counter;
use crate::base::memory::{AtomicOptionRef, Blank};
use crate::thread::frame::Frame;

use super::row::Row;

/// The sums as they stood when a scope was entered, and what its parent's watermarks had reached by then.
pub(crate) struct Entry {
    pub(super) above: AtomicOptionRef<Entry>,
    pub(crate) below: AtomicOptionRef<Entry>,
    pub(crate) frame: AtomicOptionRef<Frame>,
    pub(super) row: AtomicOptionRef<Row>,
    pub(crate) alloc_bytes: Counter,
    pub(crate) alloc_blocks: Counter,
    pub(crate) freed_bytes: Counter,
    pub(crate) freed_blocks: Counter,
    pub(crate) reallocs: Counter,
    pub(crate) failed: Counter,
    pub(crate) saved_bytes: Counter,
    pub(crate) saved_blocks: Counter,
    pub(crate) saved_largest: Counter,
}

impl Blank for Entry {
    const BLANK: Self = Self {
        above: AtomicOptionRef::null(),
        below: AtomicOptionRef::null(),
        frame: AtomicOptionRef::null(),
        row: AtomicOptionRef::null(),
        alloc_bytes: Counter::new(0),
        alloc_blocks: Counter::new(0),
        freed_bytes: Counter::new(0),
        freed_blocks: Counter::new(0),
        reallocs: Counter::new(0),
        failed: Counter::new(0),
        saved_bytes: Counter::new(0),
        saved_blocks: Counter::new(0),
        saved_largest: Counter::new(0),
    };
}

impl Entry {
    pub(super) fn level_bytes(&self) -> i64 {
        self.alloc_bytes.signed().wrapping_sub(self.freed_bytes.signed())
    }

    pub(super) fn level_blocks(&self) -> i64 {
        self.alloc_blocks.signed().wrapping_sub(self.freed_blocks.signed())
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
            &self.freed_bytes,
            &self.freed_blocks,
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
