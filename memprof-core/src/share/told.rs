//! Who is told at once what is handed over to a lane: the levels of the captured scopes that it comes off.
//!
//! Those are, for a lane that runs on a thread, the captured scopes among the frames from the top of the lane's segment
//! down to the first that hides what is below it. Others work for these scopes: were the hand-over to wait for the
//! thread, they would raise the peaks above what was ever held. A task that is suspended tells its own future, if that
//! was captured.

use std::sync::Arc;

use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::lanes::captured::Shared;
use crate::lanes::kind::Kind;
use crate::lanes::lane::{HandOver, Lane, Told};
use crate::share::settle;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// Captured scopes, each with whether the lane works for it as any other does.
struct Levels(Vec<(Arc<Shared>, bool)>);

impl Told for Levels {
    fn handed_over(&self, space: Space, hand_over: HandOver) {
        let [bytes, blocks] = [hand_over.bytes, hand_over.blocks].map(|lower| lower.wrapping_neg().cast_signed());
        for (shared, is_others_work) in &self.0 {
            if *is_others_work {
                shared.publish(space, bytes, blocks);
            } else {
                shared.publish_own(space, bytes, blocks);
            }
        }
    }
}

/// More bytes than [`levels`] asks the program's allocator for, but where hundreds of captured scopes are inside of each
/// other.
const FOR_LEVELS: usize = 8 << 10;

/// `None` if there are none, or no memory for them: then the thread tells them itself.
fn levels(levels: impl Iterator<Item = (Arc<Shared>, bool)>) -> Option<Arc<dyn Told>> {
    let mut levels = levels.peekable();
    levels.peek()?;
    if !pages::program_has(FOR_LEVELS) {
        missed::note(Refused::NoMemory);
        return None;
    }
    Some(Arc::new(Levels(levels.collect())))
}

/// Those from `frame` down.
fn from(frame: Option<&'static Frame>) -> Option<Arc<dyn Told>> {
    let mut is_hidden = false;
    let below = core::iter::successors(frame, |frame| frame.sharing_below.get());
    let seen = below.take_while(move |frame| !core::mem::replace(&mut is_hidden, frame.hides()));
    levels(seen.filter_map(|frame| Some((frame.shared()?, frame.hides()))))
}

/// The level of `frame`, the top, begins or goes on: it is told from now on what is handed over to its lane, as those below
/// it are. What waited until now was told to those that `knows` gives.
pub(crate) fn begin(slot: &'static Slot, knows: impl Fn(&Frame) -> bool) {
    tell(slot, from(slot.sharing.get()), knows);
}

/// The level of `frame`, the top, which shares, is about to end.
pub(crate) fn end(slot: &'static Slot, frame: &'static Frame) {
    tell(slot, from(frame.sharing_below.get()), |_| true);
}

/// The poll of a task, the top frame, is about to end: only its own future is told.
pub(crate) fn suspend(slot: &'static Slot, task: &Lane) {
    let future = task.activation.shared();
    tell(slot, levels(future.into_iter().map(|shared| (shared, false))), |_| true);
}

/// The thread, which has nothing open, is about to leave an ambient scope.
pub(crate) fn end_ambient(slot: &'static Slot) {
    tell(slot, None, |_| true);
}

fn tell(slot: &'static Slot, told: Option<Arc<dyn Told>>, knows: impl Fn(&Frame) -> bool) {
    // A context's lane runs elsewhere.
    if slot.segment.get().is_some_and(|segment| segment.kind() == Kind::Context) {
        return;
    }
    let Some(segment) = slot.segments().next() else { return };
    segment.lane.tell(told, |waited| settle::charge(slot, segment, waited, &knows));
}

/// Has an ambient scope told what is handed over to its own lane.
pub(crate) fn begin_ambient_lane(shared: &Arc<Shared>) {
    shared.lane.tell(levels([(shared.clone(), true)].into_iter()), |_| ());
}
