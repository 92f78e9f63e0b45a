//! The level of a ledger in blocks, by which a reader also sees whether an event is under way.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::system::{Blank, Counter};

/// An event changes `room` before, and `level` after, anything else that it changes; so `room + level == limit`
/// exactly while no event is under way. What changes these numbers otherwise does so inside the slot's
/// [`Sequence`](crate::system::Sequence).
///
/// # Reading
///
/// A reader copies numbers of the ledger between two [`Version`]s, or copies them twice around one. Either way, a copy
/// with a part of an event in it is never taken for whole:
///
/// * *Between two equal versions*, nothing changed. Had the copy seen a store of an event, then the fence that stands
///   between the first stores of the event and all its others, and the fence behind the copy, show its first stores
///   to the second version. A free that begun raised `room`. Only an allocation lowers it again; that one is counted
///   in `allocations` unless it has just begun, and then the free has ended, and `level` is lower. And no event
///   was under way at the first version, as that reads `allocations` first: what has been counted there has lowered
///   `room`, and `level` lacks it.
/// * *Two equal copies around a quiet moment*: had the first seen a part of an event only, then the event was under way
///   at that moment, and seen to be, or over before the second copy, which then has all of it. Sums only grow, so the
///   copies differ.
///
/// One writer and plain loads and stores: there is no interleaving for loom to search that this does not cover.
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
#[derive(Clone, Copy, PartialEq, Eq)]
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

impl Blocks {
    #[inline(always)]
    pub(super) fn level(&self) -> i64 {
        self.level.load(Ordering::Relaxed).cast_signed()
    }

    #[inline(always)]
    pub(super) fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn room(&self) -> i64 {
        self.room.load(Ordering::Relaxed).cast_signed()
    }

    /// Begins an allocation, and gives the room that is left.
    #[inline(always)]
    pub(super) fn begin_alloc(&self) -> i64 {
        let room = self.room.load(Ordering::Relaxed).wrapping_sub(1);
        self.room.store(room, Ordering::Release);
        self.allocations.store(self.allocations().wrapping_add(1), Ordering::Release);
        fence(Ordering::Release);
        room.cast_signed()
    }

    #[inline(always)]
    pub(super) fn end_alloc(&self) {
        self.level.store(self.level.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn begin_free(&self) {
        self.room.store(self.room.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        fence(Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn end_free(&self) {
        self.level.store(self.level.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Release);
    }

    /// Changes the level without an event, and the room with it.
    pub(super) fn lower(&self, blocks: u64) {
        self.room.store(self.room.load(Ordering::Relaxed).wrapping_add(blocks), Ordering::Release);
        self.level.store(self.level.load(Ordering::Relaxed).wrapping_sub(blocks), Ordering::Release);
    }

    pub(super) fn set_allocations(&self, blocks: u64) {
        self.allocations.store(blocks, Ordering::Release);
    }

    pub(super) fn set_limit(&self, limit: i64) {
        self.limit.set(limit.cast_unsigned());
        self.room.store((limit - self.level()).cast_unsigned(), Ordering::Release);
    }

    /// How far the events have come, if none is under way.
    #[inline]
    pub(crate) fn quiet(&self) -> Option<Version> {
        let allocations = self.allocations.load(Ordering::Acquire);
        let room = self.room.load(Ordering::Acquire);
        let level = self.level.load(Ordering::Acquire);
        let quiet = level.wrapping_add(room) == self.limit.get();
        quiet.then_some(Version { room, allocations, level })
    }

    /// Whether the events have come no further than that since; asked after an acquire fence.
    #[inline]
    pub(crate) fn is_still(&self, version: Version) -> bool {
        let room = self.room.load(Ordering::Acquire);
        let level = self.level.load(Ordering::Acquire);
        let allocations = self.allocations.load(Ordering::Acquire);
        version == Version { room, allocations, level }
    }
}
