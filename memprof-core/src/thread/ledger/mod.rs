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

use core::hint::cold_path;

use crate::base::counter::Counter;
use crate::base::memory::{AtomicOptionRef, AtomicRef, Blank, Original, Table, leak, leak_blank};
use crate::base::tally::{Counters, Tally};
use crate::lanes::lane::Lane;
use crate::lanes::pending::HandOver;
use crate::lanes::tag::Tag;
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::thread::frame::Frame;

pub(crate) use blocks::Blocks;
pub(crate) use entry::Entry;
use entry::is_under_context;
use latest::Latest;
use row::NO_ROW;
pub(crate) use row::Row;

mod blocks;
mod row;
mod entry;
mod latest;

/// See the [module](self). All of it is written by the thread that owns the slot. What events touch comes first.
#[repr(C)]
pub(crate) struct Ledger {
    /// The row of the path of the top entry's frame.
    row: AtomicRef<Row>,
    /// What the level lacks of its limits. The level is allocated less freed, signed; the limits are the levels above
    /// which an allocation has more to do: the peaks, or lower ones that are watched. So an event changes one number,
    /// and sees by its sign whether there is more to do.
    room_bytes: Counter,
    pub(crate) blocks: Blocks,
    pub(crate) largest: Counter,
    /// The room above which a free has more to do.
    most_room_bytes: Counter,
    latest: Latest,
    /// Bytes allocated so far less those that the row has: what an event adds to the row is in both.
    alloc_bytes_offset: Counter,
    limit_bytes: Counter,
    /// The greatest level since the top entry was made: `allocated - freed`, signed.
    pub(crate) peak_bytes: Counter,
    pub(crate) peak_blocks: Counter,
    pub(crate) reallocs: Counter,
    pub(crate) failed: Counter,
    pub(crate) entry: AtomicOptionRef<Entry>,
    watch_high: Counter,
    watch_low: Counter,
    watch_blocks: Counter,
    base: Entry,
    pub(crate) rows: Table<Row, PATH_CHUNKS>,
    /// Where a path is counted for which the system had no memory: nowhere that is read.
    spare: AtomicRef<Row>,
}

/// Levels that somebody besides the ledger watches: above `high` and `blocks`, and below `low`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) blocks: i64,
}

impl Blank for Ledger {
    const BLANK: Self = Self {
        row: AtomicRef::new(&NO_ROW),
        room_bytes: Counter::new(0),
        blocks: Blocks::BLANK,
        largest: Counter::new(0),
        most_room_bytes: Counter::new(i64::MAX.cast_unsigned()),
        latest: Latest::BLANK,
        alloc_bytes_offset: Counter::new(0),
        limit_bytes: Counter::new(0),
        peak_bytes: Counter::new(0),
        peak_blocks: Counter::new(0),
        reallocs: Counter::new(0),
        failed: Counter::new(0),
        entry: AtomicOptionRef::null(),
        watch_high: Counter::new(i64::MAX.cast_unsigned()),
        watch_low: Counter::new(i64::MIN.cast_unsigned()),
        watch_blocks: Counter::new(i64::MAX.cast_unsigned()),
        base: Entry::BLANK,
        rows: Table::new(),
        spare: AtomicRef::new(&NO_ROW),
    };
}

/// Entries that are made at once when the list is at its end.
const ENTRY_CHUNK: usize = 32;

impl Ledger {
    /// Bytes from the beginning to the end of what every event touches.
    pub(crate) const HOT: usize = core::mem::offset_of!(Self, latest) + size_of::<Counter>();

