//! The level of a ledger, and when an event has more to do than to count.
//!
//! The *level* is what was allocated less what was freed, signed. An allocation that brings it above a peak has the peak
//! to raise, and one that brings it where the thread's part in the process's mark is due has that to publish; a free likewise, below. So
//! that an event need not compare with each of these, a ledger keeps one *limit*, and of the level only the *room* below
//! the limit: an event changes that one number, and sees by its sign whether there is more to do.
//!
//! For bytes and for blocks alike, unless an event is under way:
//!
//! ```text
//! level     = limit - room
//! limit     = min(peak, watch.high)                   an allocation has more to do once room < 0
//! most_room = limit - watch.low       (bytes only)    a free has more to do once room > most_room
//! ```
//!
//! `peak` is the greatest level since the top entry was made: its frame's watermark. `watch` is what somebody besides the ledger
//! asked for: [`watch`](crate::thread::watch), and nobody in spaces other than `host`. Where everything is to be watched,
//! `watch.high` lies below any level, and so does the limit: there is less room than none.
//!
//! # While a lane grows
//!
//! Where one allocation after the other is above the peak, each would have it raised. But nothing is lost if that waits until something
//! is taken off: the peak is the level then. So after two in a row the lane *grows* ([`grow`](Limits::grow)): the limit of bytes is where the next
//! publication is due, there is none of blocks, and any free has more to do, which raises the peaks to the level before it. The lane grows on if they rose, as
//! most programs that grow free something now and then; it ends after some frees in a row that raised nothing ([`grow_on`](Limits::grow_on)).
//!
//! It goes on through calls: a new frame begins with the level as its watermark; what is saved of the frame below may then be lower, and becomes the new one's,
//! which is not, when that is left. Whatever else changes the ledger, or reads the peaks on this thread, ends growing first; a reader of another thread takes the
//! greater of peak and level ([`reached`](Limits::reached)). Hand-overs are looked at before a peak is raised, so while nothing is raised whoever hands over
//! sets the thread's notice ([`Lane::watch_alarm`](crate::lanes::lane::Lane::watch_alarm)).
//!
//! The level in blocks is a number of its own, too ([`Blocks`]): a reader sees by the two whether an event is under way.

use crate::base::counter::Counter;
use crate::base::memory::Blank as _;
use crate::base::single::Alone;

use super::blocks::Blocks;

/// See the [module](self). What every event touches comes first.
#[repr(C)]
pub(super) struct Limits {
    room_bytes: Counter,
    pub(super) blocks: Blocks,
    most_room_bytes: Counter,
    limit_bytes: Counter,
    /// The watermarks of the top entry's frame, as levels.
    pub(super) peak_bytes: Counter,
    pub(super) peak_blocks: Counter,
    watch_high: Counter,
    watch_low: Counter,
    watch_blocks: Counter,
    /// How many blocks had been allocated when the peaks were last raised by an allocation.
    raised_at: Counter,
    /// While the lane grows, how many frees in a row that raise no peak end that; or else 0.
    growing: Counter,
}

/// So many frees in a row that raise no peak end growing. Each takes some 40 instructions; to end growing and to begin it again takes 170.
const PATIENCE: u64 = 8;

/// Levels that somebody besides the ledger watches: above `high` and `blocks`, and below `low`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) blocks: i64,
}

/// Farther than any level that a thread has to publish: a quarter of what 64 bits hold, so that a limit less this does not overflow.
const FAR: i64 = i64::MAX / 4;

impl Limits {
    /// Bytes from the beginning to the end of what every event touches.
    pub(super) const HOT: usize = core::mem::offset_of!(Self, limit_bytes);

    /// The level and the peaks are 0, and nobody watches.
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    pub(super) const BLANK: Self = Self {
        room_bytes: Counter::new(0),
        blocks: Blocks::BLANK,
        most_room_bytes: Counter::new(i64::MAX.cast_unsigned()),
        limit_bytes: Counter::new(0),
        peak_bytes: Counter::new(0),
        peak_blocks: Counter::new(0),
        watch_high: Counter::new(i64::MAX.cast_unsigned()),
        watch_low: Counter::new((-FAR).cast_unsigned()),
        watch_blocks: Counter::new(i64::MAX.cast_unsigned()),
        raised_at: Counter::new(0),
        growing: Counter::new(0),
    };

