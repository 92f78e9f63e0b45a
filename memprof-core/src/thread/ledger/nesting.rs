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
use crate::base::tally::{PlainPoll, Tally};
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

    /// Makes the entry of the top frame `frame`, which has seen no event here yet. `first` is the bytes and blocks by
    /// which its first event is about to raise the level: then that finds the peak raised already.
    #[inline(always)]
    pub(crate) fn touch(&'static self, frame: &'static Frame, bit: u64, first: (i64, i64)) -> Option<()> {
        let row = self.row_of(frame.path())?;
        let entry = self.entry_above()?;
        let level = self.level_bytes();
        self.begin_entry(entry, frame, row, level);
        self.limits.set_peaks(level + first.0, self.level_blocks() + first.1);
        self.largest.set(0);
        frame.set_touched(bit);
        Some(())
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
        let allocated = self.alloc_bytes();
        entry.alloc_bytes.set(allocated);
        self.set_row(row, allocated);
        entry.alloc_blocks.set(self.alloc_blocks());
        entry.set_level_bytes(level);
        entry.set_level_blocks(self.level_blocks());
        entry.begin_seldom();
        entry.set_saved_bytes(self.limits.peak_bytes.signed());
        entry.set_saved_blocks(self.limits.peak_blocks.signed());
        entry.set_saved_largest(self.largest.get());
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

    /// Ends the top entry, whose frame is a plain scope that saw events on the host alone, and adds to the path's row what was recorded since.
    /// Its parent has an entry. Number by number, so that few registers do.
    #[inline(always)]
    pub(crate) fn leave(&'static self, epoch: u32) {
        let (entry, row) = (self.top(), self.row());
        debug_assert!(entry.seldom().is_none(), "the frame would have a flag");
        let below = entry.below.get();
        let allocated = self.alloc_bytes_with(row);
        row.sums.add_bytes(allocated.wrapping_sub(entry.alloc_bytes.get()));
        self.set_row(below.row.get(), allocated);
        self.entry.set(below);
        row.sums.add_blocks(self.alloc_blocks().wrapping_sub(entry.alloc_blocks.get()));
        let (level, [at, _]) = (self.level_bytes(), entry.level());
        row.sums.add_kept(level - at);
        let peak = self.limits.peak_bytes.signed();
        row.raise_in(epoch, peak - at, self.largest.get());
        self.return_to_watermarks(entry, level, peak);
    }

    /// Goes on with the watermarks of the frame below that of `entry`, where this is the level in bytes and the peak that the latter reached.
    #[inline(always)]
    fn return_to_watermarks(&'static self, entry: &'static Entry, level: i64, peak: i64) {
        self.limits.set_peak_bytes(level, peak.max(entry.saved_bytes()));
        self.limits.set_peak_blocks(self.limits.peak_blocks.signed().max(entry.saved_blocks()));
        self.largest.raise(entry.saved_largest());
    }

    /// [`leave`](Self::leave) of a poll: `fold` takes in what it recorded, and gives the peak in bytes of its future, and the largest block.
    #[inline(always)]
    pub(crate) fn leave_poll(&'static self, fold: impl FnOnce(&PlainPoll) -> (i64, u64)) {
        let (entry, row) = (self.top(), self.row());
        debug_assert!(entry.seldom().is_none(), "the frame would have a flag");
        let below = entry.below.get();
        let allocated = self.alloc_bytes_with(row);
        let bytes = allocated.wrapping_sub(entry.alloc_bytes.get());
        row.sums.add_bytes(bytes);
        self.set_row(below.row.get(), allocated);
        self.entry.set(below);
        let blocks = self.alloc_blocks().wrapping_sub(entry.alloc_blocks.get());
        row.sums.add_blocks(blocks);
        let (level, at) = ([self.level_bytes(), self.level_blocks()], entry.level());
        row.sums.add_kept_by_poll(level[0] - at[0]);
        let Watermarks { peak, largest } = self.watermarks();
        let since = |levels: [i64; 2]| [levels[0] - at[0], levels[1] - at[1]];
        let allocated = [bytes, blocks];
        let (of_future, largest_of_future) =
            fold(&PlainPoll { value: since(level), peak: since(peak), allocated, largest });
        row.raise(of_future, largest_of_future);
        self.return_to_watermarks(entry, level[0], peak[0]);
    }

    /// [`leave`](Self::leave), in the ledger of the host, where the parent has no entry: its own would have been that of the child.
    pub(crate) fn leave_to(&'static self, parent: &'static Frame, bit: u64) {
        let (entry, row, reached) = (self.top(), self.row(), self.watermarks());
        let at = entry.sums(self.seldom());
        row.sums.add(&self.sums().totals_since(&at));
        row.raise(reached.peak[0] - at.level[0], reached.largest);
        self.hand_down(entry, parent, bit, self.host_row_of(parent));
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
        self.pop(entry, self.alloc_bytes());
        if let Some(seldom) = entry.seldom()
            && self.top().seldom().is_none()
        {
            self.top().keep_seldom(seldom);
        }
    }

    /// Leaves the top entry to `parent`, which saw nothing before the child did: the child's entry is what its own would have been.
    #[inline(always)]
    fn hand_down(&'static self, entry: &'static Entry, parent: &'static Frame, bit: u64, row: Option<&'static Row>) {
        let row = row.unwrap_or(self.spare.get());
        let allocated = self.alloc_bytes();
        entry.frame.set(Some(parent));
        entry.row.set(row);
        self.set_row(row, allocated);
        parent.set_touched(bit);
        if let Some(seldom) = entry.seldom() {
            entry.keep_seldom(seldom);
        }
    }

    /// Ends the top entry as if nothing had happened since it was made: the frames below it do not see it.
    pub(crate) fn forget(&'static self) {
        let entry = self.top();
        let at = entry.sums(self.seldom());
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
