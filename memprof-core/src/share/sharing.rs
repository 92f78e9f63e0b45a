//! Which open frames of a thread share what happens in them with other threads.
//!
//! A frame shares from the moment when a `Context` is captured there, or when it is entered as one, until it is
//! left. Those that do are a list, innermost first, so a thread that shares nothing finds that out by one load and
//! pays nothing else. While there is one, the thread looks when its level on the host is a step away from what it told
//! ([`watch`](crate::thread::watch)). What it publishes then is left to [`publish`](super::publish).
//!
//! ```text
//! top ─► frame ─► frame (shares) ─► frame ─► frame (shares: a context) ─► base
//!                   ▲      └── sharing_below ──────▲
//!   slot.sharing ───┘
//! ```

use std::sync::Arc;

use crate::lanes::captured::Shared;
use crate::lanes::kind::SHARES;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// `frame`, the top, shares from now on.
///
/// What the frame publishes counts from here: what it recorded before is in the level already, if it has to be.
pub(crate) fn begin(slot: &'static Slot, frame: &'static Frame, shared: Arc<Shared>) {
    debug_assert!(!frame.has(SHARES), "a frame is captured once");
    let _none = frame.set_shared(Some(shared));
    frame.sharing_below.set(slot.sharing.get());
    frame.published.clear();
    frame.additions.set(0);
    frame.set_flag(SHARES);
    slot.share_from(Some(frame));
    slot.watch();
}

/// `frame`, the top, shares no longer; gives what it shared. The thread is blind where that is given up, as it may be the last reference. What is to
/// be watched then is left to whoever leaves the frame, as its level may change yet.
pub(crate) fn end(slot: &'static Slot, frame: &'static Frame) -> Option<Arc<Shared>> {
    debug_assert!(slot.sharing.is(frame), "frames that share end innermost first");
    frame.clear_flag(SHARES);
    let shared = frame.set_shared(None);
    slot.share_from(frame.sharing_below.get());
    shared
}

/// The frames of this thread that share, innermost first.
pub(crate) fn frames(slot: &'static Slot) -> impl Iterator<Item = &'static Frame> {
    core::iter::successors(slot.sharing.get(), |frame| frame.sharing_below.get())
}

/// Gives the frames that share to `see`, from `innermost` down to the first that hides what is below it.
pub(crate) fn see_from(slot: &'static Slot, innermost: &'static Frame, mut see: impl FnMut(&Frame, &Shared)) {
    for frame in frames(slot).skip_while(|frame| frame.depth() > innermost.depth()) {
        let Some(shared) = frame.shared() else { return };
        see(frame, &shared);
        if frame.hides() {
            return;
        }
    }
}