    /// Begins anew, for another thread: level and peaks are 0. What is watched stays.
    pub(super) fn begin(&self) {
        self.room_bytes.set(0);
        self.limit_bytes.set(0);
        self.blocks.adjust_level(self.level_blocks().cast_unsigned());
        self.blocks.set_allocations(0);
        self.set_peaks(0, 0);
    }

    #[inline(always)]
    pub(super) fn level_bytes(&self) -> i64 {
        self.limit_bytes.signed().wrapping_sub(self.room_bytes.signed())
    }

    #[inline(always)]
    pub(super) fn level_blocks(&self) -> i64 {
        self.blocks.level()
    }

    /// A block was allocated, and `count` belongs to the same event: a reader sees all of it or nothing. `true`: there is more to do.
    #[inline(always)]
    pub(super) fn alloc(&self, bytes: u64, count: impl FnOnce()) -> bool {
        self.blocks.begin_alloc();
        self.room_bytes.sub(bytes);
        count();
        self.blocks.end_alloc();
        // As they are now: what a signal handler changed meanwhile counts.
        self.room_bytes.signed() | self.blocks.room() < 0
    }

    /// A block was freed, and `count` belongs to the same event. `true`: there is more to do.
    #[inline(always)]
    pub(super) fn free(&self, bytes: u64, count: impl FnOnce()) -> bool {
        self.blocks.begin_free();
        // Read here: a signal handler ends growing before this, or this free sees that it was on; and begins none from here on.
        let most_room = self.most_room_bytes.signed();
        count();
        self.room_bytes.add(bytes);
        self.blocks.end_free();
        self.room_bytes.signed() > most_room
    }

    /// Whether the peaks wait for something to be taken off.
    #[inline(always)]
    pub(super) fn is_growing(&self) -> bool {
        self.growing.get() != 0
    }

    /// [`is_growing`](Self::is_growing) within a change.
    #[inline(always)]
    pub(super) fn is_own_growing(&self, alone: Alone) -> bool {
        self.growing.own(alone) != 0
    }

    /// Whether the lane grows, and does so by a block of so many bytes without more to do; within a change.
    #[inline(always)]
    pub(super) fn grows_on_by(&self, bytes: u64, alone: Alone) -> bool {
        // The room by a load of its own: together with that of the level, it would take a register from the short path.
        self.is_own_growing(alone) && self.room_bytes.signed() >= bytes.cast_signed()
    }

    /// Notes an allocation that raised the peaks. Whether the one before did so too.
    #[inline(always)]
    pub(super) fn note_raised(&self) -> bool {
        let allocations = self.blocks.allocations();
        let before = self.raised_at.get();
        self.raised_at.set(allocations);
        before.wrapping_add(1) == allocations
    }

    /// Lets the level rise to `limit` bytes, which it is not above, and to any number of blocks. Until that ends, and what is watched is
    /// set anew, everything is watched, for whoever asks.
    pub(super) fn grow(&self, limit: i64) {
        let level = self.level_bytes();
        self.growing.set(PATIENCE);
        self.watch_high.set((-FAR).cast_unsigned());
        self.limit_bytes.set(limit.cast_unsigned());
        self.room_bytes.set((limit - level).cast_unsigned());
        self.blocks.set_limit(i64::MAX / 2);
        self.most_room_bytes.set(i64::MIN.cast_unsigned());
    }

    /// While the lane grows, something was taken off at this level. `false`: growing is to end, and nothing was changed.
    #[inline(always)]
    pub(super) fn grow_on(&self, bytes: i64, blocks: i64) -> bool {
        let is_higher = bytes > self.peak_bytes.signed() || blocks > self.peak_blocks.signed();
        // A signal handler may have ended it before this change began.
        let left = if is_higher && self.is_growing() { PATIENCE } else { self.growing.get().saturating_sub(1) };
        if left > 0 {
            self.peak_bytes.set(bytes.max(self.peak_bytes.signed()).cast_unsigned());
            self.peak_blocks.set(blocks.max(self.peak_blocks.signed()).cast_unsigned());
            self.growing.set(left);
        }
        left > 0
    }