    /// A ledger in memory of its own that is never freed.
    pub(crate) fn leak_blank() -> Option<&'static Self> {
        static BLANK: Original<Ledger> = Original::new();
        BLANK.leak()
    }

    /// What a thread without any event in a space has there.
    pub(crate) fn untouched() -> &'static Self {
        static UNTOUCHED: Ledger = Ledger::BLANK;
        &UNTOUCHED
    }

    /// Begins anew for a thread that takes the slot: rows stay, the thread's own counters are zero.
    pub(crate) fn begin(&'static self, base: &'static Frame) -> Option<()> {
        let sums = [&self.room_bytes, &self.limit_bytes, &self.largest, &self.reallocs, &self.failed];
        sums.into_iter().chain(self.base.numbers()).for_each(|number| number.set(0));
        self.blocks.adjust_level(self.level_blocks().cast_unsigned());
        self.blocks.set_allocations(0);
        self.set_peaks(0, 0);
        self.latest.begin();
        let row = self.row_of(PathId::ROOT)?;
        if self.spare.is(&NO_ROW) {
            self.spare.set(leak(Row::BLANK)?);
        }
        self.base.frame.set(Some(base));
        self.base.row.set(Some(row));
        self.entry.set(Some(&self.base));
        self.row.set(row);
        self.set_alloc_bytes(0);
        Some(())
    }

    /// The row of a path, made now if it is not there.
    #[inline(always)]
    pub(crate) fn row_of(&self, path: PathId) -> Option<&'static Row> {
        self.rows.get(path.index()).or_else(|| self.rows.make(path.index()))
    }

    #[inline(always)]
    pub(crate) fn level_bytes(&self) -> i64 {
        self.limit_bytes.signed().wrapping_sub(self.room_bytes.signed())
    }

    #[inline(always)]
    pub(crate) fn level_blocks(&self) -> i64 {
        self.blocks.level()
    }

    /// Bytes allocated so far.
    #[inline(always)]
    pub(crate) fn alloc_bytes(&self) -> u64 {
        self.row().alloc_bytes.get().wrapping_add(self.alloc_bytes_offset.get())
    }

    fn set_alloc_bytes(&self, bytes: u64) {
        self.alloc_bytes_offset.set(bytes.wrapping_sub(self.row().alloc_bytes.get()));
    }

    /// The row of the top entry.
    #[inline(always)]
    pub(crate) fn row(&self) -> &'static Row {
        self.row.get()
    }

    #[inline(always)]
    fn set_row(&self, row: &'static Row) {
        let allocated = self.alloc_bytes();
        self.row.set(row);
        self.set_alloc_bytes(allocated);
    }

    /// Blocks allocated so far.
    #[inline(always)]
    pub(crate) fn alloc_blocks(&self) -> u64 {
        self.blocks.allocations()
    }

    /// Bytes and blocks freed so far.
    pub(crate) fn freed(&self) -> [u64; 2] {
        let bytes = self.alloc_bytes().wrapping_sub(self.level_bytes().cast_unsigned());
        [bytes, self.alloc_blocks().wrapping_sub(self.level_blocks().cast_unsigned())]
    }

    /// Counts a block that the top frame allocated; it has its entry. `true`: the level is above a peak, or above what
    /// is watched.
    #[inline(always)]
    pub(crate) fn alloc(&self, bytes: u64) -> bool {
        let room_blocks = self.blocks.begin_alloc();
        let room_bytes = self.room_bytes.sub(bytes).cast_signed();
        let row = self.row();
        row.alloc_bytes.add(bytes);
        row.alloc_blocks.add(1);
        if bytes > self.largest.get() {
            cold_path();
            self.largest.set(bytes);
        }
        self.blocks.end_alloc();
        room_bytes | room_blocks < 0
    }

    /// Counts the free of a block of this lane, with `owner` called at the same moment. `true`: the level is below
    /// what is watched.
    #[inline(always)]
    pub(crate) fn free(&self, bytes: u64, owner: impl FnOnce()) -> bool {
        self.blocks.begin_free();
        owner();
        let room_bytes = self.room_bytes.add(bytes).cast_signed();
        self.blocks.end_free();
        room_bytes > self.most_room_bytes.signed()
    }

    /// Counts a reallocation of a block of this lane. The bounds it may have left: [`is_limit_crossed`](Self::is_limit_crossed).
    #[inline]
    pub(crate) fn realloc(&self, from: u64, to: u64) {
        self.reallocs.add(1);
        self.room_bytes.add(from.wrapping_sub(to));
        self.largest.raise(to);
    }

    /// Whether the level is above a peak, or above or below what is watched.
    #[inline]
    pub(crate) fn is_limit_crossed(&self) -> bool {
        let room = self.room_bytes.signed();
        room < 0 || self.blocks.room() < 0 || room > self.most_room_bytes.signed()
    }

    /// Changes the level by what was freed, or by less than nothing, without an event.
    pub(crate) fn adjust_level(&self, bytes: u64, blocks: u64) {
        self.room_bytes.add(bytes);
        self.blocks.adjust_level(blocks);
    }

    /// Changes how many blocks were allocated, without an allocation.
    fn recount_blocks(&self, allocations: u64) {
        self.latest.recount(self.alloc_blocks(), allocations);
        self.blocks.set_allocations(allocations);
    }

    pub(crate) fn top(&'static self) -> &'static Entry {
        self.entry.get().unwrap_or(&self.base)
    }

    /// Notes the address of the thread's latest allocation.
    #[inline(always)]
    pub(crate) fn note_latest(&self, address: u64) {
        self.latest.note(address);
    }

    /// Notes the address of a block that was reallocated: as good as the latest allocation.
    #[inline]
    pub(crate) fn note_reallocated(&self, address: u64) {
        self.latest.note_moved(address);
    }

    /// Whether a block that is freed is the thread's latest allocation; then it is that no longer. The caller knows that
    /// its home is here, or that this thread allocated it.
    #[inline(always)]
    pub(crate) fn was_latest(&self, address: u64) -> bool {
        self.latest.take(address)
    }

    /// [`was_latest`](Self::was_latest) of a block whose home is not the current lane.
    pub(crate) fn was_latest_elsewhere(&self, address: u64, tag: Tag) -> bool {
        self.latest.is_of(tag, self.alloc_blocks()) && self.latest.take(address)
    }

    /// The thread goes on with another lane than this.
    #[inline(always)]
    pub(crate) fn leave_lane(&self, lane: &Lane) {
        self.latest.leave_lane(lane, self.alloc_blocks());
    }

    /// Whether the level is outside of what is watched.
    pub(crate) fn is_watched(&self) -> bool {
        self.level_bytes() > self.watch_high.signed()
            || self.level_blocks() > self.watch_blocks.signed()
            || self.level_bytes() < self.watch_low.signed()
    }

    /// Has these levels watched.
    pub(crate) fn watch(&self, watch: Watch) {
        self.watch_high.set(watch.high.cast_unsigned());
        self.watch_low.set(watch.low.cast_unsigned());
        self.watch_blocks.set(watch.blocks.cast_unsigned());
        self.set_peaks(self.peak_bytes.signed(), self.peak_blocks.signed());
    }

    /// Sets the watermarks, and with them the limits.
    fn set_peaks(&self, bytes: i64, blocks: i64) {
        self.peak_bytes.set(bytes.cast_unsigned());
        self.peak_blocks.set(blocks.cast_unsigned());
        let level_bytes = self.level_bytes();
        // Where everything is watched, any allocation is to leave less room than none.
        let limit_bytes = bytes.min(self.watch_high.signed().max(level_bytes));
        let limit_blocks = blocks.min(self.watch_blocks.signed().max(self.level_blocks()));
        self.set_limits(level_bytes, limit_bytes, limit_blocks);
    }

    #[inline]
    fn set_limits(&self, level_bytes: i64, limit_bytes: i64, limit_blocks: i64) {
        self.limit_bytes.set(limit_bytes.cast_unsigned());
        self.room_bytes.set((limit_bytes - level_bytes).cast_unsigned());
        self.blocks.set_limit(limit_blocks);
        self.most_room_bytes.set(limit_bytes.saturating_sub(self.watch_low.signed()).cast_unsigned());
    }

    /// Raises the watermarks to the level.
    pub(crate) fn raise_peaks(&self) {
        self.raise_peaks_to(self.level_bytes(), self.level_blocks());
    }

    /// Raises the watermarks to a level that the caller has read, and has the levels above `high` watched, which are no
    /// lower.
    #[inline]
    pub(crate) fn raise_fast(&self, (level_bytes, level_blocks): (i64, i64), (high, high_blocks): (i64, i64)) {
        let bytes = level_bytes.max(self.peak_bytes.signed());
        let blocks = level_blocks.max(self.peak_blocks.signed());
        self.peak_bytes.set(bytes.cast_unsigned());
        self.peak_blocks.set(blocks.cast_unsigned());
        self.watch_high.set(high.cast_unsigned());
        self.watch_blocks.set(high_blocks.cast_unsigned());
        self.set_limits(level_bytes, bytes.min(high), blocks.min(high_blocks));
    }

    fn raise_peaks_to(&self, bytes: i64, blocks: i64) {
        self.set_peaks(bytes.max(self.peak_bytes.signed()), blocks.max(self.peak_blocks.signed()));
    }

    /// Makes the entry of the top frame `frame`, which has seen no event here yet. `first` is the bytes and blocks by
    /// which its first event is about to raise the level.
    #[inline(always)]
    pub(crate) fn touch(&'static self, frame: &'static Frame, bit: u64, first: (i64, i64)) -> Option<()> {
        let row = self.row_of(frame.path())?;
        let entry = self.entry_above()?;
        entry.frame.set(Some(frame));
        entry.row.set(Some(row));
        entry.alloc_bytes.set(self.alloc_bytes());
        entry.alloc_blocks.set(self.alloc_blocks());
        let [freed_bytes, freed_blocks] = self.freed();
        entry.freed_bytes.set(freed_bytes);
        entry.freed_blocks.set(freed_blocks);
        entry.reallocs.set(self.reallocs.get());
        entry.failed.set(self.failed.get());
        entry.saved_bytes.set(self.peak_bytes.get());
        entry.saved_blocks.set(self.peak_blocks.get());
        entry.saved_largest.set(self.largest.get());
        self.set_peaks(self.level_bytes() + first.0, self.level_blocks() + first.1);
        self.largest.set(0);
        self.entry.set(Some(entry));
        self.set_row(row);
        frame.set_touched(bit);
        Some(())
    }

    /// A place for the entry above the top one.
    fn entry_above(&'static self) -> Option<&'static Entry> {
        let top = self.top();
        if let Some(above) = top.above.get() {
            return Some(above);
        }
        let chunk: &'static [Entry; ENTRY_CHUNK] = leak_blank()?;
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
            total_bytes: self.alloc_bytes().wrapping_sub(entry.alloc_bytes.get()).cast_signed(),
            total_blocks: self.alloc_blocks().wrapping_sub(entry.alloc_blocks.get()).cast_signed(),
        };
        let reallocs = self.reallocs.get().wrapping_sub(entry.reallocs.get());
        Tally { counters, reallocs, failed: self.failed.get().wrapping_sub(entry.failed.get()), largest }
    }

    /// What `frame` recorded, with the scopes above it as if they ended now, but for `context` and those above it: a
    /// `Context` that was entered further up, whose events `frame` does not see.
    pub(crate) fn tally_of(&'static self, frame: &'static Frame, context: Option<&'static Frame>) -> Tally {
        let mut entry = self.top();
        let mut now = Tally::default();
        let mut watermarks = [self.peak_bytes.signed(), self.peak_blocks.signed()];
        let mut largest = self.largest.get();
        // PathEntry below the context: its entry holds the sums as they stand for everything under it.
        while let Some(context) = context.filter(|context| entry.at_or_above(context)) {
            watermarks = [entry.saved_bytes.signed(), entry.saved_blocks.signed()];
            largest = entry.saved_largest.get();
            now = self.tally_since(entry, 0, 0, 0);
            entry = entry.below.get().unwrap_or(&self.base);
            debug_assert!(context.depth() > 0);
        }
        if !entry.at_or_above(frame) {
            return Tally::default();
        }
        let under_context = now;
        while let Some(below) = entry.below.get().filter(|below| below.at_or_above(frame)) {
            watermarks[0] = watermarks[0].max(entry.saved_bytes.signed());
            watermarks[1] = watermarks[1].max(entry.saved_blocks.signed());
            largest = largest.max(entry.saved_largest.get());
            entry = below;
        }
        let mut tally = self.tally_since(entry, watermarks[0], watermarks[1], largest);
        tally.counters.current_bytes -= under_context.counters.current_bytes;
        tally.counters.current_blocks -= under_context.counters.current_blocks;
        tally.counters.total_bytes -= under_context.counters.total_bytes;
        tally.counters.total_blocks -= under_context.counters.total_blocks;
        tally.reallocs -= under_context.reallocs;
        tally.failed -= under_context.failed;
        tally
    }

    /// Ends the top entry, whose frame is a scope that is inside no other one of its site, and adds to the path's row what
    /// was recorded since.
    #[inline(always)]
    pub(crate) fn leave(&'static self, parent: &'static Frame, bit: u64) {
        let (entry, row) = (self.top(), self.row());
        row.sums.add([
            self.alloc_bytes().wrapping_sub(entry.alloc_bytes.get()),
            self.alloc_blocks().wrapping_sub(entry.alloc_blocks.get()),
            self.reallocs.get().wrapping_sub(entry.reallocs.get()),
            self.failed.get().wrapping_sub(entry.failed.get()),
        ]);
        row.raise(self.peak_bytes.signed() - entry.level_bytes(), self.largest.get());
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
        self.raise_peaks_to(entry.saved_bytes.signed(), entry.saved_blocks.signed());
        self.largest.raise(entry.saved_largest.get());
        self.pop(entry);
    }

    /// Ends the top entry as if nothing had happened since it was made: the frames below it do not see it.
    pub(crate) fn forget(&'static self) {
        let entry = self.top();
        self.set_alloc_bytes(entry.alloc_bytes.get());
        self.recount_blocks(entry.alloc_blocks.get());
        let (bytes, blocks) = (self.level_bytes() - entry.level_bytes(), self.level_blocks() - entry.level_blocks());
        self.adjust_level(bytes.cast_unsigned(), blocks.cast_unsigned());
        self.reallocs.set(entry.reallocs.get());
        self.failed.set(entry.failed.get());
        self.set_peaks(entry.saved_bytes.signed(), entry.saved_blocks.signed());
        self.largest.set(entry.saved_largest.get());
        self.pop(entry);
    }

    fn pop(&'static self, entry: &'static Entry) {
        let below = entry.below.get().unwrap_or(&self.base);
        self.entry.set(Some(below));
        self.set_row(below.row.get().unwrap_or(self.spare.get()));
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
            self.set_peaks(bytes - lower_bytes, blocks - lower_blocks);
        }
        while !entry.frame.is(frame) {
            entry.freed_bytes.add(hand_over.bytes);
            entry.freed_blocks.add(hand_over.blocks);
            let below = entry.below.get()?;
            if is_under_context(entry, below) {
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
        self.adjust_level(hand_over.bytes, hand_over.blocks);
        Some(())
    }

    /// Gives `frame` its entry although frames above it have theirs: what the sums were when the lowest of those
    /// was touched is what they were when `frame` was entered.
    fn insert(&'static self, frame: &'static Frame, bit: u64) -> Option<()> {
        if !self.top().at_or_above(frame) {
            // `touch` is for the top frame; nothing above `frame` has an entry, so it is as good as the top.
            return self.touch(frame, bit, (0, 0));
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
        frame.set_touched(bit);
        Some(())
    }

    /// Charges what other threads added under a `Context` captured at the top frame, as if it had happened there. With
    /// it, the frame's peaks were those of `sum`, or what it holds now if threads that are still under the context
    /// freed some of that.
    pub(crate) fn absorb(&'static self, added: &Tally, sum: &Counters) {
        let counters = &added.counters;
        self.alloc_bytes_offset.add(counters.total_bytes.cast_unsigned());
        self.recount_blocks(self.alloc_blocks().wrapping_add(counters.total_blocks.cast_unsigned()));
        self.adjust_level((-counters.current_bytes).cast_unsigned(), (-counters.current_blocks).cast_unsigned());
        self.reallocs.add(added.reallocs);
        self.failed.add(added.failed);
        self.largest.raise(added.largest);
        let entry = self.top();
        self.set_peaks(
            self.level_bytes().max(entry.level_bytes() + sum.peak_bytes),
            self.level_blocks().max(entry.level_blocks() + sum.peak_blocks),
        );
    }
}
