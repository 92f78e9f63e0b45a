//! How the entries of a ledger come and go with the scopes.
//!
//! An entry is made at a frame's first event ([`touch`](Ledger::touch)), so a scope without one costs nothing here. When its
//! frame is left, the parent sees what it saw. If the parent has an entry, the watermark that was saved is raised to the
//! child's: that is the contract's rule `p.peak = max(p.peak, p.value + s.peak)`, as both are levels of one ledger. If not, the
//! parent saw nothing before the child did, and the child's entry becomes its own, as it stands.
//!
//! The rule stands in three forms: on levels here; on plain values that a reader copied, in `share/open_frames`; on a
//! future's polls in [`Tally::fold`], which is the contract's own. That they agree is a test there (`share/open_frames/tests`).

use crate::base::memory::leak_blank;
use crate::base::tally::Tally;
use crate::thread::frame::Frame;
use crate::thread::row::Row;

use super::counting::Ledger;
use super::entry::{Entry, NO_ENTRY};
use super::sums::{Sums, Watermarks};

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

    /// Makes the entry of the top frame `frame`, which has seen no event here yet. `first` is the bytes and blocks by
    /// which its first event is about to raise the level: then that finds the peak raised already.
    #[inline(always)]
    pub(crate) fn touch(&'static self, frame: &'static Frame, bit: u64, first: (i64, i64)) -> Option<()> {
        let row = self.row_of(frame.path())?;
        let entry = self.entry_above()?;
        let sums = self.sums();
        self.begin_entry(entry, frame, row, &sums);
        self.limits.set_peaks(sums.level[0] + first.0, sums.level[1] + first.1);
        self.largest.set(0);
        frame.set_touched(bit);
        Some(())
    }

    /// Makes `entry` the top one, of a frame that begins where the ledger counted `sums`.
    #[inline(always)]
    pub(super) fn begin_entry(
        &'static self,
        entry: &'static Entry,
        frame: &'static Frame,
        row: &'static Row,
        sums: &Sums,
    ) {
        entry.frame.set(Some(frame));
        entry.row.set(row);
        entry.set_sums(sums);
        entry.set_saved(&self.watermarks());
        self.entry.set(entry);
        self.set_row(row, sums.allocated[0]);
    }

    /// What the frame of the top entry recorded since it was entered.
    #[inline(always)]
    pub(crate) fn tally(&'static self) -> Tally {
        self.sums().tally_since(&self.top().sums(), &self.watermarks())
    }

    /// What `frame` recorded, with the scopes above it as if they ended now, but for `context` and those above it: a
    /// `Context` that was entered further up, whose events `frame` does not see.
    pub(crate) fn tally_of(&'static self, frame: &'static Frame, context: Option<&'static Frame>) -> Tally {
        let mut entry = self.top();
        let mut sums = self.sums();
        let mut watermarks = self.watermarks();
        // Step below the context: its entry holds the sums as they stand for everything under it.
        while let Some(context) = context.filter(|context| entry.at_or_above(context)) {
            debug_assert!(context.depth() > 0, "a context is never the base");
            watermarks = entry.saved();
            sums = entry.sums();
            entry = entry.below().unwrap_or(&self.base);
        }
        if !entry.at_or_above(frame) {
            return Tally::default();
        }
        while let Some(below) = entry.below().filter(|below| below.at_or_above(frame)) {
            watermarks.raise(&entry.saved());
            entry = below;
        }
        sums.tally_since(&entry.sums(), &watermarks)
    }

    /// Ends the top entry, whose frame is a scope that is inside no other one of its site and whose parent has its own, and adds to the
    /// path's row what was recorded since.
    #[inline(always)]
    pub(crate) fn leave(&'static self) {
        let (entry, now, reached) = (self.top(), self.sums(), self.watermarks());
        self.add_to_row(entry, &now, &reached);
        self.fold(entry, &now, reached);
    }

    /// [`leave`](Self::leave) where the parent has no entry: its own would have been that of the child.
    #[inline(always)]
    pub(crate) fn leave_to(&'static self, parent: &'static Frame, bit: u64) {
        let entry = self.top();
        self.add_to_row(entry, &self.sums(), &self.watermarks());
        self.hand_down(entry, parent, bit);
    }

    #[inline(always)]
    fn add_to_row(&'static self, entry: &'static Entry, now: &Sums, reached: &Watermarks) {
        let (row, at) = (self.row(), entry.sums());
        row.sums.add(&now.totals_since(&at));
        row.raise(reached.peak[0] - at.level[0], reached.largest);
    }

    /// Ends the top entry, whose frame is being left: its parent sees everything that it saw.
    #[inline(always)]
    pub(crate) fn merge(&'static self, parent: &'static Frame, bit: u64) {
        let entry = self.top();
        if parent.has(bit) {
            self.fold(entry, &self.sums(), self.watermarks());
        } else {
            self.hand_down(entry, parent, bit);
        }
    }

    /// Ends the top entry: what was reached in its frame was reached in that of the entry below.
    #[inline(always)]
    fn fold(&'static self, entry: &'static Entry, now: &Sums, mut reached: Watermarks) {
        reached.raise(&entry.saved());
        self.limits.set_peaks_at(now.level, reached.peak);
        self.largest.set(reached.largest);
        self.pop(entry, now.allocated[0]);
    }

    /// Leaves the top entry to `parent`, which saw nothing before the child did: the child's entry is what its own would have been.
    #[inline(always)]
    fn hand_down(&'static self, entry: &'static Entry, parent: &'static Frame, bit: u64) {
        let row = self.row_of(parent.path()).unwrap_or(self.spare.get());
        let allocated = self.alloc_bytes();
        entry.frame.set(Some(parent));
        entry.row.set(row);
        self.set_row(row, allocated);
        parent.set_touched(bit);
    }

    /// Ends the top entry as if nothing had happened since it was made: the frames below it do not see it.
    pub(crate) fn forget(&'static self) {
        let entry = self.top();
        let at = entry.sums();
        self.set_alloc_bytes(at.allocated[0]);
        self.recount_blocks(at.allocated[1]);
        let ([bytes, blocks], [at_bytes, at_blocks]) = ([self.level_bytes(), self.level_blocks()], at.level);
        self.adjust_level((bytes - at_bytes).cast_unsigned(), (blocks - at_blocks).cast_unsigned());
        self.reallocs.set(at.reallocs);
        self.failed.set(at.failed);
        let Watermarks { peak: [peak_bytes, peak_blocks], largest } = entry.saved();
        self.limits.set_peaks(peak_bytes, peak_blocks);
        self.largest.set(largest);
        self.pop(entry, at.allocated[0]);
    }

    /// Goes on with the entry below the top one, where so many bytes were allocated so far.
    #[inline(always)]
    fn pop(&'static self, entry: &'static Entry, allocated: u64) {
        let below = entry.below.get();
        self.entry.set(below);
        self.set_row(below.row.get(), allocated);
    }
}