    /// The peaks, or the levels where those are higher: for a reader, whatever the thread has still to do.
    pub(super) fn reached(&self) -> [i64; 2] {
        [self.peak_bytes.signed().max(self.level_bytes()), self.peak_blocks.signed().max(self.level_blocks())]
    }

    /// A block changed its size. Whether there is more to do: [`is_crossed`](Self::is_crossed).
    #[inline]
    pub(super) fn realloc(&self, from: u64, to: u64) {
        self.room_bytes.add(from.wrapping_sub(to));
    }

    /// Whether the level is above a peak, or above or below what is watched.
    #[inline]
    pub(super) fn is_crossed(&self) -> bool {
        let room = self.room_bytes.signed();
        room < 0 || self.blocks.room() < 0 || room > self.most_room_bytes.signed() && !self.is_growing()
    }

    /// Whether the level is outside of what is watched.
    pub(super) fn is_watched(&self) -> bool {
        self.level_bytes() > self.watch_high.signed()
            || self.level_blocks() > self.watch_blocks.signed()
            || self.level_bytes() < self.watch_low.signed()
    }

    /// Lowers the level by so much, which may be less than nothing, without an event.
    pub(super) fn adjust_level(&self, bytes: u64, blocks: u64) {
        self.room_bytes.add(bytes);
        self.blocks.adjust_level(blocks);
    }

    /// Has these levels watched.
    pub(super) fn watch(&self, watch: Watch) {
        self.watch_high.set(watch.high.max(-FAR).cast_unsigned());
        self.watch_low.set(watch.low.clamp(-FAR, FAR).cast_unsigned());
        self.watch_blocks.set(watch.blocks.cast_unsigned());
        self.set_peaks(self.peak_bytes.signed(), self.peak_blocks.signed());
    }

    /// Sets the watermarks, and with them the limits.
    pub(super) fn set_peaks(&self, bytes: i64, blocks: i64) {
        self.set_peak_bytes(self.level_bytes(), bytes);
        self.set_peak_blocks(blocks);
    }

    #[inline(always)]
    pub(super) fn own_level_bytes(&self, alone: Alone) -> i64 {
        self.limit_bytes.own_signed(alone).wrapping_sub(self.room_bytes.own_signed(alone))
    }

    #[inline(always)]
    pub(super) fn own_level_blocks(&self, alone: Alone) -> i64 {
        self.blocks.own_level(alone)
    }

    /// [`set_peak_bytes`](Self::set_peak_bytes) within a change.
    #[inline(always)]
    pub(super) fn set_own_peak_bytes(&self, level: i64, peak: i64, alone: Alone) {
        debug_assert!(!self.is_growing(), "growing ends first");
        self.peak_bytes.set(peak.cast_unsigned());
        let limit = peak.min(self.watch_high.own_signed(alone));
        self.limit_bytes.set(limit.cast_unsigned());
        self.room_bytes.set((limit - level).cast_unsigned());
        self.most_room_bytes.set(limit.wrapping_sub(self.watch_low.own_signed(alone)).cast_unsigned());
    }

    /// [`set_peak_blocks`](Self::set_peak_blocks) within a change.
    #[inline(always)]
    pub(super) fn set_own_peak_blocks(&self, peak: i64, alone: Alone) {
        self.peak_blocks.set(peak.cast_unsigned());
        self.blocks.set_limit(peak.min(self.watch_blocks.own_signed(alone)));
    }

    /// Sets the watermark in bytes, at a level that the caller has read, and with it the limit.
    #[inline(always)]
    pub(super) fn set_peak_bytes(&self, level: i64, peak: i64) {
        self.peak_bytes.set(peak.cast_unsigned());
        self.set_limit_bytes(level, peak.min(self.watch_high.signed()));
    }

    /// Sets the watermark in blocks, likewise.
    #[inline(always)]
    pub(super) fn set_peak_blocks(&self, peak: i64) {
        self.peak_blocks.set(peak.cast_unsigned());
        self.blocks.set_limit(peak.min(self.watch_blocks.signed()));
    }

