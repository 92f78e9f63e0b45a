//! Entering and leaving plain scopes: how frames come and go.
//!
//! The common case of each, a plain scope on a thread that took note of everything and has no hand-over waiting, is
//! inlined into the user's function: about 40 instructions each. Everything else is a cold path that does what is due and
//! then the same, frame by frame. The guard that users hold is left to `api/scope`.

use core::hint::cold_path;
use std::sync::Arc;

use crate::base::blind;
use crate::base::state;
use crate::lanes::captured::Shared;
use crate::lanes::kind::{Kind, NODE_OPEN, SHARES, SITE_OPEN, UNDER_CONTEXT};
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::share::ambient;
use crate::share::settle::settle;
use crate::share::told;
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::frame::{CallRow, Frame, SiteRow};
use crate::thread::slot::Slot;
use crate::thread::step::{Step, key};

/// Names a frame for as long as it is open: it is left only by what entered it, on the thread that entered it.
#[derive(Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) frame: &'static Frame,
    pub(crate) serial: u64,
}

/// Enters a plain scope; `slowly` where something has to be done first.
#[inline(always)]
pub(crate) fn enter(
    slot: &'static Slot,
    site: &'static Site,
    slowly: impl FnOnce() -> Option<Opened>,
) -> Option<Opened> {
    if !slot.is_informed() {
        cold_path();
        return slowly();
    }
    let top = slot.top();
    let path = top.path();
    let key = key(path, site.id());
    let cached = slot.cached(key);
    let Some(frame) = top.above() else {
        cold_path();
        return slowly();
    };
    let calls = cached.calls.get();
    let site_row = calls.site.get();
    let plain = cached.key.get() == key
        && top.marks.get() & UNDER_CONTEXT == 0
        && site_row.outer.get().is_none()
        && !slot.lane.get().has_pending();
    if !plain {
        cold_path();
        return slowly();
    }
    let tag = top.tag().with_path(PathId::from_bits(cached.path.get() as u32));
    Some(slot.push(frame, tag, 0, calls, site_row))
}

impl Slot {
    /// Enters a plain scope on `top`.
    pub(crate) fn enter_scope(&'static self, top: &'static Frame, step: &Step) -> Option<Opened> {
        let frame = top.grow()?;
        let marks = Self::marks_for(top, step);
        let tag = top.tag_above(step.path);
        let serial = self.sequence.open();
        step.calls.calls.add(1);
        self.open(frame, serial, tag, marks, step.calls, step.site_row);
        self.go_on(frame, top);
        self.sequence.close();
        Some(Opened { frame, serial })
    }

    /// The marks of a scope entered on `top`: what it inherits, and whether it is inside another one of its kind.
    pub(crate) fn marks_for(top: &'static Frame, step: &Step) -> u64 {
        let under_context = top.marks.get() & UNDER_CONTEXT;
        let context = if under_context == 0 { None } else { innermost_context(top) };
        let lowest = context.map_or(0, |context| context.depth() + 1);
        let outer = step.site_row.outer.get().filter(|outer| outer.depth() >= lowest);
        let (node_open, site_open) = match (outer, context.and_then(Frame::shared)) {
            // The outermost activation of a site mostly is of the same node as those inside it.
            (Some(outer), _) => (outer.path() == step.path || is_open_above(top, outer.depth(), step.path), true),
            // No frame here is the outermost of the site then.
            (None, Some(shared)) if shared.has_open(step.site) => {
                (shared.has_open_node(step.path) || is_open_above(top, lowest, step.path), true)
            }
            (None, _) => (false, false),
        };
        under_context | if node_open { NODE_OPEN } else { 0 } | if site_open { SITE_OPEN } else { 0 }
    }

    /// Puts `frame` on top as an activation, and counts the call.
    #[inline(always)]
    fn push(
        &'static self,
        frame: &'static Frame,
        tag: Tag,
        marks: u64,
        calls: &'static CallRow,
        site_row: &'static SiteRow,
    ) -> Opened {
        let serial = self.sequence.open();
        calls.calls.add(1);
        self.open(frame, serial, tag, marks, calls, site_row);
        self.sequence.close();
        Opened { frame, serial }
    }

    /// [`push`](Self::push) without the count, while the sequence is open.
    #[inline(always)]
    pub(crate) fn open(
        &'static self,
        frame: &'static Frame,
        serial: u64,
        tag: Tag,
        marks: u64,
        calls: &'static CallRow,
        site_row: &'static SiteRow,
    ) {
        frame.open(serial, tag, marks, calls);
        if marks & SITE_OPEN == 0 {
            if marks & UNDER_CONTEXT != 0 {
                frame.hidden.set(site_row.outer.get());
            }
            site_row.outer.set(Some(frame));
        }
        self.top.set(frame);
    }

    /// Leaves the top frame, whatever its kind; the base stays.
    #[cold]
    pub(crate) fn leave_top(&'static self) {
        let frame = self.top();
        let Some(below) = frame.below() else { return };
        if self.has_pending() {
            settle(self);
        }
        match frame.kind() {
            Kind::Base => {}
            Kind::Scope => self.leave_scope(frame, below),
            Kind::Poll => self.leave_poll(frame, below),
            Kind::Context => self.leave_context(frame, below),
            Kind::Ambient => ambient::leave(self, frame),
        }
    }

