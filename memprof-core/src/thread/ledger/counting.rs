//! The ledger, and what an event changes in it.
//!
//! An event of the current lane changes the level, the sums and the row of the top entry: about ten plain stores, whatever
//! the depth.
//!
//! | number | kept as | changes when |
//! |---|---|---|
//! | bytes allocated | itself | an allocation, a growth |
//! | blocks allocated | `limits.blocks` | an allocation |
//! | the level, bytes and blocks | `limits` | every event |
//! | bytes and blocks freed | not kept: allocated less the level | |
//! | `reallocs`, `failed`, `largest` | themselves | as they say |
//!
//! What stands first in the ledger lies within the slot's first 128 bytes, so that events reach it by short offsets: two
//! cache lines for the common case.

use core::hint::cold_path;

use crate::base::counter::Counter;
use crate::base::memory::{AtomicRef, Blank, Original, Table, leak};
use crate::base::single::Alone;
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::thread::frame::Frame;
use crate::thread::row::{NO_ROW, Row};

use super::blocks::Blocks;
use super::entry::{Entry, NO_ENTRY};
use super::latest::Latest;
use super::limits::{Limits, Watch};
use super::sums::{Sums, Watermarks};

/// See the [module](super). All of it is written by the thread that owns the slot. What events touch comes first.
#[repr(C)]
pub(crate) struct Ledger {
    /// The row of the path of the top entry's frame.
    row: AtomicRef<Row>,
    /// The largest block since the top entry was made.
    pub(super) largest: Counter,
    latest: Latest,
    /// Bytes allocated so far.
    pub(super) alloc_bytes: Counter,
    pub(super) limits: Limits,
    pub(super) reallocs: Counter,
    pub(super) failed: Counter,
    /// The top entry: that of the innermost frame that has one.
    pub(super) entry: AtomicRef<Entry>,
    pub(super) base: Entry,
    pub(crate) rows: Table<Row, PATH_CHUNKS>,
    /// Where a path is counted for which the system had no memory: nowhere that is read.
    pub(super) spare: AtomicRef<Row>,
}

impl Blank for Ledger {
    const BLANK: Self = Self {
        row: AtomicRef::new(&NO_ROW),
        largest: Counter::new(0),
        latest: Latest::BLANK,
        alloc_bytes: Counter::new(0),
        limits: Limits::BLANK,
        reallocs: Counter::new(0),
        failed: Counter::new(0),
        entry: AtomicRef::new(&NO_ENTRY),
        base: Entry::BLANK,
        rows: Table::new(),
        spare: AtomicRef::new(&NO_ROW),
    };
}

