//! Entering and leaving plain scopes: how frames come and go.
//!
//! The common case of each, a plain scope on a thread that took note of everything and has no hand-over waiting, is
//! inlined into the user's function: about 40 instructions each. What is less common has a path of its own as long as nothing else is due;
//! the last one does what is due and then the same, frame by frame. The guard that users hold is left to `api/scope`.
//!
//! | a scope | is entered by | is left by |
//! |---|---|---|
//! | whose path the cache has, without an event | [`enter`] | [`leave`](super::leave::leave) |
//! | with events on the host | [`enter`] | [`leave_begun_plainly`] |
//! | inside another one of its path, as in recursion | [`enter_again`] | [`leave_begun_otherwise`] |
//! | of another path that the thread knows; which reallocated, or while the lane grows | [`enter_known`] | [`leave_begun_otherwise`] |
//! | under a `Context` or an ambient scope, likewise | [`enter_under_context`] | [`leave_begun_otherwise`] |
//! | any other | [`Slot::enter_scope`] | [`leave_scope`] |

use core::hint::cold_path;

use crate::base::blind;
use crate::base::single::Alone;
use crate::base::state;
use crate::lanes::kind::{AGAIN, OPEN_OFF_PATH, SELDOM, SHARES, UNDER_CONTEXT};
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::share::ambient;
use crate::share::publish::absorb;
use crate::share::{forward, sharing};
use crate::space::spaces::Space;
use crate::thread::changes::FrameHandle;
use crate::thread::frame::{CallRow, Frame};
use crate::thread::path_entry::{PathEntry, key};
use crate::thread::slot::Slot;

/// Enters a plain scope; `again` where one of its site is open: on this frame, with this path and its calls, and the top busy. `slowly` where something
/// else has to be done first.
#[inline(always)]
pub(crate) fn enter(
    slot: &'static Slot,
    site: &'static Site,
    slowly: impl FnOnce() -> Option<FrameHandle>,
    again: impl FnOnce(&'static Frame, PathId, &'static CallRow) -> Option<FrameHandle>,
) -> Option<FrameHandle> {
    if !slot.is_informed() {
        cold_path();
        return slowly();
    }
    let Some((top, frame, alone)) = slot.top.begin_entering() else {
        cold_path();
        return slowly();
    };
    let tag = top.tag();
    let key = key(tag.path(), site.id());
    let cached = slot.cached(key);
    let calls = cached.calls.get();
    let path = PathId::from_bits(cached.path.own(alone) as u32);
    let plain =
        cached.key.own(alone) == key && top.flags.own(alone) & UNDER_CONTEXT == 0 && !slot.lane.get().has_pending();
    if !plain {
        cold_path();
        slot.top.end_change();
        return slowly();
    }
    let site_row = calls.site.get();
    if !site_row.outer.is_none(alone) {
        cold_path();
        return again(frame, path, calls);
    }
    Some(slot.push(frame, tag.with_path(path), 0, calls, site_row))
}

/// [`enter`] on `frame`, with the top busy, of this path and its calls, whether or not one of its site is open. `None`: what is open of the site
/// leads elsewhere, and nothing was changed.
#[inline(always)]
pub(crate) fn enter_again(
    slot: &'static Slot,
    frame: &'static Frame,
    path: PathId,
    calls: &'static CallRow,
) -> Option<FrameHandle> {
    let (top, site_row) = (slot.top.frame(), calls.site.get());
    let Some(flags) = flags_inside(site_row.outer.get(), path) else {
        slot.top.set(top);
        return None;
    };
    Some(slot.push(frame, top.tag().with_path(path), flags, calls, site_row))
}

/// [`enter`] where the cache of paths has forgotten where that leads, as in a program that goes through more than 128 of them; and under a
/// `Context`. In a slot that took note of everything. `None`: something else has to be done first, and nothing was changed.
#[inline]
pub(crate) fn enter_known(slot: &'static Slot, site: &'static Site) -> Option<FrameHandle> {
    let (top, frame, alone) = slot.top.begin_entering()?;
    if top.flags.own(alone) & UNDER_CONTEXT != 0 {
        return enter_under_context(slot, site, top, frame);
    }
    if !slot.lane.get().has_pending()
        && let Some((path, calls)) = slot.known_calls(key(top.path(), site.id()))
    {
        return enter_again(slot, frame, path, calls);
    }
    slot.top.set(top);
    None
}

/// The flags of a scope of `path`, outside any `Context`, where `outer` is the outermost one of its site. `None`: that is of another path of
/// the site's, so it is to be looked for whether one of this is open too.
#[inline(always)]
fn flags_inside(outer: Option<&'static Frame>, path: PathId) -> Option<u64> {
    match outer {
        None => Some(0),
        Some(outer) => (outer.path() == path).then_some(AGAIN),
    }
}

/// [`enter_known`] on `top`, on which `frame` is being entered, where that is under a `Context` or an ambient scope.
#[inline(never)]
fn enter_under_context(
    slot: &'static Slot,
    site: &'static Site,
    top: &'static Frame,
    frame: &'static Frame,
) -> Option<FrameHandle> {
    let id = site.id();
    if !slot.has_pending()
        && let Some((path, calls)) = slot.known_calls(key(top.path(), id))
        && let site_row = calls.site.get()
        && let Some(flags) = slot.known_flags_under_context(top, path, site_row.outer.get())
    {
        return Some(slot.push_on(top, frame, flags, &PathEntry { site: id, path, calls, site_row }));
    }
    slot.top.set(top);
    None
}

