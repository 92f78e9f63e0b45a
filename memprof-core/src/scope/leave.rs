//! Leaving: whatever is on top, by its kind.
//!
//! A guard leaves what it entered, after whatever is still open above that; a thread that ends leaves everything. What
//! leaving does is left to [`plain`](super::plain), [`poll`](super::poll) and `share`.
//!
//! | on top | what leaves it |
//! |---|---|
//! | a scope | [`leave_scope`]: into the frame below, and the path's row |
//! | a poll | [`leave_poll`]: into the frame below, the path's row, and the future's account |
//! | a context | [`leave_context`]: to the captured scope |
//! | an ambient scope | [`ambient::leave`]: to that scope; the thread works for none, or for the next |
//! | the base | nothing: it stays |
//!
//! A guard names its activation by a serial, so one that comes late does nothing, and holds a single number in the program's code
//! meanwhile. On a blind thread `current` has no frames, and the slow functions find the thread's own slot.

use core::hint::cold_path;

use crate::base::blind;
use crate::base::single::Alone;
use crate::base::state;
use crate::lanes::kind::{Kind, POLL};
use crate::scope::plain::leave_begun_otherwise;
use crate::scope::plain::leave_begun_plainly;
use crate::scope::plain::leave_plainly;
use crate::scope::plain::leave_scope;
use crate::scope::poll::close_plain_poll;
use crate::scope::poll::leave_begun_poll_plainly;
use crate::scope::poll::leave_poll;
use crate::scope::poll::note_scopes_above;
use crate::share::ambient;
use crate::share::context::leave_context;
use crate::share::settle::settle;
use crate::thread::changes::FrameHandle;
use crate::thread::current;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// Leaves the activation, after whatever is still open above it. Does nothing if it was ended already.
#[inline]
pub(crate) fn leave(opened: FrameHandle) {
    let slot = current::current();
    let Some((frame, alone)) = slot.top.begin_leaving(opened) else {
        cold_path();
        return leave_slowly(opened);
    };
    let calls = frame.calls.get();
    let plain = frame.flags.own(alone) == 0
        && calls.left_epoch.own(alone) == u64::from(state::epoch())
        && !slot.lane.get().has_pending();
    if !plain {
        cold_path();
        return leave_with_events(slot, frame, alone);
    }
    slot.changes.begin();
    calls.ended.add(1);
    calls.site.get().outer.set(None);
    slot.top.set(frame.below_scope());
}

/// [`leave`] of the top frame, which is being left, if it is a plain scope that saw events on the host and nowhere else.
#[inline(never)]
fn leave_with_events(slot: &'static Slot, frame: &'static Frame, alone: Alone) {
    if !leave_begun_plainly(slot, frame, alone) {
        cold_path();
        leave_otherwise(slot, frame, alone);
    }
}

/// [`leave`] of the top frame, which is being left, if it is a scope with more than events on the host: see [`leave_begun_otherwise`].
#[inline(never)]
fn leave_otherwise(slot: &'static Slot, frame: &'static Frame, alone: Alone) {
    if !leave_begun_otherwise::<false>(slot, frame, alone) {
        cold_path();
        leave_under_context(slot, frame, alone);
    }
}

/// [`leave_otherwise`] of a scope under a `Context` or an ambient scope.
#[inline(never)]
fn leave_under_context(slot: &'static Slot, frame: &'static Frame, alone: Alone) {
    if !leave_begun_otherwise::<true>(slot, frame, alone) {
        cold_path();
        slot.top.set(frame);
        leave_open(slot, frame);
    }
}

/// [`leave`] of an activation that is not the top of the slot that is at hand.
#[cold]
#[inline(never)]
pub(crate) fn leave_slowly(opened: FrameHandle) {
    let Some(slot) = current::recording() else { return };
    if !leave_plainly(slot, opened)
        && let Some(frame) = slot.frame_of(opened)
    {
        leave_open(slot, frame);
    }
}

/// Leaves a frame that is open, after whatever is above it.
#[cold]
#[inline(never)]
fn leave_open(slot: &'static Slot, frame: &'static Frame) {
    leave_above(slot, frame);
    leave_top(slot);
}

/// Leaves the top frame, whatever its kind; the base stays.
#[cold]
pub(crate) fn leave_top(slot: &'static Slot) {
    let frame = slot.top();
    let Some(below) = frame.below() else { return };
    settle(slot);
    slot.top.leave();
    // Within the change: a handler that comes before may have let the lane grow.
    slot.end_growing();
    match frame.kind() {
        Kind::Base => slot.top.set(frame),
        Kind::Scope => leave_scope(slot, frame, below),
        Kind::Poll => leave_poll(slot, frame, below),
        Kind::Context => leave_context(slot, frame, below),
        Kind::Ambient => ambient::leave(slot, frame),
    }
}

/// Ends, innermost first, whatever was entered above `frame` and not left.
pub(crate) fn leave_above(slot: &'static Slot, frame: &'static Frame) {
    while slot.top().depth() > frame.depth() {
        leave_top(slot);
    }
}

/// Ends everything that is open on a thread that ends, and its lane, if it leaves its blocks to an ambient scope.
pub(crate) fn leave_all(slot: &'static Slot) {
    let _blind = blind::enter();
    leave_above(slot, slot.ambient_frame().unwrap_or(&slot.base));
    slot.take_in_aside();
    if !ambient::bequeath(slot) {
        settle(slot);
    }
}

/// Ends a poll, after whatever is still open above it. `slot` is the current one.
#[inline(never)]
pub(crate) fn leave_entered_poll(slot: &'static Slot, opened: FrameHandle) {
    let Some((frame, alone)) = slot.top.begin_leaving(opened) else {
        cold_path();
        return leave_poll_slowly(opened);
    };
    if frame.flags.own(alone) != POLL || slot.lane.get().has_pending() {
        return leave_poll_with_events(slot, frame, alone);
    }
    slot.changes.begin();
    close_plain_poll(slot, frame, frame.future.get());
}

/// [`leave_entered_poll`] of the top frame, which is being left, if it saw events on the host and nowhere else.
#[inline(never)]
fn leave_poll_with_events(slot: &'static Slot, frame: &'static Frame, alone: Alone) {
    if !leave_begun_poll_plainly(slot, frame, alone) {
        cold_path();
        slot.top.set(frame);
        leave_open(slot, frame);
    }
}

/// [`leave_entered_poll`] of one that is not the top of the slot that is at hand.
#[cold]
#[inline(never)]
fn leave_poll_slowly(opened: FrameHandle) {
    if let Some(slot) = current::recording()
        && let Some(frame) = slot.frame_of(opened)
    {
        note_scopes_above(slot, frame);
        leave_open(slot, frame);
    }
}
