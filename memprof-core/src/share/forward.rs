//! To whom a hand-over is forwarded at once: to the levels of the captured scopes that it comes off.
//!
//! Those are, for a lane that runs on a thread, the captured scopes among the frames from the top of the lane's
//! segment down to the first that hides what is below it. Others work for these scopes: were the hand-over to wait
//! for the thread, they would raise the peaks above what was ever held. A hand-over to a task that is suspended is
//! forwarded to its own future, if that was captured.
//!
//! | the owner is about to | is forwarded from then on to |
//! |---|---|
//! | have a scope captured ([`begin`]) | the captured scopes of the segment, this one among them |
//! | leave a captured scope ([`end`]) | those below it |
//! | end the poll of a task ([`suspend`]) | the future itself, if it was captured; then it waits for the next poll |
//! | leave an ambient scope ([`end_ambient`]) | nobody |
//!
//! Each of these changes the list under the lane's lock and takes out what waited, in one step
//! ([`Lane::forward`](crate::lanes::lane::Lane::forward)). So what was forwarded was forwarded to exactly those
//! that are charged for it.

use std::sync::Arc;

use crate::base::map::Refused;
use crate::base::missed;
use crate::base::pages;
use crate::lanes::activation::Activation;
use crate::lanes::captured::Shared;
use crate::lanes::kind::Kind;
use crate::lanes::pending::HandOver;
use crate::lanes::waiting::Forward;
use crate::share::settle;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// Captured scopes, each with whether the lane works for it as any other does.
struct Levels(Vec<(Arc<Shared>, bool)>);

impl Forward for Levels {
    fn handed_over(&self, space: Space, hand_over: HandOver) {
        let [bytes, blocks] = hand_over.to_level();
        for (shared, is_others_work) in &self.0 {
            if *is_others_work {
                shared.publish(space, bytes, blocks);
            } else {
                shared.publish_own(space, bytes, blocks);
            }
        }
    }
}

/// More bytes than [`levels`] asks the program's allocator for, but where hundreds of captured scopes are inside of
/// each other.
const FOR_LEVELS: usize = 8 << 10;

/// `None` if there are none, or no memory for them: then the thread publishes it itself, as it charges the hand-over.
fn levels(levels: impl Iterator<Item = (Arc<Shared>, bool)>) -> Option<Arc<dyn Forward>> {
    let mut levels = levels.peekable();
    levels.peek()?;
    if !pages::program_has(FOR_LEVELS) {
        missed::note(Refused::NoMemory);
        return None;
    }
    Some(Arc::new(Levels(levels.collect())))
}

/// Those from `frame` down.
fn from(frame: Option<&'static Frame>) -> Option<Arc<dyn Forward>> {
    let mut is_under_context = false;
    let below = core::iter::successors(frame, |frame| frame.sharing_below.get());
    let seen = below.take_while(move |frame| !core::mem::replace(&mut is_under_context, frame.hides()));
    levels(seen.filter_map(|frame| Some((frame.shared()?, frame.hides()))))
}

/// The level of the top frame begins or goes on: from now on what is handed over to its lane is forwarded to it, as to
/// those below it. What waited until now was forwarded to those for which `knows` is true.
pub(crate) fn begin(slot: &'static Slot, knows: impl Fn(&Frame) -> bool) {
    forward(slot, from(slot.sharing.get()), knows);
}

/// The level of `frame`, the top, which shares, is about to end.
pub(crate) fn end(slot: &'static Slot, frame: &'static Frame) {
    forward(slot, from(frame.sharing_below.get()), |_| true);
}

/// The poll of a task, the top frame, is about to end: from then on, hand-overs are forwarded to its own future alone.
pub(crate) fn suspend(slot: &'static Slot, task: &Activation) {
    let future = task.shared();
    forward(slot, levels(future.into_iter().map(|shared| (shared, false))), |_| true);
}

/// The thread, which has nothing open, is about to leave an ambient scope.
pub(crate) fn end_ambient(slot: &'static Slot) {
    forward(slot, None, |_| true);
}

/// Sets to whom is forwarded for the innermost lane that runs on this thread, and charges what waited until then.
fn forward(slot: &'static Slot, to: Option<Arc<dyn Forward>>, knows: impl Fn(&Frame) -> bool) {
    // A context's lane runs elsewhere.
    if slot.segment.get().is_some_and(|segment| segment.kind() == Kind::Context) {
        return;
    }
    let Some(segment) = slot.segments().next().filter(|segment| !segment.lane.has_ended()) else { return };
    // A reader finds what waits either in the lane's word, or charged.
    let _change = slot.begin_change();
    segment.lane.forward(to, |waited| settle::charge(slot, segment, waited, &knows));
}

/// Has forwarded to an ambient scope what is handed over to its own lane.
pub(crate) fn begin_ambient_lane(shared: &Arc<Shared>) {
    shared.lane.forward(levels([(shared.clone(), true)].into_iter()), |_| ());
}
