//! Polls of tracked futures, as frames.
//!
//! Each poll is a scope in what is open where it runs. When it ends it is folded twice with the contract's formula: into the frame below,
//! as any scope, and into the future's account, which goes on from poll to poll. A task's poll begins a segment, as it has a lane of its
//! own; that of a future inside another one stands on the lane that it finds. `ncalls` was counted at the first poll.
//!
//! The common case, a poll outside any `Context` that sees no event, has a short path of its own, of some 60 instructions
//! each way; [`scopes`](crate::scope::plain) has the like for plain scopes.

use core::hint::cold_path;

use crate::base::blind;
use crate::base::single::Alone;
use crate::base::state;
use crate::lanes::activation::Activation;
use crate::lanes::kind::{FORWARDED, Kind, POLL, SHARES, UNDER_CONTEXT};
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;
use crate::names::site::Site;
use crate::share::context::nodes_around;
use crate::share::publish::{absorb, forward_to_polled, publish_shared};
use crate::share::settle::{charge, settle};
use crate::share::{forward, sharing};
use crate::space::spaces::Space;
use crate::thread::changes::FrameHandle;
use crate::thread::frame::{CallRow, Frame};
use crate::thread::ledger::Ledger;
use crate::thread::path_entry::PathEntry;
use crate::thread::slot::Slot;
use crate::thread::stack::flags_around;

/// Begins a poll of a future that was polled before, or its drop, if nothing has to be done first.
#[inline(always)]
pub(crate) fn poll_again(slot: &'static Slot, future: &'static Activation) -> Option<FrameHandle> {
    enter_plainly(slot, future, |alone| slot.cached_calls(future.key.get(), future.cache_place.get(), alone))
}

/// Begins a poll, or the drop, of a tracked future: the first one, or where [`poll_again`] has to do something first.
pub(crate) fn enter_poll(slot: &'static Slot, site: &'static Site, future: &'static Activation) -> Option<FrameHandle> {
    let path_entry = slot.path_entry(Tag(future.tag.get()).path(), site)?;
    enter_poll_at(slot, &path_entry, future)
}

/// [`enter_poll`] at the future's own path, which was looked up.
#[inline]
pub(crate) fn enter_poll_at(
    slot: &'static Slot,
    path_entry: &PathEntry,
    future: &'static Activation,
) -> Option<FrameHandle> {
    enter_plainly(slot, future, |_| (path_entry.calls, true)).or_else(|| enter_otherwise(slot, path_entry, future))
}

