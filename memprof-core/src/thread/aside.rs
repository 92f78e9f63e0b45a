//! The slot aside: where a signal handler's events are recorded while the slot that it interrupted is being changed.
//!
//! A handler may come between any two instructions of memprof. Where it meets a slot at rest, or in the midst of an event,
//! which only adds to numbers ([`single`](crate::base::single)), it goes on in that slot. Where it meets a change, which
//! shows at the slot's top ([`Top`](crate::thread::top::Top)), nothing of the slot may be touched. Each slot has another
//! one for that. Its base stands for the frame that the handler would have found on top: it has the path and the lane of that
//! frame. What was recorded there since is folded into that frame, as a scope that was left, before the next event of the
//! thread. So all numbers are what they would be if the signal had come at the next event.
//!
//! A handler that interrupts another one in a change of the slot aside, or the thread while it folds that in, is not recorded, and counted as missed.

use crate::base::tally::Tally;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;
use crate::thread::top::Change;

impl Slot {
    /// The slot aside of one that is being changed, ready for events of a handler. `None` if that is being changed too.
    pub(crate) fn stand_in(&'static self) -> Option<&'static Self> {
        let aside = self.aside.get()?;
        if aside.top.change().is_some() {
            return None;
        }
        if aside.top.is(&aside.base) {
            aside.stand_for(self.interrupted_at())?;
        }
        self.note_other_lanes_aside();
        // It is folded in before the next event, and growing ended before that.
        self.notify();
        Some(aside)
    }

    /// The frame that a handler which interrupts a change works in.
    pub(crate) fn interrupted_at(&'static self) -> &'static Frame {
        let top = self.top();
        match self.top.change() {
            Some(Change::Leaving) => top.below().unwrap_or(top),
            Some(Change::Above) | None => top,
        }
    }

    /// Begins to stand for `frame`, with no scope open here.
    fn stand_for(&'static self, frame: &'static Frame) -> Option<()> {
        let _change = self.begin_change();
        let tag = frame.tag();
        let lane = tag.lane()?;
        let known = self.stands_for.get();
        if known.is_some() && !self.lane.is(lane) {
            // What was recorded here is of another lane, and not folded in yet.
            return None;
        }
        self.lane.set(lane);
        self.base.tag.set(tag.0);
        for (space, ledger) in self.ledgers(self.base.flags.get()) {
            ledger.stand_for(tag.path())?;
            self.base.set_touched(space.bit());
        }
        // Of two, the outer one sees both.
        let outer = known.filter(|known| known.depth() <= frame.depth()).unwrap_or(frame);
        self.stands_for.set(Some(outer));
        self.note_other_lanes();
        Some(())
    }

    /// Folds in what handlers recorded aside. `true`: there was something.
    #[inline]
    pub(crate) fn take_in_aside(&'static self) -> bool {
        let Some(aside) = self.aside.get() else { return false };
        aside.stands_for.get().is_some_and(|frame| self.fold_aside(aside, frame))
    }

    #[cold]
    fn fold_aside(&'static self, aside: &'static Self, frame: &'static Frame) -> bool {
        if self.top.change().is_some() || !aside.top.is(&aside.base) {
            // This is a handler; it has its slot.
            return false;
        }
        let change = self.begin_change();
        // What a handler did there between the sums being read and their beginning anew would be lost.
        let aside_change = aside.begin_change();
        let top = self.top();
        let frame = if frame.depth() <= top.depth() { frame } else { top };
        self.renew_net();
        let outstanding = self.outstanding();
        for (space, ledger) in aside.ledgers(aside.base.flags.get()) {
            let tally = ledger.tally_of(&aside.base, None);
            if tally != Tally::default() {
                self.fold_in(space, frame, &tally);
            }
            if space == Space::HOST {
                self.host.follow_latest(ledger, tally.counters.total_blocks > 0);
            }
        }
        self.set_outstanding(outstanding);
        let segment = self.segment.get().filter(|segment| segment.depth() > frame.depth());
        let blocks = aside.outstanding().cast_unsigned();
        match segment {
            Some(segment) => segment.outstanding_below.add(blocks),
            None => self.add_outstanding(blocks.cast_signed()),
        }
        self.take_net_of(aside);
        aside.set_outstanding(0);
        for (_, ledger) in aside.ledgers(aside.base.flags.get()) {
            // There is memory for it: it was there when the slot was made.
            let _begun = ledger.begin(&aside.base);
        }
        aside.set_outstanding(0);
        aside.stands_for.set(None);
        drop(aside_change);
        drop(change);
        if self.host.is_limit_crossed() {
            self.host.raise_peaks();
        }
        self.publish_net_if_due();
        true
    }

    /// Adds what was recorded in a space to `frame`, as by a scope that was entered there and left.
    fn fold_in(&'static self, space: Space, frame: &'static Frame, tally: &Tally) {
        let Some(ledger) = self.ledger(space) else { return };
        self.sequence.begin_write();
        let net = self.most_net_with(space, tally);
        if ledger.ensure(frame, space.bit()).is_some() {
            ledger.fold_child(tally);
        }
        self.raise_net(net);
        self.sequence.end_write();
    }
}
