//! Polls of tracked futures, as frames.
//!
//! The common case, a future that was polled before, outside any `Context`, and that sees no event in this poll, has a
//! short path of its own, of about 50 instructions each way; [`scopes`](crate::scope::plain) has the like for plain scopes.

use crate::base::blind;
use crate::base::state;
use crate::lanes::kind::{Kind, POLL, SHARES, UNDER_CONTEXT};
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;
use crate::names::site::Site;
use crate::scope::plain::{Opened, share};
use crate::share::settle::settle;
use crate::share::told;
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::frame::Frame;
use crate::thread::ledger::Ledger;
use crate::thread::slot::Slot;

impl Slot {
    /// Begins a poll of a future that was polled before, if nothing has to be done first.
    #[inline]
    pub(crate) fn poll_again(&'static self, site: &'static Site, future: &'static Lane) -> Option<Opened> {
        let activation = &future.activation;
        let tag = Tag(activation.tag.get());
        let task = tag.is_of(future);
        let top = self.top();
        let frame = top.above()?;
        // A path leads to itself by its own site, so a poll uses the cache that scopes do.
        let calls = self.cached_calls(tag.path(), site)?;
        let site_row = calls.site.get();
        let (lane, tag) = if task { (future, tag) } else { (self.lane.get(), top.tag().with_path(tag.path())) };
        let plain = top.marks.get() & UNDER_CONTEXT == 0
            && site_row.outer.get().is_none()
            && !lane.has_pending()
            && !activation.is_captured()
            && (!task || activation.parent.is(self.lane.get()));
        if !plain {
            return None;
        }
        let serial = self.sequence.open();
        frame.future.set(Some(future));
        self.open(frame, serial, tag, POLL, calls, site_row);
        if task {
            self.begin_segment(frame, future);
        }
        self.sequence.close();
        Some(Opened { frame, serial })
    }

    /// Begins a poll (or the drop) of a tracked future at its own path, on what is open here.
    pub(crate) fn enter_poll(&'static self, site: &'static Site, future: &'static Lane) -> Option<Opened> {
        let tag = Tag(future.activation.tag.get());
        let task = tag.is_of(future);
        if !task && self.lane.get().has_pending() {
            // What waits is for the scope that is innermost until now.
            settle(self);
        }
        let top = self.top();
        let frame = top.grow()?;
        let step = self.step(tag.path(), site)?;
        let marks = Kind::Poll.marks(Self::marks_for(top, &step));
        let tag = if task { tag } else { top.tag_above(tag.path()) };
        let serial = self.sequence.open();
        frame.future.set(Some(future));
        self.open(frame, serial, tag, marks, step.calls, step.site_row);
        if task {
            self.begin_segment(frame, future);
        } else {
            self.go_on(frame, top);
        }
        self.sequence.close();
        let shared = future.activation.shared();
        if shared.is_some() || task && self.sharing.get().is_some() {
            let _blind = blind::enter();
            let is_captured = shared.is_some();
            if let Some(shared) = shared {
                share(self, frame, shared);
            }
            // While it was suspended, a task told its own future; a future inside it tells those around it all along.
            told::begin(self, |below| core::ptr::eq(below, frame) == task && is_captured);
            self.tell_finished();
        }
        if task && future.has_pending() {
            settle(self);
        }
        Some(Opened { frame, serial })
    }

    /// The poll of a future that is open on this thread.
    pub(crate) fn open_poll_of(&'static self, future: &'static Lane) -> Option<Opened> {
        let mut open = core::iter::successors(Some(self.top()), |frame| frame.below());
        let frame = open.find(|frame| frame.kind() == Kind::Poll && frame.future.is(future))?;
        Some(Opened { frame, serial: frame.serial.get() })
    }

    /// Notes, for the report, the scopes that are open above a poll that ends.
    fn note_scopes_above(&'static self, poll: &'static Frame) {
        let open = core::iter::successors(Some(self.top()), |frame| frame.below());
        for frame in open.take_while(|frame| frame.depth() > poll.depth()) {
            if frame.kind() == Kind::Scope
                && let Some(site) = Site::of_id(frame.path().site())
            {
                site.note_left_by_poll(state::epoch());
            }
        }
    }

