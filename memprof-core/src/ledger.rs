//! Ledgers: what one thread counts for one space.
//!
//! A ledger holds running sums (allocated, freed) and *rows*, one a path. An open scope that saw an event in the
//! space has an *entry*: a copy of the sums as they stood when it was entered. So an event adds to the sums and to
//! one row, whatever the depth, and a scope's counters are differences: `value` and `total` of the sums, `peak` of
//! a watermark. Entries are made at a scope's first event. Leaving a scope whose parent has none does not fold
//! anything: since the parent's own entry would hold the same numbers, the entry becomes the parent's.
//!
//! ```text
//! frames    base ──── f ──── g ──── h      (h is the top; g saw no event of its own)
//! entries   base ──── f ─────────── h
//! watermark  w0       w1            peak   (w1 is saved in the entry of h)
//! ```

use crate::counters::{Counters, Tally};
use crate::frame::{Frame, Kind, NODE_OPEN, SITE_OPEN, Tag};
use crate::lane::HandOver;
use crate::path::{PATH_CHUNKS, PathId};
use crate::state;
use crate::system::{Blank, Counter, Known, Sequence, StaticRef, Table, leak};

/// What one thread recorded for one path in one space. The sums only grow: a reset is a subtraction by the reader.
/// The two maxima belong to the epoch that stands beside them.
#[repr(align(128))]
pub(crate) struct Row {
    /// Allocated by this path itself.
    pub(crate) alloc_bytes: Counter,
    pub(crate) alloc_blocks: Counter,
    /// Freed, by this thread, of what this path owns; reallocations move ownership through here too.
    pub(crate) freed_bytes: Counter,
    pub(crate) freed_blocks: Counter,
    pub(crate) temporary: Counter,
    /// Sums over the activations that ended, children included.
    pub(crate) sums: Sums,
    /// What of `sums` came from activations inside another one of their site: not in the site's flat row.
    pub(crate) inner: Sums,
    pub(crate) peak: Counter,
    pub(crate) largest: Counter,
    pub(crate) epoch: Counter,
}

/// Where a path is counted for which the system had no memory: nowhere that is read.
static NO_ROW: Row = Row::BLANK;

/// Inclusive sums of ended activations.
pub(crate) struct Sums {
    pub(crate) bytes: Counter,
    pub(crate) blocks: Counter,
    pub(crate) reallocs: Counter,
    pub(crate) failed: Counter,
}

impl Sums {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    const BLANK: Self =
        Self { bytes: Counter::new(0), blocks: Counter::new(0), reallocs: Counter::new(0), failed: Counter::new(0) };

    fn add(&self, tally: &Tally) {
        self.bytes.add(tally.counters.total_bytes.cast_unsigned());
        self.blocks.add(tally.counters.total_blocks.cast_unsigned());
        self.reallocs.add(tally.reallocs);
        self.failed.add(tally.failed);
    }
}

impl Blank for Row {
    const BLANK: Self = Self {
        alloc_bytes: Counter::new(0),
        alloc_blocks: Counter::new(0),
        freed_bytes: Counter::new(0),
        freed_blocks: Counter::new(0),
        temporary: Counter::new(0),
        sums: Sums::BLANK,
        inner: Sums::BLANK,
        peak: Counter::new(0),
        largest: Counter::new(0),
        epoch: Counter::new(0),
    };
}

impl Row {
    /// Adds what an activation, or one poll of it, recorded. `marks` are its frame's.
    pub(crate) fn add(&self, tally: &Tally, marks: u64) {
        if marks & NODE_OPEN == 0 {
            self.sums.add(tally);
            if marks & SITE_OPEN != 0 {
                self.inner.add(tally);
            }
        }
    }

    /// What this thread's events add to the path's live bytes and blocks, both of the same moment if the thread lets
    /// itself be read at all.
    pub(crate) fn owned(&self, sequence: &Sequence) -> [u64; 2] {
        const TRIES: usize = 64;
        let read = || [&self.alloc_bytes, &self.alloc_blocks, &self.freed_bytes, &self.freed_blocks].map(Counter::get);
        let mut last = read();
        for _ in 0..TRIES {
            let quiet = sequence.is_quiet();
            let again = read();
            if quiet && again == last {
                break;
            }
            last = again;
        }
        let [alloc_bytes, alloc_blocks, freed_bytes, freed_blocks] = last;
        [alloc_bytes.wrapping_sub(freed_bytes), alloc_blocks.wrapping_sub(freed_blocks)]
    }

