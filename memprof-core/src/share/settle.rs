//! What was handed over to the lanes that run on a thread, charged to their innermost scopes.
//!
//! Whoever frees a block away from its home leaves it in the home's lane, and forwards it to the levels of captured
//! scopes that it comes off ([`forward`](crate::share::forward)). The thread charges its ledgers here, before it
//! enters or leaves a scope, raises a peak or is read; and adds to those levels what was not forwarded.
//!
//! A thread whose lane nobody else frees anything of finds an empty word, and that is all: one load for each lane
//! that runs on it, which is one, and one more for each task or context that it is in.
//!
//! Charging is a change of the slot like any other, behind its sequence, so a reader sees a hand-over as waiting or
//! as charged. The short moment in which it is neither, taken and not yet charged, is behind no sequence: a reader
//! then sees the scope hold the block still.

use crate::base::blind;
use crate::lanes::waiting::Waited;
use crate::share::publish::publish_level;
use crate::share::sharing;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::segment::Segment;
use crate::thread::slot::Slot;

/// Charges the hand-overs that wait for the lanes that run on this thread, each to the innermost frame of its lane's
/// segment.
#[inline]
pub(crate) fn settle(slot: &'static Slot) {
    if slot.has_pending() {
        settle_what_waits(slot);
    }
}

#[cold]
fn settle_what_waits(slot: &'static Slot) {
    let _blind = blind::enter();
    let _change = slot.begin_change();
    for segment in slot.segments().filter(|segment| segment.lane.has_pending()) {
        segment.lane.take_pending(|waited| charge(slot, segment, waited, |_| true));
    }
}

/// Charges hand-overs that waited to the innermost frame of a segment. If they were forwarded, then to those of the
/// captured scopes that are open there that `knows` gives.
pub(crate) fn charge(slot: &'static Slot, segment: Segment, waited: Waited, knows: impl Fn(&Frame) -> bool) {
    let Waited { space, sum, is_forwarded } = waited;
    segment.outstanding.sub(sum.blocks);
    let Some(ledger) = slot.ledger(space) else { return };
    slot.sequence.begin_write();
    slot.keep_net(space, || ledger.charge(segment.innermost, space.bit(), sum));
    slot.sequence.end_write();
    let level = sum.to_level();
    sharing::see_from(slot, segment.innermost, |frame, shared| {
        match (is_forwarded && knows(frame), space == Space::HOST) {
            (true, true) => frame.published.add(level),
            // Of the host, the thread publishes in steps what its ledger has beyond what it published before.
            (true, false) | (false, true) => {}
            (false, false) => publish_level(frame, shared, space, level),
        }
    });
    if slot.sharing.get().is_some() {
        slot.watch();
    }
}
