//! What a thread knows of other lanes: whether it runs them, whether it frees what others allocated, and whether it shares.
//!
//! | who asks | what for |
//! |---|---|
//! | a thread that grows ([`watch`](super::watch)) | its peaks may wait while it runs no other lane, so that nobody else has a part in what is charged here |
//! | a poll ([`polls_plainly`](Slot::polls_plainly)) | it takes its short path where a segment may begin without a word to anybody |
//! | a snapshot | rows of which more was freed than allocated get their frees first |

use core::sync::atomic::Ordering;

use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

impl Slot {
    /// Notes that this thread frees a block of another lane. Without that, each free is of a block that was allocated here.
    #[inline(always)]
    pub(crate) fn note_foreign_frees(&'static self) {
        if !self.foreign_frees.load(Ordering::Relaxed) {
            self.foreign_frees.store(true, Ordering::Release);
        }
    }

    /// Notes that this thread runs a lane that others do too, or may: so it may free what they allocated.
    #[inline(always)]
    pub(crate) fn note_other_lanes(&'static self) {
        if !self.knows_other_lanes() {
            self.note_first_other_lane();
        }
    }

    /// A lane grows only on a thread that knows of no other.
    #[cold]
    fn note_first_other_lane(&'static self) {
        // In this order: a handler that comes in between lets no lane grow.
        self.set_other_lanes();
        self.end_growing();
    }

    /// [`note_other_lanes`](Self::note_other_lanes) by a signal handler that interrupts a change, and so may touch no number here: a
    /// lane that grows does so up to the next event, for which the handler leaves a notice.
    pub(super) fn note_other_lanes_aside(&'static self) {
        if !self.knows_other_lanes() {
            self.set_other_lanes();
        }
    }

    fn set_other_lanes(&'static self) {
        self.other_lanes.store(true, Ordering::Relaxed);
        self.foreign_frees.store(true, Ordering::Release);
        self.share_from(self.sharing.get());
    }

    /// `frame` is the innermost that shares from now on.
    pub(crate) fn share_from(&self, frame: Option<&'static Frame>) {
        self.sharing.set(frame);
        // A slot aside has none itself.
        let plainly = frame.is_none() && self.knows_other_lanes() && self.aside.get().is_some();
        self.polls_plainly.store(plainly, Ordering::Relaxed);
    }

    /// Whether nothing has to be done for a poll because of this thread: it is known that it runs other lanes, no scope is open
    /// here that others work for, to which a task's hand-overs would have to be forwarded, and this is no slot aside, whose base
    /// stands for what is open elsewhere. Asked by the thread itself.
    #[inline(always)]
    pub(crate) fn polls_plainly(&self) -> bool {
        self.polls_plainly.load(Ordering::Relaxed)
    }

    /// A thread takes the slot, which ran no other lane yet.
    pub(super) fn begin_other_lanes(&self) {
        self.other_lanes.store(false, Ordering::Relaxed);
    }

    /// Whether the thread that has the slot ran, or may run, another lane than its own; asked by itself.
    #[inline(always)]
    pub(crate) fn knows_other_lanes(&self) -> bool {
        self.other_lanes.load(Ordering::Relaxed)
    }

    /// Whether blocks were freed here by any thread, or may be, that another one allocated.
    pub(crate) fn has_foreign_frees(&self) -> bool {
        self.foreign_frees.load(Ordering::Acquire) || core::ptr::eq(self, Self::ended())
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn what_a_handler_polls_aside_takes_no_short_path() {
        let slot = Slot::take().expect("memory");
        let aside = slot.aside.get().expect("memory");
        for of in [slot, aside] {
            assert!(!of.polls_plainly(), "it runs no other lane yet");
            of.note_other_lanes();
        }
        assert!(slot.polls_plainly());
        assert!(!aside.polls_plainly(), "its base stands for frames that are not looked at");
        slot.give_back();
    }
}
