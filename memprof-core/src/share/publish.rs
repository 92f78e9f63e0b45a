//! What a thread publishes to the captured scopes that it works in: of its own events, and of what others added for it.
//!
//! A captured scope has a level that all who work for it add to ([`lanes::level`](crate::lanes::level)). The frames
//! of a thread that share are its own captured scopes, the contexts that it entered, and an ambient scope. Who
//! publishes what, and when:
//!
//! | what happened | of `host` | of any other space |
//! |---|---|---|
//! | an event of the top frame | when a level is a step away from what was published: [`publish_shared`] | at once: [`publish_event`] |
//! | a hand-over that was forwarded is charged | noted as published, as the level has it | nothing |
//! | a hand-over that was not is charged | with the next step | at once, by [`settle`](super::settle) |
//! | another thread drops the guard of a context that was captured here | its level was published all along | likewise |
//! | the same, and a future that is polled here lies between | at the next event: [`forward_to_polled`] | likewise |
//! | a captured scope is left, and takes in what was added | what those below it lack of the sum: [`publish_absorbed`] | likewise |
//! | a context is left | what it recorded is given away whole, and forgotten here: [`parts`], [`come_out`] | likewise |
//!
//! A step is 32 KiB, so a level lacks less than that for each thread; what other spaces publish at every event
//! costs them a few atomic additions, next to the lock that their events take anyway. A thread in which nothing
//! shares never comes here.

use core::sync::atomic::Ordering;

use crate::base::blind;
use crate::base::tally::{Counters, Tally, minus};
use crate::lanes::added::Added;
use crate::lanes::captured::Shared;
use crate::lanes::kind::Kind;
use crate::lanes::published::Published;
use crate::share::sharing;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// What the future of this frame recorded before this poll; nothing if this is no poll. The level of a captured
/// future counts from its first poll.
pub(crate) fn before_poll(frame: &Frame, space: Space) -> Tally {
    let future = (frame.kind() == Kind::Poll).then(|| frame.future.get());
    future.and_then(|future| future.account(space)).map(|(_, account)| account.tally).unwrap_or_default()
}

/// What was published of the `tally` of this frame.
///
/// In spaces other than the host each event was published as it happened, so that is all of it.
pub(crate) fn published_of(frame: &Frame, space: Space, tally: &Tally) -> Published {
    if space == Space::HOST {
        frame.published.get()
    } else {
        let Counters { peak_bytes, peak_blocks, .. } = tally.counters;
        Published { now: tally.counters.value(), most: [peak_bytes, peak_blocks] }
    }
}

/// [`published_of`] `tally`, which is what this frame's `own` ledger has together with what
/// was added under contexts captured above it: that was published when it was added.
pub(crate) fn published_with(frame: &Frame, space: Space, own: &Tally, tally: &Tally) -> Published {
    if space != Space::HOST {
        return published_of(frame, space, tally);
    }
    let Published { now, most } = published_of(frame, space, own);
    Published { now: minus(now, minus(own.counters.value(), tally.counters.value())), most }
}

/// Publishes that this frame, the top, has recorded `sum` where `own` was published, and `forwarded` was forwarded:
/// to the scopes below it on this thread that share.
pub(crate) fn publish_absorbed(frame: &Frame, space: Space, own: &Counters, sum: &Counters, forwarded: [i64; 2]) {
    let more = minus(sum.value(), own.value());
    // What the own lane reached by itself was published as it came to that.
    let [beyond_bytes, beyond_blocks] = [sum.peak_bytes > own.peak_bytes, sum.peak_blocks > own.peak_blocks];
    let above = minus(minus([sum.peak_bytes, sum.peak_blocks], own.value()), forwarded);
    let above = [if beyond_bytes { above[0] } else { 0 }, if beyond_blocks { above[1] } else { 0 }];
    each_below(frame, |frame, shared| {
        if let Some(shared) = shared {
            raise_level(frame, shared, space, above);
            publish_level(frame, shared, space, minus(more, forwarded));
        }
        if space == Space::HOST {
            frame.published.add(more);
        }
    });
}

/// Gives the frames below this one that share to `see`, as far as they see it; with what they share, if nothing
/// else forwards a change inside this frame to that. The scope around a captured one gets it at once; a future has
/// none around it.
pub(crate) fn each_below(frame: &Frame, mut see: impl FnMut(&Frame, Option<&Shared>)) {
    let mut is_forwarded = frame.kind() != Kind::Poll;
    let below = core::iter::successors(frame.sharing_below.get(), |frame| frame.sharing_below.get());
    for frame in below {
        let Some(shared) = frame.shared() else { return };
        see(frame, Some(&*shared).filter(|_| !is_forwarded));
        if frame.hides() {
            return;
        }
        is_forwarded &= frame.kind() != Kind::Poll;
    }
}