/// Leaves an activation if it is the top frame, a plain scope that saw events on the host, if any, and nowhere else, and nothing has to be
/// done first.
#[inline]
pub(crate) fn leave_plainly(slot: &'static Slot, opened: FrameHandle) -> bool {
    let Some((frame, alone)) = slot.top.begin_leaving(opened) else { return false };
    let left = leave_begun_plainly(slot, frame, alone)
        || leave_begun_otherwise::<false>(slot, frame, alone)
        || leave_begun_otherwise::<true>(slot, frame, alone);
    if !left {
        slot.top.set(frame);
    }
    left
}

/// [`leave_plainly`] of the top frame, which is being left. `false`: nothing was changed, as where the lane grows.
#[inline(always)]
pub(crate) fn leave_begun_plainly(slot: &'static Slot, frame: &'static Frame, alone: Alone) -> bool {
    let calls = frame.calls.get();
    let epoch = state::epoch();
    let plain = !slot.host.is_own_growing(alone)
        && frame.flags.own(alone) == Space::HOST.bit()
        && calls.left_epoch.own(alone) == u64::from(epoch)
        && !slot.lane.get().has_pending();
    if !plain {
        cold_path();
        return false;
    }
    let below = frame.below_scope();
    slot.changes.begin();
    calls.ended.add(1);
    calls.site.get().outer.set(None);
    if below.flags.own(alone) & Space::HOST.bit() != 0 {
        slot.host.leave(epoch, alone);
        slot.top.set(below);
    } else {
        leave_to(slot, below, alone);
    }
    true
}

/// [`leave_begun_plainly`] of a scope that saw a reallocation or a failure, or while the lane grows; of one inside another one of its path, as in
/// recursion, with or without events: of what that recorded only the maxima count in the path's row. Of those under a `Context` or an ambient scope
/// if `UNDER`, and of others if not: one function for each, as few scopes are under one.
#[inline(always)]
pub(crate) fn leave_begun_otherwise<const UNDER: bool>(
    slot: &'static Slot,
    frame: &'static Frame,
    alone: Alone,
) -> bool {
    let calls = frame.calls.get();
    let flags = frame.flags.own(alone);
    let inside = flags & AGAIN;
    let (around, ignored) = if UNDER { (UNDER_CONTEXT, OPEN_OFF_PATH) } else { (0, 0) };
    let plain = flags & !(AGAIN | SELDOM | ignored | Space::HOST.bit()) == around
        && (inside == 0 || inside == AGAIN)
        && calls.left_epoch.own(alone) == u64::from(state::epoch())
        && !(if UNDER { slot.has_pending() } else { slot.lane.get().has_pending() });
    if !plain {
        return false;
    }
    let below = frame.below_scope();
    slot.changes.begin();
    calls.ended.add(1);
    if inside == 0 {
        calls.site.get().outer.set(if UNDER { frame.outer_before.get() } else { None });
    }
    if flags & Space::HOST.bit() != 0 {
        slot.host.leave_otherwise(below, inside == 0, alone);
    }
    if UNDER && slot.segment.is(frame) {
        slot.end_going_on(frame, below);
    }
    slot.top.set(below);
    true
}

/// Leaves the top frame, a plain scope, to `below`, which saw no event before.
#[inline(never)]
fn leave_to(slot: &'static Slot, below: &'static Frame, alone: Alone) {
    slot.host.leave_otherwise(below, true, alone);
    slot.top.set(below);
}

/// Leaves the top frame, a plain scope, whatever it saw: folds each space into the frame below, adds the sums to the path's row
/// once for the node and once for the site ([`Row::add`](crate::thread::row::Row)), and ends what was captured of it.
pub(crate) fn leave_scope(slot: &'static Slot, frame: &'static Frame, below: &'static Frame) {
    if frame.has(SHARES) {
        leave_shared(slot, frame);
    }
    let calls = frame.calls.get();
    slot.sequence.begin_write();
    let flags = frame.flags.get();
    for (space, ledger) in slot.ledgers(flags) {
        let tally = ledger.tally();
        let row = ledger.row();
        row.add(&tally, flags);
        row.raise(tally.counters.peak_bytes, tally.largest);
        ledger.merge(below, space.bit());
    }
    calls.ended.add(1);
    if slot.segment.is(frame) {
        slot.end_going_on(frame, below);
    }
    slot.sequence.end_write();
    slot.close(frame, below);
    calls.note_left(frame.path());
}

/// Ends what `frame`, the top, shares. The last reference goes while the thread is blind: the program's allocator, which takes
/// the memory back, must not find the frame open that is being left.
#[cold]
pub(crate) fn leave_shared(slot: &'static Slot, frame: &'static Frame) {
    let _blind = blind::enter();
    let Some(shared) = frame.shared() else { return };
    ambient::end_inside(&shared);
    forward::end(slot, frame);
    shared.close();
    absorb(slot, frame, &shared);
    let _last = sharing::end(slot, frame);
    slot.watch();
}

#[cfg(test)]
mod tests;
