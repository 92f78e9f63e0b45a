//! How the entries of a ledger come and go with the scopes.
//!
//! An entry is made at a frame's first event ([`touch`](Ledger::touch)), so a scope without one costs nothing here. When its
//! frame is left, the parent sees what it saw. If the parent has an entry, the watermark that was saved is raised to the
//! child's: that is the contract's rule `p.peak = max(p.peak, p.value + s.peak)`, as both are levels of one ledger. If not, the
//! parent saw nothing before the child did, and the child's entry becomes its own, as it stands.
//!
//! The rule stands in three forms: on levels here; on plain values that a reader copied, in `share/open_frames`; on a
//! future's polls in [`Tally::fold`], which is the contract's own. That they agree is a test there (`share/open_frames/tests`).

use crate::base::counter::Counter;
use crate::base::memory::leak_blank;
use crate::base::single::Alone;
use crate::base::state;
use crate::base::tally::{Tally, minus};
use crate::lanes::activation::Activation;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::row::Row;

use super::counting::Ledger;
use super::entry::{Entry, NO_ENTRY};
use super::sums::Watermarks;

/// Entries that are made at once when the list is at its end.
const ENTRY_CHUNK: usize = 32;

impl Ledger {
    #[inline(always)]
    pub(super) fn top(&'static self) -> &'static Entry {
        self.entry.get()
    }

    /// The entries, from the top down.
    pub(crate) fn entries(&'static self) -> impl Iterator<Item = &'static Entry> {
        let top = Some(self.top()).filter(|top| !core::ptr::eq(*top, &raw const NO_ENTRY));
        core::iter::successors(top, |entry| entry.below())
    }

    /// A place for the entry above the top one.
    #[inline(always)]
    pub(super) fn entry_above(&'static self) -> Option<&'static Entry> {
        let top = self.top();
        top.above.get().or_else(|| Self::make_entries(top))
    }

    #[cold]
    fn make_entries(top: &'static Entry) -> Option<&'static Entry> {
        let chunk: &'static [Entry; ENTRY_CHUNK] = leak_blank()?;
        let mut below = top;
        for entry in chunk {
            entry.below.set(below);
            below.above.set(Some(entry));
            below = entry;
        }
        top.above.get()
    }

    /// Makes the entry of the top frame `frame`, which has seen no event here yet.
    #[inline(always)]
    pub(crate) fn touch(&'static self, frame: &'static Frame, bit: u64) -> Option<()> {
        let row = self.row_of(frame.path())?;
        let entry = self.entry_above()?;
        let level = self.level_bytes();
        self.begin_entry(entry, frame, row, level);
        self.limits.set_peaks(level, self.level_blocks());
        self.largest.set(0);
        frame.set_touched(bit);
        Some(())
    }

    /// [`touch`](Self::touch) within a change, where the row and a place for the entry are known, for an event that brings a block of
    /// `largest` bytes, or none: also while the lane grows. That the frame has its entry is left to the caller to note. `false`: there is no such
    /// place yet, and nothing was changed.
    #[inline(always)]
    pub(crate) fn touch_own(
        &'static self,
        frame: &'static Frame,
        row: &'static Row,
        largest: u64,
        alone: Alone,
    ) -> bool {
        let Some(entry) = self.entry.get().above.get() else { return false };
        let level = self.limits.own_level_bytes(alone);
        self.begin_entry(entry, frame, row, level);
        self.limits.set_own_peaks(level, [level, self.limits.own_level_blocks(alone)], alone);
        self.largest.set(largest);
        true
    }

    /// Makes `entry` the top one, of a frame that begins at this level in bytes. Number by number, so that few registers do.
    #[inline(always)]
    pub(super) fn begin_entry(
        &'static self,
        entry: &'static Entry,
        frame: &'static Frame,
        row: &'static Row,
        level: i64,
    ) {
        entry.frame.set(Some(frame));
        entry.row.set(row);
        self.set_row(row);
        entry.alloc_bytes.set(self.alloc_bytes.get());
        entry.alloc_blocks.set(self.alloc_blocks());
        entry.level_bytes.set(level.cast_unsigned());
        entry.level_blocks.set(self.level_blocks().cast_unsigned());
        entry.begin_seldom();
        entry.saved_bytes.set(self.limits.peak_bytes.get());
        entry.saved_blocks.set(self.limits.peak_blocks.get());
        entry.saved_largest.set(self.largest.get());
        self.entry.set(entry);
    }

    /// What the frame of the top entry recorded since it was entered.
    #[inline(always)]
    pub(crate) fn tally(&'static self) -> Tally {
        self.sums().tally_since(&self.top().sums(self.seldom()), &self.watermarks())
    }

    /// What `frame` recorded, with the scopes above it as if they ended now, but for `context` and those above it: a
    /// `Context` that was entered further up, whose events `frame` does not see.
    pub(crate) fn tally_of(&'static self, frame: &'static Frame, context: Option<&'static Frame>) -> Tally {
        let mut entry = self.top();
        let mut sums = self.sums();
        let mut watermarks = self.watermarks();
        let mut seldom = self.seldom();
        // Step below the context: its entry holds the sums as they stand for everything under it.
        while let Some(context) = context.filter(|context| entry.at_or_above(context)) {
            debug_assert!(context.depth() > 0, "a context is never the base");
            watermarks = entry.saved();
            sums = entry.sums(seldom);
            seldom = [sums.reallocs, sums.failed];
            entry = entry.below().unwrap_or(&self.base);
        }
        if !entry.at_or_above(frame) {
            return Tally::default();
        }
        while let Some(below) = entry.below().filter(|below| below.at_or_above(frame)) {
            watermarks.raise(&entry.saved());
            seldom = entry.seldom().unwrap_or(seldom);
            entry = below;
        }
        sums.tally_since(&entry.sums(seldom), &watermarks)
    }

    /// What each of these frames, from the top down, holds with the scopes above it, in bytes and blocks. What happened under a `Context` is
    /// not in what is below that.
    pub(crate) fn held_by(
        &'static self,
        frames: impl Iterator<Item = &'static Frame>,
    ) -> impl Iterator<Item = (&'static Frame, [i64; 2])> {
        let mut entry = Some(self.top());
        let mut level = [self.level_bytes(), self.level_blocks()];
        let mut at_first = level;
        frames.map(move |frame| {
            while let Some(above) = entry.filter(|entry| entry.at_or_above(frame)) {
                at_first = above.level();
                entry = above.below();
            }
            let held = minus(level, at_first);
            if frame.hides() {
                level = at_first;
            }
            (frame, held)
        })
    }

    /// Ends the top entry, whose frame is a plain scope that saw events on the host alone, and adds to the path's row what was recorded since.
    /// Its parent has an entry. Number by number, so that few registers do.
    #[inline(always)]
    pub(crate) fn leave(&'static self, epoch: u32, alone: Alone) {
        let (entry, row) = (self.top(), self.row());
        debug_assert!(entry.seldom().is_none(), "the frame would have a flag");
        self.return_below(entry);
        let level = self.limits.own_level_bytes(alone);
        self.add_sums(entry, row, level, alone);
        let peak = since(&self.limits.peak_bytes, &entry.level_bytes, alone);
        row.raise_own(epoch, peak, self.largest.own(alone), alone);
        self.return_to_bytes(entry, level, alone);
        self.return_to_blocks(entry, alone);
    }

    /// Adds bytes and blocks that the frame of the top entry recorded to its path's row, at this level.
    #[inline(always)]
    fn add_sums(&'static self, entry: &'static Entry, row: &'static Row, level: i64, alone: Alone) {
        row.sums.add_bytes(since(&self.alloc_bytes, &entry.alloc_bytes, alone));
        row.sums.add_blocks(self.alloc_blocks().wrapping_sub(entry.alloc_blocks.own(alone)));
        row.sums.add_kept(level - entry.level_bytes.own_signed(alone));
    }

    /// [`leave`](Self::leave) of a poll of `future`, which takes in what it recorded: unit by unit, for the same reason.
    #[inline(always)]
    pub(crate) fn leave_poll(&'static self, future: &Activation, alone: Alone) {
        let (entry, row) = (self.top(), self.row());
        debug_assert!(entry.seldom().is_none(), "the frame would have a flag");
        self.return_below(entry);
        let account = future.begin_fold();
        let (level, allocated) =
            (self.limits.own_level_bytes(alone), since(&self.alloc_bytes, &entry.alloc_bytes, alone));
        row.sums.add_bytes(allocated);
        let value = level - entry.level_bytes.own_signed(alone);
        row.sums.add_kept_by_poll(value);
        let peak = since(&self.limits.peak_bytes, &entry.level_bytes, alone);
        account.fold_bytes(value, peak.cast_signed(), allocated, alone);
        self.return_to_bytes(entry, level, alone);

        let allocated = self.alloc_blocks().wrapping_sub(entry.alloc_blocks.own(alone));
        row.sums.add_blocks(allocated);
        let value = self.level_blocks() - entry.level_blocks.own_signed(alone);
        let peak = since(&self.limits.peak_blocks, &entry.level_blocks, alone);
        account.fold_blocks(value, peak.cast_signed(), allocated, alone);
        account.raise_largest(self.largest.own(alone), alone);
        self.return_to_blocks(entry, alone);
        let (peak, largest) = account.end_fold(alone);
        row.raise_own(state::epoch(), peak.cast_unsigned(), largest, alone);
    }

    /// Goes on with the entry below the top one.
    #[inline(always)]
    fn return_below(&'static self, entry: &'static Entry) {
        let below = entry.below.get();
        self.entry.set(below);
        self.set_row(below.row.get());
    }

    /// Goes on with the watermark in bytes of the frame below that of `entry`, at this level.
    #[inline(always)]
    fn return_to_bytes(&'static self, entry: &'static Entry, level: i64, alone: Alone) {
        let reached = self.limits.peak_bytes.own_signed(alone).max(entry.saved_bytes.own_signed(alone));
        self.limits.set_own_peak_bytes(level, reached, alone);
    }

    /// Goes on with the watermark in blocks of the frame below that of `entry`, and with its largest block.
    #[inline(always)]
    fn return_to_blocks(&'static self, entry: &'static Entry, alone: Alone) {
        let reached = self.limits.peak_blocks.own_signed(alone).max(entry.saved_blocks.own_signed(alone));
        self.limits.set_own_peak_blocks(reached, alone);
        self.largest.raise_own(entry.saved_largest.own(alone), alone);
    }

    /// [`leave`](Self::leave), in the ledger of the host, of what that is not for: while the lane grows, after a reallocation or a failure, where the
    /// parent has no entry, or where the sums are not to be `added`, as they are those of a scope further out.
    #[inline(always)]
    pub(crate) fn leave_otherwise(&'static self, parent: &'static Frame, added: bool, alone: Alone) {
        let (entry, row) = (self.top(), self.row());
        let level = self.limits.own_level_bytes(alone);
        let [peak_bytes, peak_blocks] = self.limits.own_peaks(alone);
        // While the lane grows, the level may be above the watermark.
        let peak = peak_bytes.max(level) - entry.level_bytes.own_signed(alone);
        row.raise_own(state::epoch(), peak.cast_unsigned(), self.largest.own(alone), alone);
        if added {
            self.add_sums(entry, row, level, alone);
            if let Some([reallocs, failed]) = entry.seldom() {
                let [all_reallocs, all_failed] = self.seldom();
                row.sums.add_seldom(all_reallocs.wrapping_sub(reallocs), all_failed.wrapping_sub(failed));
            }
        }
        let bit = Space::HOST.bit();
        if parent.flags.own(alone) & bit == 0 {
            return self.hand_down(entry, parent, bit, self.host_row_of(parent));
        }
        self.return_below(entry);
        let reached = [
            peak_bytes.max(entry.saved_bytes.own_signed(alone)),
            peak_blocks.max(entry.saved_blocks.own_signed(alone)),
        ];
        self.limits.set_own_peaks(level, reached, alone);
        self.largest.raise_own(entry.saved_largest.own(alone), alone);
        self.keep_seldom_of(entry);
    }

    /// The frame below that of `entry`, which was the top one, kept no later how many reallocations and failures there were.
    #[inline(always)]
    fn keep_seldom_of(&'static self, entry: &'static Entry) {
        if let Some(seldom) = entry.seldom()
            && self.top().seldom().is_none()
        {
            self.top().keep_seldom(seldom);
        }
    }

    /// The row of a frame's path, of the host, as the frame's calls know it.
    #[inline(always)]
    fn host_row_of(&'static self, frame: &'static Frame) -> Option<&'static Row> {
        frame.calls.get().row().or_else(|| {
            let row = self.row_of(frame.path());
            frame.calls.get().note_row(row);
            row
        })
    }

    /// Ends the top entry, whose frame is being left: its parent sees everything that it saw.
    #[inline(always)]
    pub(crate) fn merge(&'static self, parent: &'static Frame, bit: u64) {
        let entry = self.top();
        if !parent.has(bit) {
            return self.hand_down(entry, parent, bit, self.row_of(parent.path()));
        }
        let mut reached = self.watermarks();
        reached.raise(&entry.saved());
        self.limits.set_peaks(reached.peak[0], reached.peak[1]);
        self.largest.set(reached.largest);
        self.return_below(entry);
        self.keep_seldom_of(entry);
    }

    /// Leaves the top entry to `parent`, which saw nothing before the child did: the child's entry is what its own would have been.
    #[inline(always)]
    fn hand_down(&'static self, entry: &'static Entry, parent: &'static Frame, bit: u64, row: Option<&'static Row>) {
        let row = row.unwrap_or(self.spare.get());
        entry.frame.set(Some(parent));
        entry.row.set(row);
        self.set_row(row);
        parent.set_touched(bit);
        if let Some(seldom) = entry.seldom() {
            entry.keep_seldom(seldom);
        }
    }

    /// Ends the top entry as if nothing had happened since it was made: the frames below it do not see it.
    pub(crate) fn forget(&'static self) {
        let entry = self.top();
        let at = entry.sums(self.seldom());
        self.alloc_bytes.set(at.allocated[0]);
        self.recount_blocks(at.allocated[1]);
        let ([bytes, blocks], [at_bytes, at_blocks]) = ([self.level_bytes(), self.level_blocks()], at.level);
        self.adjust_level((bytes - at_bytes).cast_unsigned(), (blocks - at_blocks).cast_unsigned());
        self.reallocs.set(at.reallocs);
        self.failed.set(at.failed);
        let Watermarks { peak: [peak_bytes, peak_blocks], largest } = entry.saved();
        self.limits.set_peaks(peak_bytes, peak_blocks);
        self.largest.set(largest);
        self.return_below(entry);
    }
}

/// How much higher a number is than it was.
#[inline(always)]
fn since(now: &Counter, at: &Counter, alone: Alone) -> u64 {
    now.own(alone).wrapping_sub(at.own(alone))
}
