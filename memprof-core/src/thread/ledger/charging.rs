//! Charging a scope that is open below others: history that is written afterwards.
//!
//! # A hand-over
//!
//! A hand-over is charged to a frame `f`, the innermost of its lane's segment, though frames of other lanes may be open above it. Those do
//! not see it: for them it is as if the block had been freed before they were entered. For `f`, what was reached until
//! now counts with the value before it. Say 50 bytes are handed over to `f`, while `g` and `h` are open above it:
//!
//! ```text
//!                     entry of f     entry of g     entry of h        now
//! before   level         100            160            200            260
//!          watermark of   f: 160         g: 200         h: 280
//! after    level         100            110            150            210
//!          watermark of   f: 280         g: 150         h: 230
//! ```
//!
//! The entries above `f` and the watermarks of their frames go down by 50 together, so what `g` and `h` recorded is what it was (`g`: a peak
//! of 200 - 160 = 150 - 110). The watermark of `f` becomes the highest level that any of them reached, 280, before anything is taken
//! off. A watermark stands in the entry above that of its frame, that of the top frame in the ledger.
//!
//! # A frame that has no entry
//!
//! If `f` saw no event of its own yet, it gets its entry first, although those above have theirs. What the sums were when the
//! lowest of those was touched is what they were when `f` was entered, so that entry is doubled: the lower copy becomes that of `f`.
//!
//! ```text
//! before   base(100) ─────────────── g(160, saves w of base) ──────────────────── h(200, saves w of g)
//! after    base(100) ── f(160, saves w of base) ── g(160, saves 160: w of f) ── h(200, saves w of g)
//! ```

use crate::base::tally::{Counters, Tally};
use crate::lanes::pending::HandOver;
use crate::thread::frame::Frame;

use super::counting::Ledger;
use super::entry::is_under_context;
use super::sums::Watermarks;

impl Ledger {
    /// Charges a hand-over to `frame`, which may have open frames above it.
    pub(crate) fn charge(&'static self, frame: &'static Frame, bit: u64, hand_over: HandOver) -> Option<()> {
        if !frame.has(bit) {
            self.insert(frame, bit)?;
        }
        let lowered = |peak: [i64; 2]| {
            let [bytes, blocks] = hand_over.to_level();
            [peak[0] + bytes, peak[1] + blocks]
        };
        // What was reached until now, from the top frame down to `frame`.
        let mut reached = self.watermarks();
        let mut entry = self.top();
        if !entry.frame.is(frame) {
            let [bytes, blocks] = lowered(reached.peak);
            self.limits.set_peaks(bytes, blocks);
        }
        while !entry.frame.is(frame) {
            entry.free_before(hand_over);
            let below = entry.below()?;
            let saved = entry.saved();
            if is_under_context(entry, below) {
                // What is under a context is not seen from here.
                reached = saved;
            } else {
                reached.raise(&saved);
            }
            // The watermark saved here is that of the frame below: of `frame` itself, or of one above it.
            entry.set_saved_peak(if below.frame.is(frame) { reached.peak } else { lowered(saved.peak) });
            entry = below;
        }
        self.adjust_level(hand_over.bytes, hand_over.blocks);
        Some(())
    }

    /// Gives `frame` its entry, if it has none.
    pub(crate) fn ensure(&'static self, frame: &'static Frame, bit: u64) -> Option<()> {
        if frame.has(bit) { Some(()) } else { self.insert(frame, bit) }
    }

    /// Gives `frame` its entry although frames above it have theirs.
    fn insert(&'static self, frame: &'static Frame, bit: u64) -> Option<()> {
        if !self.top().at_or_above(frame) {
            // `touch` is for the top frame; nothing above `frame` has an entry, so it is as good as the top.
            return self.touch(frame, bit);
        }
        let place = self.entry_above()?;
        let mut upper = place;
        let mut entry = self.top();
        // Each entry moves up by one place, down to the lowest above `frame`.
        loop {
            upper.copy_from(entry);
            let below = entry.below()?;
            if !below.at_or_above(frame) {
                break;
            }
            upper = entry;
            entry = below;
        }
        // `entry` now stands twice, here and above: here it becomes the entry of `frame`. Its saved watermark is
        // that of the frame below; the one above saves the watermark of `frame`, which saw nothing until then.
        entry.frame.set(Some(frame));
        entry.row.set(self.row_of(frame.path()).unwrap_or(self.spare.get()));
        upper.set_saved(&Watermarks { peak: entry.level(), largest: 0 });
        entry.begin_seldom();
        self.entry.set(place);
        frame.set_touched(bit);
        Some(())
    }

    /// Adds what a scope inside the frame of the top entry recorded, which was left and stands nowhere else in this ledger.
    pub(crate) fn fold_child(&'static self, child: &Tally) {
        let at = self.top().level();
        let [bytes, blocks] = [self.level_bytes() - at[0], self.level_blocks() - at[1]];
        let [peak_bytes, peak_blocks] = self.watermarks().peak;
        let sum = Counters {
            peak_bytes: (peak_bytes - at[0]).max(bytes + child.counters.peak_bytes),
            peak_blocks: (peak_blocks - at[1]).max(blocks + child.counters.peak_blocks),
            ..Counters::default()
        };
        self.absorb(child, &sum);
    }

    /// Charges what other threads added under a `Context` captured at the top frame, as if it had happened there. With
    /// it, the frame's peaks were those of `sum`, or what it holds now if threads that are still under the context
    /// freed some of that.
    pub(crate) fn absorb(&'static self, added: &Tally, sum: &Counters) {
        let counters = &added.counters;
        self.alloc_bytes.add(counters.total_bytes.cast_unsigned());
        self.recount_blocks(self.alloc_blocks().wrapping_add(counters.total_blocks.cast_unsigned()));
        self.adjust_level((-counters.current_bytes).cast_unsigned(), (-counters.current_blocks).cast_unsigned());
        if added.reallocs | added.failed != 0 {
            self.keep_seldom();
        }
        self.reallocs.add(added.reallocs);
        self.failed.add(added.failed);
        self.largest.raise(added.largest);
        let [at_bytes, at_blocks] = self.top().level();
        self.limits.set_peaks(
            self.level_bytes().max(at_bytes + sum.peak_bytes),
            self.level_blocks().max(at_blocks + sum.peak_blocks),
        );
    }
}
