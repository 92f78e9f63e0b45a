//! The number of a slot's changes, and activations by the number of the change that opened them.
//!
//! A [`FrameHandle`] is all that a guard holds in the program's code between entering and leaving: one number, which takes one register.

#![expect(unsafe_code, reason = "a number that is never 0")]

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::base::single;

/// How often something other than an event changed the slot: where the [`Top`](super::top::Top) shows that a change is under way, this
/// shows that one was. The top says so before this counts, and until the change is over.
pub(crate) struct Changes(AtomicU64);

/// With more, numbers would begin where 64 bits end.
pub(super) const MOST_SLOTS: usize = 1 << 19;

/// Names an activation: a frame for as long as that is open there. It is left only by what entered it, on the thread that entered it.
#[derive(Clone, Copy)]
pub(crate) struct FrameHandle(NonZeroU64);

impl Changes {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Has the numbers begin where those of no other slot do, of which there are fewer than [`MOST_SLOTS`]. 2^44 of them take a thread half a day without a
    /// pause; from then on, a guard that is dropped in another slot than it was entered in could be taken for one of that slot.
    pub(super) fn begin_with(&self, slot: usize) {
        self.0.store((slot as u64) << 44, Ordering::Relaxed);
    }

    /// Counts a change, of which the top says that it is under way.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        single::add_release(&self.0, 1);
        fence(Ordering::Release);
    }

    /// [`begin`](Self::begin) of a change that opens an activation.
    #[inline(always)]
    pub(crate) fn begin_opening(&self) -> FrameHandle {
        self.begin();
        // SAFETY: 1 was just added to a number that began below 2^63 and never wraps around: 2^63 changes do not happen.
        FrameHandle(unsafe { NonZeroU64::new_unchecked(self.0.load(Ordering::Relaxed)) })
    }

    /// How many there were, those under way included; what is read after this is no older.
    #[inline]
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether there were as many; asked after an acquire fence.
    #[inline]
    pub(super) fn is_count(&self, count: u64) -> bool {
        self.0.load(Ordering::Relaxed) == count
    }
}

impl FrameHandle {
    /// That of the activation with this serial; `None` for 0, where nothing is open.
    pub(crate) fn of(serial: u64) -> Option<Self> {
        NonZeroU64::new(serial).map(Self)
    }

    /// Unlike that of any other activation of any slot, and not 0.
    #[inline(always)]
    pub(crate) fn serial(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use crate::names::site::Site;
    use crate::thread::slot::Slot;

    #[test]
    fn a_handle_names_nothing_in_another_slot() {
        let slots = [(); 2].map(|()| Slot::take().expect("memory"));
        let site = Site::named("of one slot");
        let entries = slots.map(|slot| slot.path_entry(slot.top().path(), site).expect("memory"));
        // As many changes in each, whatever they did before.
        let changes = slots.map(|slot| slot.changes.count() & ((1 << 44) - 1));
        for (slot, changes_here) in slots.into_iter().zip(changes) {
            (changes_here..changes[0].max(changes[1])).for_each(|_| slot.changes.begin());
        }
        let opened =
            [0, 1].map(|number| slots[number].enter_scope(slots[number].top(), &entries[number]).expect("memory"));
        for (number, slot) in slots.into_iter().enumerate() {
            let found = opened.map(|opened| slot.frame_of(opened).is_some());
            assert_eq!(found, [number == 0, number == 1], "slot {number}");
            slot.close(slot.top(), &slot.base);
            slot.give_back();
        }
    }
}