    /// Raises the maxima of this epoch to those of an activation.
    pub(crate) fn raise(&self, tally: &Tally) {
        let epoch = u64::from(state::epoch());
        if self.epoch.get() != epoch {
            self.epoch.set(epoch);
            self.peak.set(0);
            self.largest.set(0);
        }
        self.peak.raise(tally.counters.peak_bytes.cast_unsigned());
        self.largest.raise(tally.largest);
    }
}

/// The sums as they stood when a scope was entered, and what its parent's watermarks had reached by then.
pub(crate) struct Entry {
    above: StaticRef<Entry>,
    pub(crate) below: StaticRef<Entry>,
    pub(crate) frame: StaticRef<Frame>,
    row: StaticRef<Row>,
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
        above: StaticRef::null(),
        below: StaticRef::null(),
        frame: StaticRef::null(),
        row: StaticRef::null(),
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
    fn level_bytes(&self) -> i64 {
        self.alloc_bytes.signed().wrapping_sub(self.freed_bytes.signed())
    }

    fn level_blocks(&self) -> i64 {
        self.alloc_blocks.signed().wrapping_sub(self.freed_blocks.signed())
    }

    /// Whether this entry is of `frame` or of one above it.
    fn at_or_above(&self, frame: &Frame) -> bool {
        self.frame.get().is_some_and(|mine| mine.depth() >= frame.depth())
    }

    fn copy_from(&self, other: &Self) {
        self.frame.set(other.frame.get());
        self.row.set(other.row.get());
        for (to, from) in self.numbers().into_iter().zip(other.numbers()) {
            to.set(from.get());
        }
    }

    fn numbers(&self) -> [&Counter; 9] {
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
fn is_hidden(upper: &Entry, lower: &Entry) -> bool {
    let lowest = lower.frame.get().map_or(0, Frame::depth);
    let between = core::iter::successors(upper.frame.get(), |frame| frame.below());
    between.take_while(|frame| frame.depth() > lowest).any(|frame| frame.kind() == Kind::Context)
}

/// See the [module](self). All of it is written by the thread that owns the slot.
#[repr(align(64))]
pub(crate) struct Ledger {
    /// The frame of the top entry: the one that events may go to without further ado.
    pub(crate) touched: StaticRef<Frame>,
    /// The row of that frame's path.
    pub(crate) row: Known<Row>,
    pub(crate) alloc_bytes: Counter,
    pub(crate) alloc_blocks: Counter,
    pub(crate) freed_bytes: Counter,
    pub(crate) freed_blocks: Counter,
    /// The greatest level since the top entry was made: `allocated - freed`, signed.
    pub(crate) peak_bytes: Counter,
    pub(crate) peak_blocks: Counter,
    pub(crate) largest: Counter,
    /// The address and the tag of this thread's latest allocation here. The tag is that of an unknown block, which no
    /// recorded block has, once the block was freed.
    pub(crate) latest: Counter,
    pub(crate) latest_tag: Counter,
    pub(crate) reallocs: Counter,
    pub(crate) failed: Counter,
    pub(crate) entry: StaticRef<Entry>,
    base: Entry,
    pub(crate) rows: Table<Row, PATH_CHUNKS>,
}

impl Blank for Ledger {
    const BLANK: Self = Self {
        touched: StaticRef::null(),
        row: Known::new(&NO_ROW),
        alloc_bytes: Counter::new(0),
        alloc_blocks: Counter::new(0),
        freed_bytes: Counter::new(0),
        freed_blocks: Counter::new(0),
        peak_bytes: Counter::new(0),
        peak_blocks: Counter::new(0),
        largest: Counter::new(0),
        latest: Counter::new(0),
        latest_tag: Counter::new(0),
        reallocs: Counter::new(0),
        failed: Counter::new(0),
        entry: StaticRef::null(),
        base: Entry::BLANK,
        rows: Table::new(),
    };
}

/// Entries that are made at once when the list is at its end.
const ENTRY_CHUNK: usize = 32;

impl Ledger {
    /// What a thread without any event in a space has there.
    pub(crate) fn untouched() -> &'static Self {
        static UNTOUCHED: Ledger = Ledger::BLANK;
        &UNTOUCHED
    }

    /// Begins anew for a thread that takes the slot: rows stay, the thread's own counters are zero.
    pub(crate) fn begin(&'static self, base: &'static Frame) -> Option<()> {
        let sums = [
            &self.alloc_bytes,
            &self.alloc_blocks,
            &self.freed_bytes,
            &self.freed_blocks,
            &self.peak_bytes,
            &self.peak_blocks,
            &self.largest,
            &self.latest,
            &self.latest_tag,
            &self.reallocs,
            &self.failed,
        ];
        sums.into_iter().chain(self.base.numbers()).for_each(|number| number.set(0));
        let row = self.row_of(PathId::ROOT)?;
        self.base.frame.set(Some(base));
        self.base.row.set(Some(row));
        self.entry.set(Some(&self.base));
        self.row.set(row);
        self.touched.set(Some(base));
        Some(())
    }

    /// The row of a path, made now if it is not there.
    #[inline(always)]
    pub(crate) fn row_of(&self, path: PathId) -> Option<&'static Row> {
        self.rows.get(path.index()).or_else(|| self.rows.make(path.index()))
    }