/// A change inside this frame, whose level `shared` has: for a context the work of others, or else its own lane's.
pub(crate) fn publish_level(frame: &Frame, shared: &Shared, space: Space, [bytes, blocks]: [i64; 2]) {
    if frame.hides() {
        shared.publish(space, bytes, blocks);
    } else {
        shared.publish_own(space, bytes, blocks);
    }
}

/// A peak inside this frame that was `above` its level: raises that of `shared`, and for a context those of the
/// scopes around.
pub(crate) fn raise_level(frame: &Frame, shared: &Shared, space: Space, above: [i64; 2]) {
    if frame.hides() {
        shared.raise_above(space, above);
    } else if let Some(level) = shared.level(space) {
        level.raise_above(above);
    }
}

/// Publishes the levels of the frames of this thread that share, where they changed by `step` bytes or more, in
/// `host`.
///
/// From the top down; what lies above a context is not in what lies below it.
#[cold]
pub(crate) fn publish_shared(slot: &'static Slot, step: i64) {
    let _blind = blind::enter();
    forward_to_polled(slot);
    for (frame, held) in slot.host.held_by(sharing::frames(slot)) {
        let more = minus(held, frame.published.get().now);
        if more[0].abs() >= step
            && let Some(shared) = frame.shared()
        {
            publish_level(frame, &shared, Space::HOST, more);
            frame.published.add(more);
        }
    }
    slot.watch();
}

/// Publishes one event of the top frame in a space other than `host`: there, every one.
pub(crate) fn publish_event(slot: &'static Slot, space: Space, bytes: i64, blocks: i64) {
    forward_to_polled(slot);
    sharing::see_from(slot, slot.top(), |frame, shared| publish_level(frame, shared, space, [bytes, blocks]));
}

/// Forwards to the scopes that a future is being polled in what was added under its context, and under those of scopes
/// inside it: before the next event of this thread, as if it had happened right now.
pub(crate) fn forward_to_polled(slot: &'static Slot) {
    let on_this_lane = || sharing::frames(slot).take_while(|frame| !frame.hides());
    if !on_this_lane().any(|frame| frame.kind() == Kind::Poll) {
        return;
    }
    for frame in on_this_lane() {
        let Some(shared) = frame.shared() else { return };
        let additions = shared.additions.load(Ordering::Acquire);
        if frame.additions.get() != additions {
            frame.additions.set(additions);
            shared.forward_added(|space, news| {
                each_below(frame, |below, shared| {
                    if let Some(shared) = shared {
                        publish_level(below, shared, space, news);
                    }
                });
            });
        }
    }
}

/// Takes in what was added under the contexts captured at the top frame.
///
/// Then the scope has them as if its own lane had recorded them, but for the peak, which is that of the level: what
/// the others held at the same time as the scope, and not one after the other.
pub(crate) fn absorb(slot: &'static Slot, frame: &'static Frame, shared: &Shared) {
    let spaces = Space::all().filter(|space| frame.has(space.bit()) || shared.has(*space));
    for space in spaces {
        let Added { tally: added, forwarded } = shared.take(space);
        let Some(ledger) = slot.ledger(space) else { continue };
        if !frame.has(space.bit()) && slot.touch(space, ledger).is_none() {
            continue;
        }
        let own = ledger.tally();
        let sum = shared.sum(space, &own, &added, &before_poll(frame, space).counters);
        slot.sequence.begin_write();
        slot.keep_net(space, || ledger.absorb(&added, &sum.counters));
        slot.sequence.end_write();
        if frame.kind() == Kind::Poll
            && let Some(level) = shared.level(space)
        {
            level.begin_next_poll(&added.counters);
        }
        publish_absorbed(frame, space, &own.counters, &sum.counters, forwarded);
    }
}

/// What this thread recorded under the context of `frame`, the top, by space, and what of it was published.
pub(crate) fn parts(slot: &'static Slot, frame: &'static Frame) -> impl Iterator<Item = (Space, Tally, Published)> {
    slot.ledgers(frame.flags.get()).map(|(space, ledger)| {
        let tally = ledger.tally();
        (space, tally, published_of(frame, space, &tally))
    })
}

/// Leaves the context of `frame`, the top, as if nothing had happened under it: that was taken.
pub(crate) fn come_out(slot: &'static Slot, frame: &'static Frame, below: &'static Frame) {
    let lane = slot.lane.get();
    let flags = frame.flags.get();
    // This may be the last to hold the lane, which has to stay until its blocks were added to it.
    let _held = sharing::end(slot, frame);
    slot.sequence.begin_write();
    let outstanding = slot.end_segment(frame);
    for (space, ledger) in slot.ledgers(flags) {
        slot.keep_net(space, || ledger.forget());
    }
    if flags & Space::HOST.bit() == 0 {
        slot.watch();
    }
    frame.end_serial();
    slot.sequence.end_write();
    slot.top.set(below);
    lane.add_outstanding(outstanding);
}

#[cfg(test)]
mod tests;