    /// Whether more is due at these levels than to raise the watermarks of a new frame to them: those of the thread, or its part in the mark. Always
    /// while the lane grows.
    #[inline(always)]
    pub(super) fn is_more_due_at(&self, bytes: i64, blocks: i64, alone: Alone) -> bool {
        bytes > self.watch_high.own_signed(alone) || blocks > self.watch_blocks.own_signed(alone)
    }

    /// A frame begins with an allocation that brings the level here, by a block, where no more [is due](Self::is_more_due_at): so these are its
    /// watermarks, and the limits.
    #[inline(always)]
    pub(super) fn begin_frame_at(&self, bytes: i64, alone: Alone) {
        debug_assert!(!self.is_growing(), "growing ends first");
        self.peak_bytes.set(bytes.cast_unsigned());
        self.limit_bytes.set(bytes.cast_unsigned());
        self.room_bytes.set(0);
        self.most_room_bytes.set(bytes.wrapping_sub(self.watch_low.own_signed(alone)).cast_unsigned());
        let blocks = self.own_level_blocks(alone) + 1;
        self.peak_blocks.set(blocks.cast_unsigned());
        self.blocks.begin_frame_at(blocks);
    }

    /// The watermarks, within a change.
    #[inline(always)]
    pub(super) fn own_peaks(&self, alone: Alone) -> [i64; 2] {
        [self.peak_bytes.own_signed(alone), self.peak_blocks.own_signed(alone)]
    }

    /// Sets the watermarks, at this level in bytes, within a change. While the lane grows, the limits stay.
    #[inline(always)]
    pub(super) fn set_own_peaks(&self, level: i64, [bytes, blocks]: [i64; 2], alone: Alone) {
        if self.is_own_growing(alone) {
            self.set_peaks_while_growing([bytes, blocks]);
        } else {
            self.set_own_peak_bytes(level, bytes, alone);
            self.set_own_peak_blocks(blocks, alone);
        }
    }

    /// Sets the watermarks while the lane grows: the limits stay.
    #[inline(always)]
    pub(super) fn set_peaks_while_growing(&self, [bytes, blocks]: [i64; 2]) {
        self.peak_bytes.set(bytes.cast_unsigned());
        self.peak_blocks.set(blocks.cast_unsigned());
    }

    /// Ends growing, which came to these levels.
    pub(super) fn end_growing(&self, bytes: i64, blocks: i64) {
        self.growing.set(0);
        self.raise_peaks(bytes, blocks);
    }

    /// Raises the watermarks to these levels, where they are lower.
    pub(super) fn raise_peaks(&self, bytes: i64, blocks: i64) {
        self.set_peaks(bytes.max(self.peak_bytes.signed()), blocks.max(self.peak_blocks.signed()));
    }

    /// Raises the watermarks to the level, which the caller has read, and has watched what is above `high`: no lower than that. So
    /// the limits follow without being compared with the level.
    #[inline(always)]
    pub(super) fn raise_fast(&self, (level_bytes, level_blocks): (i64, i64), (high, high_blocks): (i64, i64)) {
        let bytes = level_bytes.max(self.peak_bytes.signed());
        let blocks = level_blocks.max(self.peak_blocks.signed());
        self.peak_bytes.set(bytes.cast_unsigned());
        self.peak_blocks.set(blocks.cast_unsigned());
        self.watch_high.set(high.cast_unsigned());
        self.watch_blocks.set(high_blocks.cast_unsigned());
        self.set_limit_bytes(level_bytes, bytes.min(high));
        self.blocks.set_limit(blocks.min(high_blocks));
    }

    /// Where the sum overflows, which takes blocks of exbibytes, each free looks.
    #[inline(always)]
    fn set_most_room(&self, limit_bytes: i64) {
        self.most_room_bytes.set(limit_bytes.wrapping_sub(self.watch_low.signed()).cast_unsigned());
    }

    #[inline(always)]
    fn set_limit_bytes(&self, level: i64, limit: i64) {
        debug_assert!(!self.is_growing(), "growing ends first");
        self.limit_bytes.set(limit.cast_unsigned());
        self.room_bytes.set((limit - level).cast_unsigned());
        self.set_most_room(limit);
    }
}

#[cfg(test)]
mod tests;
