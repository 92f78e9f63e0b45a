//! Contexts as frames: working for a scope that was captured elsewhere.
//!
//! What happens under a context is not seen by what the thread had open before; when it is left, what was recorded goes to
//! the captured scope, whole. Capturing is left to `api/context`.

use std::sync::Arc;

use crate::base::blind;
use crate::lanes::captured::Shared;
use crate::lanes::kind::{Kind, UNDER_CONTEXT};
use crate::lanes::tag::Tag;
use crate::share::publish::{come_out, parts};
use crate::thread::frame::{Frame, NO_CALLS};
use crate::thread::slot::Slot;
use crate::thread::stack::FrameHandle;

/// Enters a context: what happens now is not seen by what was open here before.
pub(crate) fn enter_context(slot: &'static Slot, shared: &Arc<Shared>) -> Option<FrameHandle> {
    let frame = slot.top().grow()?;
    let serial = slot.sequence.begin_write();
    let tag = Tag::new(shared.lane, shared.path);
    frame.open(serial, tag, Kind::Context.flags(UNDER_CONTEXT), &NO_CALLS);
    frame.outer_before.set(None);
    slot.top.set(frame);
    slot.begin_segment(frame, shared.lane);
    slot.sequence.end_write();
    frame.set_shared(Some(shared.clone()));
    slot.begin_sharing(frame);
    Some(FrameHandle { frame, serial })
}

pub(crate) fn leave_context(slot: &'static Slot, frame: &'static Frame, below: &'static Frame) {
    let _blind = blind::enter();
    if let Some(shared) = frame.shared() {
        shared.finish(|| true, parts(slot, frame));
    }
    come_out(slot, frame, below);
}
