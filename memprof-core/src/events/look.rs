//! What is due when the level of a ledger has left its limits: a peak is raised, what the thread holds is published, a
//! picture is taken, scopes that others work for learn of it.
//!
//! | what an event finds | what is done |
//! |---|---|
//! | the level of `host` is above a peak, and nothing else is due | [`raise_fast`](Slot::raise_fast): the peaks, in a few instructions |
//! | a free of a lane that grows | [`grow_on`](Slot::grow_on), or [`end_growing_above`](Slot::end_growing_above): the peaks come to the level before it |
//! | the level is above a peak, and more may be due | [`limit_crossed`]: hand-overs that wait are charged, then the peaks are raised |
//! | the level is outside what is watched as well | [`publish_if_due`]: what [`watch`](crate::thread::watch) asks for |
//!
//! Which levels those are is left to `thread/watch`, and what scopes that share learn to `share/publish`.

use crate::lanes::waiting::STEP;
use crate::share::publish::publish_shared;
use crate::share::settle::settle;
use crate::thread::ledger::Ledger;
use crate::thread::slot::Slot;

/// The level of the host's ledger has left its limits.
#[inline(always)]
pub(crate) fn host_limit_crossed(slot: &'static Slot) {
    if !slot.raise_fast() {
        limit_crossed(slot, &slot.host);
    }
}

/// [`host_limit_crossed`] after a free of so many bytes: where the lane grew, it came to the level before that. Also if a
/// signal handler has ended that since.
#[inline(always)]
pub(crate) fn host_limit_crossed_by_free(slot: &'static Slot, bytes: u64) {
    let is_growing = slot.host.is_growing();
    if is_growing && slot.grow_on(bytes.cast_signed()) {
        return;
    }
    if is_growing || slot.host.is_above_peaks(bytes, 1) {
        slot.end_growing_above(bytes.cast_signed(), 1);
    }
    host_limit_crossed(slot);
}

/// [`host_limit_crossed`] for slow paths, which few events leave that way.
#[cold]
#[inline(never)]
pub(crate) fn host_limit_crossed_slowly(slot: &'static Slot) {
    host_limit_crossed(slot);
}

/// The level is above a peak, or above or below what is watched.
#[cold]
#[inline(never)]
pub(crate) fn limit_crossed(slot: &'static Slot, ledger: &'static Ledger) {
    raise_peaks(slot, ledger);
    if ledger.is_watched() {
        publish_if_due(slot);
    }
}

/// Raises the peaks, with the hand-overs that wait taken off first.
#[inline]
pub(crate) fn raise_peaks(slot: &'static Slot, ledger: &'static Ledger) {
    settle(slot);
    let _change = slot.begin_change();
    slot.sequence.begin_write();
    ledger.raise_peaks();
    slot.sequence.end_write();
}

/// Takes note of a net outside what was watched, and publishes what it is time for.
#[cold]
#[inline(never)]
pub(crate) fn publish_if_due(slot: &'static Slot) {
    slot.publish_net_if_due();
    if slot.sharing.get().is_some() {
        publish_shared(slot, STEP.cast_signed());
    }
}
