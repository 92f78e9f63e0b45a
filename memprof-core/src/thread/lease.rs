//! How a thread gets a slot from the pool, and gives it back.
//!
//! A slot that comes back keeps its rows and its ledgers: the next thread adds to them. What begins anew is what is the
//! thread's own: its lane, its level, its base record. When a thread takes a slot, and when it ends, is left to `process/ready`.

use core::sync::atomic::Ordering;

use crate::lanes::kind::Kind;
use crate::lanes::lane::{Lane, NO_LANE};
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::space::spaces::Space;
use crate::thread::frame::NO_FRAME;
use crate::thread::slot::Slot;

impl Slot {
    /// A slot that no thread has, with a lane and zeroed counters; rows are those of the threads before. `None` where 65,536
    /// threads have theirs, or there is no memory: then the thread's events go to the record that ended threads share.
    #[cold]
    pub(crate) fn take() -> Option<&'static Self> {
        let free = Self::all()
            .find(|slot| slot.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok());
        let slot = free.or_else(Self::make)?;
        let begun = slot.begin();
        if begun.is_none() {
            slot.taken.store(false, Ordering::Release);
        }
        begun.map(|()| slot)
    }

    fn begin(&'static self) -> Option<()> {
        self.begin_on(Lane::take()?)
    }

    /// Begins anew on a lane.
    pub(super) fn begin_on(&'static self, lane: &'static Lane) -> Option<()> {
        self.top.set(&self.base);
        let _change = self.begin_change();
        self.sequence.begin_write();
        self.lane.set(lane);
        self.begin_other_lanes();
        self.base.tag.set(Tag::new(lane, PathId::ROOT).0);
        self.base.flags.set(Kind::Base.flags(0));
        self.base.set_touched(Space::HOST.bit());
        self.segment.set(Some(&self.base));
        self.share_from(None);
        let mut begun = self.keep_net(Space::HOST, || self.host.begin(&self.base));
        self.set_outstanding(0);
        for (index, ledger) in self.others.iter().enumerate() {
            if let Some(ledger) = ledger.get() {
                begun = begun.and_then(|()| ledger.begin(&self.base));
                self.base.set_touched(Space::of_index(index).bit());
            }
        }
        self.sequence.end_write();
        self.notify();
        begun
    }

    /// Gives the slot back to the pool: the thread has left all its scopes and ends. If its lane has not ended before, and is
    /// held here, it leaves its blocks to nobody.
    pub(crate) fn give_back(&'static self) {
        self.notify();
        self.publish_net();
        let lane = self.lane.get();
        if lane.has_ended() {
            lane.add_outstanding(self.outstanding());
            lane.release();
        } else {
            lane.end(None, self.outstanding());
        }
        self.lane.set(&NO_LANE);
        self.top.set(&NO_FRAME);
        self.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn what_one_thread_ran_keeps_the_next_one_of_its_slot_from_nothing() {
        let slot = Slot::take().expect("memory");
        assert!(!slot.knows_other_lanes());
        slot.note_foreign_frees();
        assert!(!slot.knows_other_lanes(), "whose blocks it frees is another matter");
        slot.note_other_lanes();
        assert!(slot.knows_other_lanes());
        let lane = slot.lane.get();
        slot.begin().expect("memory");
        lane.end(None, 0);
        assert!(!slot.knows_other_lanes(), "the next thread ran none yet");
        assert!(slot.has_foreign_frees(), "its rows have what the thread before freed");
        slot.give_back();
    }
}