    pub(crate) fn leave_poll(&'static self, frame: &'static Frame, below: &'static Frame) {
        let task = frame.future.get().filter(|future| self.lane.is(future));
        if frame.has(SHARES) || task.is_some() && self.sharing.get().is_some() {
            // The last reference goes while the thread is blind.
            let _blind = blind::enter();
            match task {
                Some(task) => told::suspend(self, task),
                None => told::end(self, frame),
            }
            if let Some(shared) = frame.shared() {
                // What the level lacks of this poll would be missing from all that follow.
                self.publish_shared(1);
                self.absorb(frame, &shared);
                self.end_sharing(frame);
            }
        }
        if let Some(future) = frame.future.get() {
            let marks = frame.marks.get();
            // The poll is over before it is folded in; a reader goes by that.
            frame.serial.set(0);
            for (space, ledger) in self.ledgers(marks) {
                self.fold_poll(future, space, ledger, marks, below);
            }
        }
        self.sequence.open();
        self.close(frame, below);
        if task.is_some() {
            self.end_task_segment(frame);
        } else if self.segment.is(frame) {
            self.end_going_on(frame, below);
        }
        self.sequence.close();
    }

    /// Folds a poll, the top frame, both into its future and into what is open below.
    #[inline(always)]
    fn fold_poll(
        &'static self,
        future: &'static Lane,
        space: Space,
        ledger: &'static Ledger,
        marks: u64,
        below: &'static Frame,
    ) {
        let poll = ledger.tally();
        let sum = future.activation.fold(space, &poll, marks);
        self.sequence.open();
        let row = ledger.row();
        row.add(&poll, marks);
        row.raise(sum.counters.peak_bytes, sum.largest);
        ledger.merge(below, space.bit());
        self.sequence.close();
    }

    /// Leaves the top frame if it is a poll, outside any `Context` and any other activation of its site, that saw events
    /// on the host and nowhere else, and nothing has to be done first.
    fn leave_poll_plainly(&'static self, frame: &'static Frame) -> bool {
        let marks = POLL | Space::HOST.bit();
        let plain = self.top.is(frame) && frame.marks.get() == marks && !self.lane.get().has_pending();
        let Some(future) = frame.future.get().filter(|_| plain) else { return false };
        frame.serial.set(0);
        self.sequence.open();
        self.fold_poll(future, Space::HOST, &self.host, marks, frame.below_scope());
        self.close_plain_poll(frame);
        self.sequence.close();
        true
    }

    /// Takes a poll off the top, while the sequence is open.
    #[inline(always)]
    fn close_plain_poll(&'static self, frame: &'static Frame) {
        frame.calls.get().site.get().outer.set(None);
        self.top.set(frame.below_scope());
        if self.segment.is(frame) {
            self.end_task_segment(frame);
        }
    }

    /// Ends the segment of a task at the end of a poll.
    #[inline]
    fn end_task_segment(&'static self, frame: &'static Frame) {
        let outstanding = self.end_segment(frame);
        if let Some(future) = frame.future.get() {
            future.activation.outstanding.add(outstanding.cast_unsigned());
        }
    }
}

impl Opened {
    /// Ends a poll, after whatever is still open above it.
    #[inline]
    pub(crate) fn leave_poll(self) {
        let frame = self.frame;
        let slot = current::current();
        let plain = slot.top.is(frame)
            && frame.serial.get() == self.serial
            && frame.marks.get() == POLL
            && !slot.lane.get().has_pending();
        if !plain {
            return self.leave_eventful_poll();
        }
        slot.sequence.open();
        slot.close_plain_poll(frame);
        slot.sequence.close();
    }

    #[cold]
    #[inline(never)]
    fn leave_eventful_poll(self) {
        // On a thread that is hidden from the recorder, this leads to a slot without the frame.
        let slot = current::current();
        if self.is_open() && slot.leave_poll_plainly(self.frame) {
            return;
        }
        if self.is_open()
            && !slot.top.is(self.frame)
            && let Some(slot) = current::own()
        {
            slot.note_scopes_above(self.frame);
        }
        self.leave_slowly();
    }
}
