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

use super::counting::Ledger;
use super::entry::Entry;
use super::sums::Watermarks;

/// Entries that are made at once when the list is at its end.
const ENTRY_CHUNK: usize = 32;

impl Ledger {
    pub(super) fn top(&'static self) -> &'static Entry {
        self.entry.get().unwrap_or(&self.base)
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
            entry.below.set(Some(below));
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
        entry.frame.set(Some(frame));
        entry.row.set(Some(row));
        entry.set_sums(&self.sums());
        entry.set_saved(&self.watermarks());
        self.limits.set_peaks(self.level_bytes() + first.0, self.level_blocks() + first.1);
        self.largest.set(0);
        self.entry.set(Some(entry));
        self.set_row(row);
        frame.set_touched(bit);
        Some(())
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
            entry = entry.below.get().unwrap_or(&self.base);
        }
        if !entry.at_or_above(frame) {
            return Tally::default();
        }
        while let Some(below) = entry.below.get().filter(|below| below.at_or_above(frame)) {
            watermarks.raise(&entry.saved());
            entry = below;
        }
        sums.tally_since(&entry.sums(), &watermarks)
    }

    /// Ends the top entry, whose frame is a scope that is inside no other one of its site, and adds to the path's row what
    /// was recorded since.
    #[inline(always)]
    pub(crate) fn leave(&'static self, parent: &'static Frame, bit: u64) {
        let (entry, row) = (self.top(), self.row());
        let at = entry.sums();
        row.sums.add(&self.sums().totals_since(&at));
        let Watermarks { peak: [peak, _], largest } = self.watermarks();
        row.raise(peak - at.level[0], largest);
        self.merge(parent, bit);
    }

    /// Ends the top entry, whose frame is being left: its parent sees everything that it saw.
    #[inline(always)]
    pub(crate) fn merge(&'static self, parent: &'static Frame, bit: u64) {
        let entry = self.top();
        if !parent.has(bit) {
            // The parent saw nothing before the child did: the child's entry is what its own would have been.
            let row = self.row_of(parent.path()).unwrap_or(self.spare.get());
            entry.frame.set(Some(parent));
            entry.row.set(Some(row));
            self.set_row(row);
            parent.set_touched(bit);
            return;
        }
        let Watermarks { peak: [bytes, blocks], largest } = entry.saved();
        self.limits.raise_peaks(bytes, blocks);
        self.largest.raise(largest);
        self.pop(entry);
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
        self.pop(entry);
    }

    #[inline(always)]
    fn pop(&'static self, entry: &'static Entry) {
        let below = entry.below.get().unwrap_or(&self.base);
        self.entry.set(Some(below));
        self.set_row(below.row.get().unwrap_or(self.spare.get()));
    }
}