    #[inline(always)]
    pub(crate) fn level_bytes(&self) -> i64 {
        self.alloc_bytes.signed().wrapping_sub(self.freed_bytes.signed())
    }

    #[inline(always)]
    pub(crate) fn level_blocks(&self) -> i64 {
        self.alloc_blocks.signed().wrapping_sub(self.freed_blocks.signed())
    }

    pub(crate) fn top(&'static self) -> &'static Entry {
        self.entry.get().unwrap_or(&self.base)
    }

    /// Notes the thread's latest allocation.
    #[inline(always)]
    pub(crate) fn note_latest(&self, address: u64, tag: Tag) {
        self.latest.set(address);
        self.latest_tag.set(tag.0);
    }

    /// Whether a block that is freed is the thread's latest allocation; then it is that no longer. The tag tells it
    /// from a block of another thread that came to the same address later.
    #[inline(always)]
    pub(crate) fn was_latest(&self, address: u64, tag: Tag) -> bool {
        let was = self.latest.get() == address && self.latest_tag.get() == tag.0;
        if was {
            self.latest_tag.set(Tag::UNKNOWN.0);
        }
        was
    }

    /// Raises the watermarks to the level.
    #[inline]
    pub(crate) fn raise(&self) {
        let (bytes, blocks) = (self.level_bytes(), self.level_blocks());
        if bytes > self.peak_bytes.signed() {
            self.peak_bytes.set(bytes.cast_unsigned());
        }
        if blocks > self.peak_blocks.signed() {
            self.peak_blocks.set(blocks.cast_unsigned());
        }
    }

    /// Makes the entry of the top frame `frame`, which has seen no event here yet.
    pub(crate) fn touch(&'static self, frame: &'static Frame, bit: u64) -> Option<()> {
        let row = self.row_of(frame.path())?;
        let entry = self.entry_above()?;
        entry.frame.set(Some(frame));
        entry.row.set(Some(row));
        entry.alloc_bytes.set(self.alloc_bytes.get());
        entry.alloc_blocks.set(self.alloc_blocks.get());
        entry.freed_bytes.set(self.freed_bytes.get());
        entry.freed_blocks.set(self.freed_blocks.get());
        entry.reallocs.set(self.reallocs.get());
        entry.failed.set(self.failed.get());
        entry.saved_bytes.set(self.peak_bytes.get());
        entry.saved_blocks.set(self.peak_blocks.get());
        entry.saved_largest.set(self.largest.get());
        self.peak_bytes.set(self.level_bytes().cast_unsigned());
        self.peak_blocks.set(self.level_blocks().cast_unsigned());
        self.largest.set(0);
        self.entry.set(Some(entry));
        self.row.set(row);
        self.touched.set(Some(frame));
        frame.mark(bit);
        Some(())
    }

    /// A place for the entry above the top one.
    fn entry_above(&'static self) -> Option<&'static Entry> {
        let top = self.top();
        if let Some(above) = top.above.get() {
            return Some(above);
        }
        let chunk: &'static [Entry; ENTRY_CHUNK] = leak([const { Entry::BLANK }; ENTRY_CHUNK])?;
        let mut below = top;
        for entry in chunk {
            entry.below.set(Some(below));
            below.above.set(Some(entry));
            below = entry;
        }
        top.above.get()
    }

    /// What the frame of the top entry recorded since it was entered.
    pub(crate) fn tally(&'static self) -> Tally {
        self.tally_since(self.top(), self.peak_bytes.signed(), self.peak_blocks.signed(), self.largest.get())
    }

    fn tally_since(&self, entry: &Entry, peak_bytes: i64, peak_blocks: i64, largest: u64) -> Tally {
        let counters = Counters {
            current_bytes: self.level_bytes() - entry.level_bytes(),
            current_blocks: self.level_blocks() - entry.level_blocks(),
            peak_bytes: peak_bytes - entry.level_bytes(),
            peak_blocks: peak_blocks - entry.level_blocks(),
            total_bytes: self.alloc_bytes.signed().wrapping_sub(entry.alloc_bytes.signed()),
            total_blocks: self.alloc_blocks.signed().wrapping_sub(entry.alloc_blocks.signed()),
        };
        let reallocs = self.reallocs.get().wrapping_sub(entry.reallocs.get());
        Tally { counters, reallocs, failed: self.failed.get().wrapping_sub(entry.failed.get()), largest }
    }

    /// What `frame` recorded, with the scopes above it as if they ended now, but for `context` and those above it: a
    /// `Context` that was entered further up, whose events `frame` does not see.
    pub(crate) fn tally_of(&'static self, frame: &'static Frame, context: Option<&'static Frame>) -> Tally {
        let mut entry = self.top();
        let mut now = Tally::default();
        let mut marks = [self.peak_bytes.signed(), self.peak_blocks.signed()];
        let mut largest = self.largest.get();
        // Step below the context: its entry holds the sums as they stand for everything under it.
        while let Some(context) = context.filter(|context| entry.at_or_above(context)) {
            marks = [entry.saved_bytes.signed(), entry.saved_blocks.signed()];
            largest = entry.saved_largest.get();
            now = self.tally_since(entry, 0, 0, 0);
            entry = entry.below.get().unwrap_or(&self.base);
            debug_assert!(context.depth() > 0);
        }
        if !entry.at_or_above(frame) {
            return Tally::default();
        }
        let hidden = now;
        while let Some(below) = entry.below.get().filter(|below| below.at_or_above(frame)) {
            marks[0] = marks[0].max(entry.saved_bytes.signed());
            marks[1] = marks[1].max(entry.saved_blocks.signed());
            largest = largest.max(entry.saved_largest.get());
            entry = below;
        }
        let mut tally = self.tally_since(entry, marks[0], marks[1], largest);
        tally.counters.current_bytes -= hidden.counters.current_bytes;
        tally.counters.current_blocks -= hidden.counters.current_blocks;
        tally.counters.total_bytes -= hidden.counters.total_bytes;
        tally.counters.total_blocks -= hidden.counters.total_blocks;
        tally.reallocs -= hidden.reallocs;
        tally.failed -= hidden.failed;
        tally
    }

    /// Ends the top entry, whose frame is being left: its parent sees everything that it saw.
    pub(crate) fn merge(&'static self, parent: &'static Frame, bit: u64) {
        let entry = self.top();
        if !parent.has(bit) {
            // The parent saw nothing before the child did: the child's entry is what its own would have been.
            let row = self.row_of(parent.path()).unwrap_or(&NO_ROW);
            entry.frame.set(Some(parent));
            entry.row.set(Some(row));
            self.row.set(row);
            self.touched.set(Some(parent));
            parent.mark(bit);
            return;
        }
        if entry.saved_bytes.signed() > self.peak_bytes.signed() {
            self.peak_bytes.set(entry.saved_bytes.get());
        }
        if entry.saved_blocks.signed() > self.peak_blocks.signed() {
            self.peak_blocks.set(entry.saved_blocks.get());
        }
        self.largest.raise(entry.saved_largest.get());
        self.pop(entry);
    }

    /// Ends the top entry as if nothing had happened since it was made: the frames below it do not see it.
    pub(crate) fn forget(&'static self) {
        let entry = self.top();
        self.alloc_bytes.set(entry.alloc_bytes.get());
        self.alloc_blocks.set(entry.alloc_blocks.get());
        self.freed_bytes.set(entry.freed_bytes.get());
        self.freed_blocks.set(entry.freed_blocks.get());
        self.reallocs.set(entry.reallocs.get());
        self.failed.set(entry.failed.get());
        self.peak_bytes.set(entry.saved_bytes.get());
        self.peak_blocks.set(entry.saved_blocks.get());
        self.largest.set(entry.saved_largest.get());
        self.pop(entry);
    }

    fn pop(&'static self, entry: &'static Entry) {
        let below = entry.below.get().unwrap_or(&self.base);
        self.entry.set(Some(below));
        self.row.set(below.row.get().unwrap_or(&NO_ROW));
        self.touched.set(below.frame.get());
    }

    /// Charges a hand-over to `frame`, which may have open frames above it. What those reached so far counts, for
    /// `frame` and those below it, with the value before; their own counters do not see it.
    pub(crate) fn charge(&'static self, frame: &'static Frame, bit: u64, hand_over: HandOver) -> Option<()> {
        if !frame.has(bit) {
            self.insert(frame, bit)?;
        }
        let (mut bytes, mut blocks) = (self.peak_bytes.signed(), self.peak_blocks.signed());
        let (lower_bytes, lower_blocks) = (hand_over.bytes.cast_signed(), hand_over.blocks.cast_signed());
        let mut entry = self.top();
        if !entry.frame.is(frame) {
            self.peak_bytes.set((bytes - lower_bytes).cast_unsigned());
            self.peak_blocks.set((blocks - lower_blocks).cast_unsigned());
        }
        while !entry.frame.is(frame) {
            entry.freed_bytes.add(hand_over.bytes);
            entry.freed_blocks.add(hand_over.blocks);
            let below = entry.below.get()?;
            if is_hidden(entry, below) {
                // What is under a context is not seen from here.
                (bytes, blocks) = (entry.saved_bytes.signed(), entry.saved_blocks.signed());
            } else {
                bytes = bytes.max(entry.saved_bytes.signed());
                blocks = blocks.max(entry.saved_blocks.signed());
            }
            // The watermark saved here is that of the frame below: of `frame` itself, or of one above it.
            let (kept_bytes, kept_blocks) = if below.frame.is(frame) {
                (bytes, blocks)
            } else {
                (entry.saved_bytes.signed() - lower_bytes, entry.saved_blocks.signed() - lower_blocks)
            };
            entry.saved_bytes.set(kept_bytes.cast_unsigned());
            entry.saved_blocks.set(kept_blocks.cast_unsigned());
            entry = below;
        }
        self.freed_bytes.add(hand_over.bytes);
        self.freed_blocks.add(hand_over.blocks);
        Some(())
    }

    /// Gives `frame` its entry although frames above it have theirs: what the sums were when the lowest of those
    /// was touched is what they were when `frame` was entered.
    fn insert(&'static self, frame: &'static Frame, bit: u64) -> Option<()> {
        if !self.top().at_or_above(frame) {
            // `touch` is for the top frame; nothing above `frame` has an entry, so it is as good as the top.
            return self.touch(frame, bit);
        }
        let place = self.entry_above()?;
        let mut upper = place;
        let mut entry = self.top();
        loop {
            upper.copy_from(entry);
            let below = entry.below.get()?;
            if !below.at_or_above(frame) {
                break;
            }
            upper = entry;
            entry = below;
        }
        // `entry` now stands twice, here and above: here it becomes the entry of `frame`. Its saved watermark is
        // that of the frame below; the one above saves the watermark of `frame`, which saw nothing until then.
        entry.frame.set(Some(frame));
        entry.row.set(self.row_of(frame.path()));
        upper.saved_bytes.set(entry.level_bytes().cast_unsigned());
        upper.saved_blocks.set(entry.level_blocks().cast_unsigned());
        upper.saved_largest.set(0);
        self.entry.set(Some(place));
        frame.mark(bit);
        Some(())
    }

    /// Charges what other threads added under a `Context` captured at the top frame, as if it had happened there.
    pub(crate) fn absorb(&'static self, added: &Tally) {
        let counters = &added.counters;
        let (bytes, blocks) = (self.level_bytes() + counters.peak_bytes, self.level_blocks() + counters.peak_blocks);
        self.peak_bytes.set(bytes.max(self.peak_bytes.signed()).cast_unsigned());
        self.peak_blocks.set(blocks.max(self.peak_blocks.signed()).cast_unsigned());
        self.alloc_bytes.add(counters.total_bytes.cast_unsigned());
        self.alloc_blocks.add(counters.total_blocks.cast_unsigned());
        self.freed_bytes.add((counters.total_bytes - counters.current_bytes).cast_unsigned());
        self.freed_blocks.add((counters.total_blocks - counters.current_blocks).cast_unsigned());
        self.reallocs.add(added.reallocs);
        self.failed.add(added.failed);
        self.largest.raise(added.largest);
        self.raise();
    }
}
