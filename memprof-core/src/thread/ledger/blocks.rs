//! The level of a ledger in blocks, by which a reader also sees whether an event is under way.
//!
//! So an event writes no word for readers alone. What is read with it, and how often it is tried, is left to
//! [`read`](crate::thread::read); the level in bytes to [`limits`](super::limits).

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::base::counter::Counter;
use crate::base::memory::Blank;
use crate::base::single::{self, Alone};

/// An event changes `room` before, and `level` after, anything else that it changes; so `room + level == limit`
/// exactly while no event is under way. That takes two stores an event, where a [`Sequence`](crate::base::counter::Sequence)
/// beside these numbers would take two more. What changes them otherwise does so inside the slot's sequence.
///
/// # Reading
///
/// A reader either copies numbers between two equal [`Version`]s of a moment without an event, or copies them twice
/// around such a moment. A copy that has a part of an event in it is never taken for whole:
///
/// * *Between two equal versions* no event began. Had the copy seen a store of one, then the fence behind the event's
///   first stores and the fence behind the copy show these to the second version. A free has raised `room`; only an
///   allocation lowers it again, and that one is counted in `allocations`, or has only just begun, and then the free is
///   over and `level` is lower. Nor was one under way at the first version, which looks at `allocations` first: an
///   allocation that is counted there has lowered `room`, and is not in `level` before it is over.
/// * *Two equal copies around a quiet moment*: had the first seen a part of an event, then either the event was still
///   under way at that moment, which shows, or it was over before the second copy, which has all of it then. Sums
///   only grow, so the copies differ.
///
/// All orders in which three events and a reader can take turns are a test.
#[repr(C)]
pub(crate) struct Blocks {
    /// What the level lacks of its limit, signed.
    room: AtomicU64,
    /// Blocks allocated so far.
    allocations: AtomicU64,
    /// Allocated less freed, signed.
    level: AtomicU64,
    /// The level above which an allocation has more to do; see [`Ledger`](super::Ledger).
    limit: Counter,
}

/// How far a ledger's events have come; see [`Blocks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    room: u64,
    allocations: u64,
    level: u64,
}

impl Blank for Blocks {
    const BLANK: Self = Self {
        room: AtomicU64::new(0),
        allocations: AtomicU64::new(0),
        level: AtomicU64::new(0),
        limit: Counter::new(0),
    };
}

/// Adds to a number that one thread writes, for readers that have to see what was stored before it.
#[inline(always)]
fn add(number: &AtomicU64, difference: i64) {
    single::add_release(number, difference.cast_unsigned());
}

impl Blocks {
    #[inline(always)]
    pub(super) fn level(&self) -> i64 {
        self.level.load(Ordering::Relaxed).cast_signed()
    }

    /// The level, within a change.
    #[inline(always)]
    pub(super) fn own_level(&self, alone: Alone) -> i64 {
        single::read(&self.level, alone).cast_signed()
    }

    #[inline(always)]
    pub(super) fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn room(&self) -> i64 {
        self.room.load(Ordering::Relaxed).cast_signed()
    }

    #[inline(always)]
    pub(super) fn begin_alloc(&self) {
        add(&self.room, -1);
        add(&self.allocations, 1);
        fence(Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn end_alloc(&self) {
        add(&self.level, 1);
    }

    #[inline(always)]
    pub(super) fn begin_free(&self) {
        add(&self.room, 1);
        fence(Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn end_free(&self) {
        add(&self.level, -1);
    }

    /// Changes the level without an event, and the room with it.
    pub(super) fn adjust_level(&self, blocks: u64) {
        add(&self.room, blocks.cast_signed());
        add(&self.level, blocks.wrapping_neg().cast_signed());
    }

    /// A frame begins with an allocation, which brings the level here: so is the limit. Within a change, as no reader sees it otherwise. All
    /// of it by differences: this may be a signal handler, while an event is under way.
    #[inline(always)]
    pub(super) fn begin_frame_at(&self, level: i64) {
        let higher = level.wrapping_sub(self.limit.signed());
        self.limit.set(level.cast_unsigned());
        add(&self.room, higher - 1);
        add(&self.allocations, 1);
        add(&self.level, 1);
    }

    #[inline(always)]
    pub(super) fn set_allocations(&self, blocks: u64) {
        self.allocations.store(blocks, Ordering::Release);
    }

    /// By as much as the limit is higher, there is more room: also in a signal handler, while an event is under way.
    pub(super) fn set_limit(&self, limit: i64) {
        let higher = limit.wrapping_sub(self.limit.signed());
        self.limit.set(limit.cast_unsigned());
        add(&self.room, higher);
    }

    /// How far the events have come, if none is under way.
    #[inline]
    pub(crate) fn read_begin(&self) -> Option<Version> {
        let allocations = self.allocations.load(Ordering::Acquire);
        let room = self.room.load(Ordering::Acquire);
        let level = self.level.load(Ordering::Acquire);
        let version = Version { room, allocations, level };
        version.is_quiet(self.limit.get()).then_some(version)
    }

    /// Whether no event has begun since that version; asked after an acquire fence.
    #[inline]
    pub(crate) fn read_validate(&self, version: Version) -> bool {
        let room = self.room.load(Ordering::Acquire);
        let level = self.level.load(Ordering::Acquire);
        let allocations = self.allocations.load(Ordering::Acquire);
        version == Version { room, allocations, level }
    }
}

impl Version {
    fn is_quiet(self, limit: u64) -> bool {
        self.level.wrapping_add(self.room) == limit
    }
}

#[cfg(test)]
mod tests;