/// Begins a poll if nothing has to be done first. `calls` gives those of the future's path, and whether they are.
#[inline(always)]
fn enter_plainly(
    slot: &'static Slot,
    future: &'static Activation,
    calls: impl FnOnce(Alone) -> (&'static CallRow, bool),
) -> Option<FrameHandle> {
    if !slot.polls_plainly() {
        return None;
    }
    let (top, frame, alone) = slot.top.begin_entering()?;
    let is_under_context = top.flags.own(alone) & UNDER_CONTEXT != 0;
    let tag = Tag(future.tag.get());
    let task = future.lane.get();
    let (calls, known) = calls(alone);
    let site_row = || calls.site.get();
    let is_plain = || !future.is_captured() && site_row().outer.is_none(alone);
    let begin = || {
        frame.future.set(future);
        slot.changes.begin_opening()
    };
    let open = |opened, tag| {
        slot.open(frame, opened, tag, POLL, calls, site_row());
        Some(opened)
    };
    // To the end for each of the two, so that nothing is asked twice.
    match task {
        _ if is_under_context || !known => {}
        Some(own) => {
            if !own.has_pending() && future.parent.is(slot.lane.get()) && is_plain() {
                let opened = begin();
                slot.begin_known_segment(frame, own);
                return open(opened, tag);
            }
        }
        None => {
            if !slot.lane.get().has_pending() && is_plain() {
                return open(begin(), slot.top.frame().tag().with_path(tag.path()));
            }
        }
    }
    slot.top.end_change();
    None
}

/// [`enter_poll_at`], whatever is open here.
#[inline(never)]
fn enter_otherwise(slot: &'static Slot, path_entry: &PathEntry, future: &'static Activation) -> Option<FrameHandle> {
    let tag = Tag(future.tag.get());
    let task = future.lane.get();
    if task.is_none() && slot.lane.get().has_pending() {
        // What waits is for the scope that is innermost until now.
        settle(slot);
    }
    let top = slot.top();
    let frame = top.grow()?;
    let flags = Kind::Poll.flags(slot.flags_for(top, path_entry) | flags_around(slot, path_entry));
    let is_forwarded = task.is_some() && slot.sharing.get().is_some();
    let flags = if is_forwarded { flags | FORWARDED } else { flags };
    let tag = if task.is_some() { tag } else { top.tag_above(tag.path()) };
    let change = slot.begin_change();
    let opened = slot.changes.begin_opening();
    frame.future.set(future);
    match task {
        Some(own) => slot.begin_segment(frame, own),
        None => slot.go_on(frame, top),
    }
    slot.open(frame, opened, tag, flags, path_entry.calls, path_entry.site_row);
    drop(change);
    let shared = future.shared();
    if shared.is_some() || is_forwarded {
        let _blind = blind::enter();
        let is_captured = shared.is_some();
        if let Some(shared) = shared {
            shared.begin_poll(nodes_around(frame));
            sharing::begin(slot, frame, shared);
        }
        // While a task was suspended, hand-overs were forwarded to its own future; those of a future inside it, to those around it all along.
        forward::begin(slot, |below| core::ptr::eq(below, frame) == task.is_some() && is_captured);
        forward_to_polled(slot);
    }
    if task.is_some_and(Lane::has_pending) {
        settle(slot);
    }
    Some(opened)
}

/// Ends the lane of a task while its last poll is still open here, if what is handed over to it is forwarded: so that there is no
/// moment at which what others free of it would come off nobody's level. It stays held.
pub(crate) fn end_lane(slot: &'static Slot, task: &Activation) {
    let Some(own) = task.lane.get().filter(|_| slot.sharing.get().is_some()) else { return };
    let _blind = blind::enter();
    if let Some(segment) = slot.segments().find(|segment| core::ptr::eq(segment.lane, own)) {
        own.hold();
        let _change = slot.begin_change();
        own.end_charging(task.parent.get(), |waited| charge(slot, segment, waited, |_| true));
    }
}

/// The poll of a future that is open on this thread.
pub(crate) fn open_poll_of(slot: &'static Slot, future: &'static Activation) -> Option<FrameHandle> {
    let mut open = core::iter::successors(Some(slot.top()), |frame| frame.below());
    let frame = open.find(|frame| frame.kind() == Kind::Poll && frame.future.is(future))?;
    frame.handle()
}

/// Notes, for the report, the scopes that are open above a poll that ends.
pub(crate) fn note_scopes_above(slot: &'static Slot, poll: &'static Frame) {
    let open = core::iter::successors(Some(slot.top()), |frame| frame.below());
    for frame in open.take_while(|frame| frame.depth() > poll.depth()) {
        if frame.kind() == Kind::Scope
            && let Some(site) = Site::of_id(frame.path().site())
        {
            site.note_left_by_poll(state::epoch());
        }
    }
}

/// Ends the poll on top, whatever it saw: its own thread's part is folded into the future's account and into the frame below, as each poll
/// is a scope there; what was added under contexts of the future is taken in first. `ncalls` does not change: that was the first poll's.
pub(crate) fn leave_poll(slot: &'static Slot, frame: &'static Frame, below: &'static Frame) {
    let future = frame.future.get();
    if frame.has(SHARES) || frame.has(FORWARDED) {
        // The last reference goes while the thread is blind.
        let _blind = blind::enter();
        if future.is_task() {
            forward::suspend(slot, future);
        } else {
            forward::end(slot, frame);
        }
        if let Some(shared) = frame.shared() {
            // What the level lacks of this poll would be missing from all that follow.
            publish_shared(slot, 1);
            absorb(slot, frame, &shared);
            shared.end_poll();
            let _last = sharing::end(slot, frame);
            slot.watch();
        }
    }
    let flags = frame.flags.get();
    // The poll is over before it is folded in; a reader goes by that.
    frame.end_serial();
    slot.sequence.begin_write();
    for (space, ledger) in slot.ledgers(flags) {
        fold_poll(future, space, ledger, flags, below);
    }
    if future.is_task() {
        end_task_segment(slot, frame, future);
    } else if slot.segment.is(frame) {
        slot.end_going_on(frame, below);
    }
    slot.sequence.end_write();
    slot.close(frame, below);
}

/// Folds a poll, the top frame, both into its future and into what is open below.
#[inline]
fn fold_poll(future: &'static Activation, space: Space, ledger: &'static Ledger, flags: u64, below: &'static Frame) {
    let poll = ledger.tally();
    let sum = future.fold(space, &poll, flags);
    let row = ledger.row();
    row.add_poll(&poll, flags);
    row.raise(sum.counters.peak_bytes, sum.largest);
    ledger.merge(below, space.bit());
}

/// Leaves the top frame, which is being left, if it is a poll, outside any `Context` and any other activation of its site, that saw
/// events on the host and nowhere else, and nothing has to be done first. `false`: nothing was changed.
#[inline(always)]
pub(crate) fn leave_begun_poll_plainly(slot: &'static Slot, frame: &'static Frame, alone: Alone) -> bool {
    let flags = POLL | Space::HOST.bit();
    // A lane grows here where a future without a lane of its own is polled by a thread that never ran a task.
    if slot.host.is_own_growing(alone) || frame.flags.own(alone) != flags || slot.lane.get().has_pending() {
        cold_path();
        return false;
    }
    let future = frame.future.get();
    // The poll is over before it is folded in; a reader goes by that.
    frame.end_serial();
    slot.changes.begin();
    if frame.below_scope().flags.own(alone) & Space::HOST.bit() != 0 {
        slot.host.leave_poll(future, alone);
        close_plain_poll(slot, frame, future);
    } else {
        cold_path();
        leave_poll_to_quiet(slot, frame, future);
    }
    true
}

/// Leaves a plain poll, which is being left, where the frame below saw no event before.
#[cold]
#[inline(never)]
fn leave_poll_to_quiet(slot: &'static Slot, frame: &'static Frame, future: &'static Activation) {
    fold_poll(future, Space::HOST, &slot.host, POLL | Space::HOST.bit(), frame.below_scope());
    close_plain_poll(slot, frame, future);
}

/// Takes a poll of `future` off the top, of which it says that it is being left.
#[inline(always)]
pub(crate) fn close_plain_poll(slot: &'static Slot, frame: &'static Frame, future: &'static Activation) {
    frame.calls.get().site.get().outer.set(None);
    if slot.segment.is(frame) {
        end_task_segment(slot, frame, future);
    }
    slot.top.set(frame.below_scope());
}

/// Ends the segment of a task at the end of a poll.
#[inline]
fn end_task_segment(slot: &'static Slot, frame: &'static Frame, task: &'static Activation) {
    let outstanding = slot.end_segment(frame);
    task.outstanding.add(outstanding.cast_unsigned());
}
