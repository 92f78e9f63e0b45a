//! A thread's latest allocation in one space: a block that is freed while it is that was a temporary one.
//!
//! An allocation pays one store for it, a free one comparison. A block of another lane, or of another thread at the same address, is never
//! taken for it. What a temporary block adds to is left to [`counting`](super::counting).

use crate::base::counter::Counter;
use crate::base::memory::{AtomicRef, Blank};
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;

/// An odd address, which no block of the global allocator has.
const NOWHERE: u64 = u64::MAX;
/// More allocations than any thread comes to.
const NEVER: u64 = u64::MAX;

/// An allocation notes its address alone. Its lane tells it from a block that another thread allocated at that address
/// later; it is the current lane until the thread goes on with another one, and is kept from then on.
///
/// `kept_at` is the number of allocations as it was when `holder` was kept, and a reallocation forgets it. So it is the
/// present number exactly if the thread went on with another lane since its latest allocation, and `holder` is of that
/// allocation's lane then.
#[repr(C)]
pub(super) struct Latest {
    /// [`NOWHERE`] once the block was freed.
    address: Counter,
    /// The lane as its [`holder`](Lane::holder) knew it: after that, it may be taken by somebody else.
    holder: Counter,
    kept_at: Counter,
}

impl Blank for Latest {
    const BLANK: Self = Self { address: Counter::new(NOWHERE), holder: Counter::new(0), kept_at: Counter::new(NEVER) };
}

impl Latest {
    pub(super) fn begin(&self) {
        self.address.set(NOWHERE);
        self.kept_at.set(NEVER);
    }

    #[inline(always)]
    pub(super) fn note(&self, address: u64) {
        self.address.set(address);
    }

    /// [`note`](Self::note) of a block that was reallocated, which is counted in no allocations.
    pub(super) fn note_moved(&self, address: u64) {
        self.note(address);
        self.kept_at.set(NEVER);
    }

    /// Goes on with the latest allocation that another ledger of the thread saw, on the same lane.
    pub(super) fn follow(&self, other: &Self) {
        self.note_moved(other.address.get());
    }

    /// Whether a block is the latest, which then it is no longer.
    #[inline(always)]
    pub(super) fn take(&self, address: u64) -> bool {
        let is = self.address.get() == address;
        if is {
            self.address.set(NOWHERE);
        }
        is
    }

    /// The thread goes on with another lane than this, after so many allocations.
    #[inline(always)]
    pub(super) fn leave_lane(&self, lane: &AtomicRef<Lane>, allocations: u64) {
        if self.kept_at.get() != allocations {
            self.kept_at.set(allocations);
            self.holder.set(lane.get().holder());
        }
    }

    /// The number of allocations was changed by no allocation.
    pub(super) fn recount(&self, before: u64, after: u64) {
        if self.kept_at.get() == before {
            self.kept_at.set(after);
        }
    }

    /// Whether the latest allocation is of the lane of `tag`, which is not the current one.
    pub(super) fn is_of(&self, tag: Tag, allocations: u64) -> bool {
        self.kept_at.get() == allocations && tag.lane().is_some_and(|lane| lane.holder() == self.holder.get())
    }
}