impl Ledger {
    /// Bytes from the beginning to the end of what every event touches.
    pub(crate) const HOT: usize = core::mem::offset_of!(Self, limits) + Limits::HOT;

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
        let sums = [&self.largest, &self.alloc_bytes, &self.reallocs, &self.failed];
        sums.into_iter().chain(self.base.numbers()).for_each(|number| number.set(0));
        self.limits.begin();
        self.latest.begin();
        let row = self.row_of(PathId::ROOT)?;
        if self.spare.is(&NO_ROW) {
            self.spare.set(leak(Row::BLANK)?);
        }
        self.base.frame.set(Some(base));
        self.base.row.set(row);
        self.entry.set(&self.base);
        self.row.set(row);
        Some(())
    }

    /// Goes on with another path for the base, where no other frame has an entry.
    pub(crate) fn stand_for(&'static self, path: PathId) -> Option<()> {
        let row = self.row_of(path)?;
        self.base.row.set(row);
        self.row.set(row);
        Some(())
    }

    /// The row of a path, made now if it is not there.
    #[inline(always)]
    pub(crate) fn row_of(&self, path: PathId) -> Option<&'static Row> {
        self.rows.get(path.index()).or_else(|| self.rows.make(path.index()))
    }

    #[inline(always)]
    pub(crate) fn level_bytes(&self) -> i64 {
        self.limits.level_bytes()
    }

    #[inline(always)]
    pub(crate) fn level_blocks(&self) -> i64 {
        self.limits.level_blocks()
    }

    /// By which a reader of another thread sees whether an event is under way.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.limits.blocks
    }

    /// Blocks allocated so far.
    #[inline(always)]
    pub(super) fn alloc_blocks(&self) -> u64 {
        self.limits.blocks.allocations()
    }

    /// Changes how many blocks were allocated, without an allocation.
    pub(super) fn recount_blocks(&self, allocations: u64) {
        self.latest.recount(self.alloc_blocks(), allocations);
        self.limits.blocks.set_allocations(allocations);
    }

    /// All that was counted so far.
    #[inline(always)]
    pub(crate) fn sums(&self) -> Sums {
        let allocated = [self.alloc_bytes.get(), self.alloc_blocks()];
        let level = [self.level_bytes(), self.level_blocks()];
        Sums { allocated, level, reallocs: self.reallocs.get(), failed: self.failed.get() }
    }

    /// Reallocations and failures so far.
    #[inline(always)]
    pub(super) fn seldom(&self) -> [u64; 2] {
        [self.reallocs.get(), self.failed.get()]
    }

    /// Has the top entry keep how many reallocations and failures there were: before either changes.
    #[inline(always)]
    pub(super) fn keep_seldom(&self) {
        let entry = self.entry.get();
        // Read first: a signal handler that keeps them in between keeps the same.
        let seldom = self.seldom();
        if entry.seldom().is_none() {
            cold_path();
            entry.keep_seldom(seldom);
        }
    }

    /// The most that was reached since the top entry was made.
    #[inline(always)]
    pub(crate) fn watermarks(&self) -> Watermarks {
        let Limits { peak_bytes, peak_blocks, .. } = &self.limits;
        Watermarks { peak: [peak_bytes.signed(), peak_blocks.signed()], largest: self.largest.get() }
    }

    /// [`watermarks`](Self::watermarks) for a reader, whatever the thread has still to do.
    pub(crate) fn reached(&self) -> Watermarks {
        Watermarks { peak: self.limits.reached(), largest: self.largest.get() }
    }

    /// Whether the lane grows: the peaks wait until something is taken off.
    #[inline(always)]
    pub(crate) fn is_growing(&self) -> bool {
        self.limits.is_growing()
    }

    /// [`is_growing`](Self::is_growing) within a change.
    #[inline(always)]
    pub(crate) fn is_own_growing(&self, alone: Alone) -> bool {
        self.limits.is_own_growing(alone)
    }

    /// Whether a level so much higher is above a peak.
    pub(crate) fn is_above_peaks(&self, bytes: u64, blocks: i64) -> bool {
        let [peak_bytes, peak_blocks] = self.watermarks().peak;
        self.level_bytes() + bytes.cast_signed() > peak_bytes || self.level_blocks() + blocks > peak_blocks
    }

    /// Whether no event is under way, as one may be beneath a signal handler.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.limits.blocks.read_begin().is_some()
    }

    /// Notes an allocation that raised the peaks. Whether the one before did so too.
    #[inline(always)]
    pub(crate) fn note_raised(&self) -> bool {
        self.limits.note_raised()
    }

    /// Lets the level rise to so many bytes without a look.
    pub(crate) fn grow(&self, limit: i64) {
        self.limits.grow(limit);
    }

    /// Something was taken off at this level while the lane grows. `false`: growing is to end, and nothing was changed.
    #[inline(always)]
    pub(crate) fn grow_on(&self, (bytes, blocks): (i64, i64)) -> bool {
        self.limits.grow_on(bytes, blocks)
    }

    /// Ends growing, which came to this level.
    pub(crate) fn end_growing(&self, (bytes, blocks): (i64, i64)) {
        self.limits.end_growing(bytes, blocks);
    }

    /// The row of the top entry.
    #[inline(always)]
    pub(crate) fn row(&self) -> &'static Row {
        self.row.get()
    }

    /// Goes on with another row.
    #[inline(always)]
    pub(super) fn set_row(&self, row: &'static Row) {
        self.row.set(row);
    }

    /// Counts a block that the top frame allocated; it has its entry. `true`: the level is above a peak, or above what
    /// is watched.
    #[inline(always)]
    pub(crate) fn alloc(&self, bytes: u64) -> bool {
        self.limits.alloc(bytes, || {
            self.add_alloc(self.row(), bytes);
            if bytes > self.largest.get() {
                cold_path();
                self.largest.set(bytes);
            }
        })
    }

    /// Adds a block to the sums, and to those of the path that owns it.
    #[inline(always)]
    fn add_alloc(&self, row: &Row, bytes: u64) {
        self.alloc_bytes.add(bytes);
        row.alloc_bytes.add(bytes);
        row.alloc_blocks.add(1);
    }

    /// Counts the first event of `frame`, the top, which is an allocation, and makes its entry, also while the lane grows; that the frame has one
    /// is left to the caller to note. `false`: more is to be done for it, and nothing was changed.
    #[inline(always)]
    pub(crate) fn alloc_first(
        &'static self,
        frame: &'static Frame,
        row: &'static Row,
        address: u64,
        bytes: u64,
        alone: Alone,
    ) -> bool {
        let Some(entry) = self.entry.get().above.get() else { return false };
        let level = self.limits.own_level_bytes(alone);
        if self.limits.is_more_due_at(level + bytes.cast_signed(), self.limits.own_level_blocks(alone) + 1, alone) {
            cold_path();
            let grows_on = self.limits.grows_on_by(bytes, alone);
            if grows_on {
                self.begin_entry(entry, frame, row, level);
                self.limits.set_peaks_while_growing([level, self.limits.own_level_blocks(alone)]);
                self.largest.set(bytes);
                self.limits.alloc(bytes, || self.add_alloc(row, bytes));
                self.note_latest(address);
            }
            return grows_on;
        }
        self.begin_entry(entry, frame, row, level);
        self.add_alloc(row, bytes);
        self.limits.begin_frame_at(level + bytes.cast_signed(), alone);
        self.largest.set(bytes);
        self.note_latest(address);
        true
    }

    /// Counts the free of a block of this lane, with `owner` called at the same moment. `true`: the level is below
    /// what is watched.
    #[inline(always)]
    pub(crate) fn free(&self, bytes: u64, owner: impl FnOnce()) -> bool {
        self.limits.free(bytes, owner)
    }

    /// Counts a reallocation of a block of this lane. The bounds it may have left: [`is_limit_crossed`](Self::is_limit_crossed).
    #[inline]
    pub(crate) fn realloc(&self, from: u64, to: u64) {
        self.keep_seldom();
        self.alloc_bytes.add(to.saturating_sub(from));
        self.reallocs.add(1);
        self.limits.realloc(from, to);
        self.largest.raise(to);
    }

    /// Counts a block that was allocated here because it was reallocated, and freed elsewhere.
    pub(crate) fn realloc_here(&self, bytes: u64) {
        self.keep_seldom();
        self.reallocs.add(1);
        self.alloc(bytes);
    }

    /// Counts a failure of the upstream.
    pub(crate) fn fail(&self) {
        self.keep_seldom();
        self.failed.add(1);
    }

    /// Whether the level is above a peak, or above or below what is watched.
    #[inline]
    pub(crate) fn is_limit_crossed(&self) -> bool {
        self.limits.is_crossed()
    }

    /// Whether the level is outside of what is watched.
    pub(crate) fn is_watched(&self) -> bool {
        self.limits.is_watched()
    }

    /// Has these levels watched.
    pub(crate) fn watch(&self, watch: Watch) {
        self.limits.watch(watch);
    }

    /// Raises the watermarks to the level.
    pub(crate) fn raise_peaks(&self) {
        self.limits.raise_peaks(self.level_bytes(), self.level_blocks());
    }

    /// [`raise_peaks`](Self::raise_peaks) to a level that the caller has read, with the levels above `high` watched, which are no
    /// lower.
    #[inline(always)]
    pub(crate) fn raise_fast(&self, level: (i64, i64), high: (i64, i64)) {
        self.limits.raise_fast(level, high);
    }

    /// Changes the level by what was freed, or by less than nothing, without an event.
    pub(crate) fn adjust_level(&self, bytes: u64, blocks: u64) {
        self.limits.adjust_level(bytes, blocks);
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

    /// The latest allocation of the thread is that of `other`, if it allocated anything.
    pub(crate) fn follow_latest(&self, other: &Self, allocated: bool) {
        if allocated {
            self.latest.follow(&other.latest);
        }
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
    pub(crate) fn leave_lane(&self, lane: &AtomicRef<Lane>) {
        self.latest.leave_lane(lane, self.alloc_blocks());
    }
}
