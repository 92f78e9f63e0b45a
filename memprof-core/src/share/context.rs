//! Contexts as frames: capturing a scope, and working for one that was captured elsewhere.
//!
//! What happens under a context is not seen by what the thread had open before; when it is left, what was recorded
//! goes to the captured scope, whole. The handle that users hold is left to `api/context`.
//!
//! An entered context in the stack of a thread that has two scopes open of its own:
//!
//! ```text
//! top ─► parse     entered under the context; home: the capturing lane
//!        Context   path and lane of the captured scope; hides what is below it
//!        import    open before: sees nothing of this
//!        main
//!        base
//! ```
//!
//! The frames above a context run on the captured lane, so they are a segment of their own
//! ([`segment`](crate::thread::segment)). Blocks that are allocated there have that lane as home, whichever thread
//! this is.

use std::sync::Arc;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::tally::Counters;
use crate::lanes::activation::Activation;
use crate::lanes::captured::{Around, Shared};
use crate::lanes::kind::Kind;
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::share::publish::{before_poll, come_out, parts};
use crate::share::settle::settle;
use crate::share::{forward, sharing};
use crate::space::spaces::Space;
use crate::thread::changes::FrameHandle;
use crate::thread::frame::{Frame, NO_CALLS};
use crate::thread::slot::Slot;

/// Enters a context: what happens now is not seen by what was open here before.
///
/// `None` where there is no memory for one more frame: then events go on to what was open before.
pub(crate) fn enter_context(slot: &'static Slot, shared: &Arc<Shared>) -> Option<FrameHandle> {
    let frame = slot.top().grow()?;
    let change = slot.begin_change();
    let opened = slot.changes.begin_opening();
    let tag = Tag::new(shared.lane, shared.path);
    frame.open(opened, tag, Kind::Context.flags(shared.flags_under()), &NO_CALLS);
    frame.outer_before.set(None);
    slot.begin_segment(frame, shared.lane);
    slot.top.set(frame);
    drop(change);
    sharing::begin(slot, frame, shared.clone());
    Some(opened)
}

/// Leaves a context: what was recorded under it goes to the captured scope, whole, unless that was left meanwhile;
/// to this thread it never happened.
pub(crate) fn leave_context(slot: &'static Slot, frame: &'static Frame, below: &'static Frame) {
    let _blind = blind::enter();
    if let Some(shared) = frame.shared() {
        shared.finish(|| true, parts(slot, frame));
    }
    come_out(slot, frame, below);
}

/// The shared part of the innermost open scope, made now if it has none. The thread is blind.
///
/// | the innermost open frame | gives |
/// |---|---|
/// | has been captured, or is a context | what it shares already |
/// | is the base | a shared part that is closed from the beginning: what is added under it reaches nobody |
/// | is a poll whose future was captured in an earlier poll | the future's, which the frame shares from now on |
/// | is anything else | a new one, whose level begins at what the scope holds |
pub(crate) fn capture(slot: &'static Slot) -> Option<Arc<Shared>> {
    settle(slot);
    slot.end_growing();
    slot.note_other_lanes();
    let frame = slot.top();
    if let Some(shared) = frame.shared() {
        return Some(shared);
    }
    let lane = frame.tag().lane()?;
    if frame.kind() == Kind::Base {
        let nobody = Arc::new(Shared::new(lane, PathId::ROOT, Vec::new(), Around::Nobody));
        nobody.close();
        return Some(nobody);
    }
    if let Some(future) = future_of(frame)
        && let Some(shared) = future.shared()
    {
        sharing::begin(slot, frame, shared.clone());
        forward::begin(slot, |below| !core::ptr::eq(below, frame));
        return Some(shared);
    }
    let shared = match future_of(frame) {
        Some(future) => {
            let shared = Arc::new(Shared::of_future(lane, frame.path(), nodes_around(frame)));
            future.capture(shared.clone());
            shared
        }
        None => Arc::new(Shared::new(lane, frame.path(), nodes_around(frame), around(slot, frame))),
    };
    for space in Space::all() {
        let ledger = slot.known_ledger(space).filter(|_| frame.has(space.bit()));
        let own = ledger.map(|ledger| ledger.tally_of(frame, None).counters).unwrap_or_default();
        let before = before_poll(frame, space).counters;
        if [own, before] != [Counters::default(); 2] {
            shared.begin(space, &before, &own);
        }
    }
    sharing::begin(slot, frame, shared.clone());
    let own = slot.host.tally_of(frame, None).counters;
    frame.published.add(own.value());
    slot.watch();
    forward::begin(slot, |below| !core::ptr::eq(below, frame));
    Some(shared)
}

/// The captured scope that `frame`, the top, folds into; it is no poll.
fn around(slot: &'static Slot, frame: &'static Frame) -> Around {
    debug_assert_ne!(frame.kind(), Kind::Poll, "each poll folds into what is open there");
    let below = slot.sharing.get().and_then(|below| Some((below.kind(), below.shared()?)));
    below.map_or(Around::Nobody, |(kind, shared)| match kind {
        Kind::Context | Kind::Ambient => Around::Elsewhere(shared),
        Kind::Base | Kind::Scope | Kind::Poll => Around::Here(shared),
    })
}

/// The future whose poll this frame is.
fn future_of(frame: &'static Frame) -> Option<&'static Activation> {
    (frame.kind() == Kind::Poll).then(|| frame.future.get())
}

/// The nodes that are open with `top`, by their numbers: its own, and those below it down to the context that it is under; of a poll,
/// which has no captured scope around it, those of the context as well.
pub(crate) fn nodes_around(top: &'static Frame) -> Vec<PathId> {
    let mut nodes = Vec::new();
    let mut push = |node| match nodes.try_reserve(1) {
        Ok(()) => nodes.push(node),
        Err(_) => missed::note(Refused::NoMemory),
    };
    for frame in core::iter::successors(Some(top), |frame| frame.below()) {
        match frame.kind() {
            Kind::Base => break,
            Kind::Context | Kind::Ambient => {
                if top.kind() == Kind::Poll
                    && let Some(shared) = frame.shared()
                {
                    shared.has_any_open(|node| {
                        push(node);
                        false
                    });
                }
                break;
            }
            Kind::Scope | Kind::Poll => push(frame.path()),
        }
    }
    nodes.sort_unstable_by_key(|node| node.index());
    nodes.dedup();
    nodes
}