    /// Leaves the top frame if it is a plain scope that saw events on the host and nowhere else, and nothing has to be done
    /// first.
    #[inline]
    fn leave_plainly(&'static self, frame: &'static Frame) -> bool {
        let calls = frame.calls.get();
        let plain = self.top.is(frame)
            && frame.marks.get() == Space::HOST.bit()
            && calls.left_epoch.get() == u64::from(state::epoch())
            && !self.lane.get().has_pending();
        if plain {
            let below = frame.below_scope();
            self.sequence.open();
            self.host.leave(below, Space::HOST.bit());
            calls.ended.add(1);
            calls.site.get().outer.set(None);
            self.top.set(below);
            self.sequence.close();
        }
        plain
    }

    fn leave_scope(&'static self, frame: &'static Frame, below: &'static Frame) {
        if frame.has(SHARES) {
            self.leave_shared(frame);
        }
        let calls = frame.calls.get();
        self.sequence.open();
        let marks = frame.marks.get();
        for (space, ledger) in self.ledgers(marks) {
            let tally = ledger.tally();
            let row = ledger.row();
            row.add(&tally, marks);
            row.raise(tally.counters.peak_bytes, tally.largest);
            ledger.merge(below, space.bit());
        }
        calls.ended.add(1);
        self.close(frame, below);
        if self.segment.is(frame) {
            self.end_going_on(frame, below);
        }
        self.sequence.close();
        calls.note_left(frame.path());
    }

    /// Ends what `frame`, the top, shares. The last reference goes while the thread is blind: the program's allocator, which takes
    /// the memory back, must not find the frame open that is being left.
    #[cold]
    fn leave_shared(&'static self, frame: &'static Frame) {
        let _blind = blind::enter();
        let Some(shared) = frame.shared() else { return };
        ambient::end_inside(&shared);
        told::end(self, frame);
        shared.close();
        self.absorb(frame, &shared);
        self.end_sharing(frame);
    }

    /// Takes `frame` off the top.
    pub(crate) fn close(&'static self, frame: &'static Frame, below: &'static Frame) {
        let under_context = frame.has(UNDER_CONTEXT);
        let site_row = frame.calls.get().site.get();
        if site_row.outer.is(frame) {
            site_row.outer.set(if under_context { frame.hidden.get() } else { None });
        }
        frame.serial.set(0);
        self.top.set(below);
    }
}

fn innermost_context(top: &'static Frame) -> Option<&'static Frame> {
    core::iter::successors(Some(top), |frame| frame.below()).find(|frame| frame.hides())
}

/// Whether a scope of `path` is open from `top` down to this depth.
fn is_open_above(top: &'static Frame, lowest: u64, path: PathId) -> bool {
    let open = core::iter::successors(Some(top), |frame| frame.below());
    open.take_while(|frame| frame.depth() >= lowest).any(|frame| frame.path() == path)
}

impl Opened {
    /// Whether the frame is still the one that was opened.
    pub(crate) fn is_open(&self) -> bool {
        self.frame.serial.get() == self.serial
    }

    /// Leaves the frame, after whatever is still open above it. Does nothing if it was ended already.
    #[inline]
    pub(crate) fn leave(self) {
        let frame = self.frame;
        let slot = current::current();
        let calls = frame.calls.get();
        let plain = slot.top.is(frame)
            && frame.serial.get() == self.serial
            && frame.marks.get() == 0
            && calls.left_epoch.get() == u64::from(state::epoch())
            && !slot.lane.get().has_pending();
        if !plain {
            return self.leave_slowly();
        }
        slot.sequence.open();
        calls.ended.add(1);
        calls.site.get().outer.set(None);
        slot.top.set(frame.below_scope());
        slot.sequence.close();
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn leave_slowly(self) {
        let Some(slot) = current::own() else { return };
        if self.is_open() && !slot.leave_plainly(self.frame) {
            leave_above(slot, self.frame);
            slot.leave_top();
        }
    }
}

/// Ends, innermost first, whatever was entered above `frame` and not left.
pub(crate) fn leave_above(slot: &'static Slot, frame: &'static Frame) {
    while slot.top().depth() > frame.depth() {
        slot.leave_top();
    }
}

/// Ends everything that is open on a thread that ends. Gives the ambient scope that it leaves its blocks to, if there is
/// one.
pub(crate) fn leave_all(slot: &'static Slot) -> Option<Arc<Shared>> {
    let _blind = blind::enter();
    leave_above(slot, slot.ambient_frame().unwrap_or(&slot.base));
    let heir = ambient::heir(slot);
    settle(slot);
    heir
}

/// Marks `frame`, the top, as captured.
pub(crate) fn share(slot: &'static Slot, frame: &'static Frame, shared: Arc<Shared>) {
    debug_assert!(!frame.has(SHARES), "a frame is captured once");
    frame.set_shared(Some(shared));
    slot.begin_sharing(frame);
}
