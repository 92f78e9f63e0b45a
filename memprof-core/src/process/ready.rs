//! This thread's slot, ready for what is to be recorded.
//!
//! The one place where a thread gets a slot, at its first event, and where it gives it back, when it ends; and
//! where it is brought up to date if something was switched, reset or opened for all threads meanwhile. What is
//! recorded then, in the slot that is handed on, is left to `scope`, `share` and `events`.
//!
//! ```text
//!              first event            leave_all, give_back
//! no slot ─────────────────► slot ────────────────────────► ended: events count in the record that ended threads share
//!    │                                                        ▲
//!    └── no memory, or the thread-locals are gone already ────┘
//! ```
//!
//! A signal handler that interrupts a change of the slot gets the slot aside instead
//! ([`aside`](crate::thread::aside)), and nothing where it interrupts a change of that.

use core::cell::Cell;

use crate::base::blind;
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::state;
use crate::events::look::publish_if_due;
use crate::process::start;
use crate::scope::leave;
use crate::share::ambient;
use crate::share::settle::settle;
use crate::thread::current;
use crate::thread::slot::Slot;

thread_local! {
    /// Whether the slot was given back. Without a destructor, so it can be asked for as long as the thread runs.
    static ENDED: Cell<bool> = const { Cell::new(false) };
    /// Gives the slot back when the thread ends.
    static LEASE: Lease = const { Lease };
}

/// This thread's slot, up to date; `None` if memprof is off or the thread cannot be recorded.
#[inline]
pub(crate) fn ready() -> Option<&'static Slot> {
    let slot = current::current();
    // A thread takes note only where memprof is on.
    if slot.is_informed() && slot.top.change().is_none() { Some(slot) } else { ready_slowly() }
}

/// [`ready`] for a call that enters or captures something. One that comes while memprof is at work on this thread, from a signal handler or
/// from an allocator, is counted as missed.
#[inline]
pub(crate) fn ready_to_enter() -> Option<&'static Slot> {
    let slot = ready();
    if slot.is_none() {
        note_at_work();
    }
    slot
}

#[cold]
fn note_at_work() {
    if blind::is_blind() && state::is_on() {
        missed::note(Refused::AtWork);
    }
}

/// [`ready`], where the thread has no slot yet, or did not take note of a change. It takes note first, so that the
/// next event takes the short path.
#[cold]
#[inline(never)]
fn ready_slowly() -> Option<&'static Slot> {
    if blind::is_blind() {
        return None;
    }
    if !start::is_decided_on() {
        return None;
    }
    let ThreadState::Slot(slot) = thread_state() else { return None };
    if slot.top.change().is_some() {
        // A signal handler, which interrupts a change.
        let aside = slot.stand_in();
        if aside.is_none() {
            missed::note(Refused::AtWork);
        }
        return aside;
    }
    // What set the notice may be a hand-over that came while the lane grew.
    slot.end_growing();
    settle(slot);
    if slot.take_in_aside() {
        publish_if_due(slot);
    }
    ambient::take_note(slot).then_some(slot)
}

/// Where an event of this thread goes.
#[derive(Clone, Copy)]
enum ThreadState {
    Slot(&'static Slot),
    /// Nowhere: the recorder is at work.
    Blind,
    /// To the record that ended threads share.
    Ended,
}

/// Whether memprof measures and this thread has ended: its last events go to the record that ended threads share.
pub(crate) fn has_ended() -> bool {
    state::is_on() && matches!(thread_state(), ThreadState::Ended)
}

/// Where an event of this thread goes; takes a slot if the thread has none yet.
#[cold]
fn thread_state() -> ThreadState {
    if blind::is_blind() {
        return ThreadState::Blind;
    }
    if let Some(slot) = current::own() {
        return ThreadState::Slot(slot);
    }
    if ENDED.get() {
        return ThreadState::Ended;
    }
    // Registering the destructor may allocate, and so may making the slot.
    let blind = blind::enter();
    // A signal handler may have taken one meanwhile.
    let taken = match current::own() {
        Some(taken) => Some(taken),
        None if LEASE.try_with(|_| ()).is_ok() => Slot::take(),
        None => None,
    };
    current::set_own(taken);
    drop(blind);
    taken.map_or(ThreadState::Ended, ThreadState::Slot)
}

/// Stands for the slot among the thread's destructors. Those that run after it, and whatever the C library frees at
/// the thread's end, find [`ENDED`].
struct Lease;

impl Drop for Lease {
    /// The thread ends: what it has open ends with it, innermost first, and its slot goes to the pool with all that
    /// was recorded in it.
    fn drop(&mut self) {
        ENDED.set(true);
        let Some(slot) = current::own() else { return };
        leave::leave_all(slot);
        current::set_current(None);
        current::set_own(None);
        slot.give_back();
    }
}
