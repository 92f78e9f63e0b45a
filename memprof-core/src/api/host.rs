//! Events of the global allocator: whose slot they are recorded in.
//!
//! The common case, a thread whose slot is ready, is inlined into the allocator. Everything else is looked up here:
//! a thread that has no slot yet, one that has ended, one that is blind, memprof switched on or off. What an event
//! changes in a slot is left to `events/host`.
//!
//! | the thread | where its events go |
//! |---|---|
//! | has a slot, and took note of everything | there, at once |
//! | has none yet | it takes one: its first event, and the only one that may allocate, blind |
//! | did not take note of a change | it does so first ([`ready`]) |
//! | is in a signal handler, which interrupted a change of its slot | to the slot aside, folded in before its next event ([`aside`](crate::thread::aside)) |
//! | is blind, or memprof is off | an allocation is unknown; the free of a known block lowers its owner's live numbers, and no scope sees it |
//! | has ended | to the record that ended threads share: outside any scope, and with atomic additions |
//!
//! Nothing in here allocates through the global allocator, waits for a lock, formats or panics, but where a thread
//! takes its slot, or takes note of an ambient scope.

use core::hint::cold_path;

use crate::base::{state, tags};
use crate::events::count::{count_alloc_shared, count_free_shared};
use crate::events::host::{self, Event};
use crate::events::look::{host_limit_crossed, host_limit_crossed_by_free};
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::process::helper;
use crate::process::ready::{has_ended, ready};
use crate::space::spaces::Space;
use crate::thread::current;
use crate::thread::slot::Slot;

/// Records a block that upstream has allocated, and gives its tag.
///
/// While memprof is off, no slot is ready, and every event would be slow. That is asked here, so that a program
/// that measures now and then pays a load and a branch for it.
#[inline(always)]
pub(crate) fn allocated(address: u64, bytes: u64) -> Event<Tag> {
    match host::allocated(current::current(), address, bytes) {
        Event::Slow if !state::is_on() => {
            cold_path();
            Event::Done(Tag::UNKNOWN)
        }
        event => event,
    }
}

/// [`allocated`], where that said [`Event::First`] of a slot. `None`: [`allocated_slowly`] is to be called.
#[inline(always)]
pub(crate) fn allocated_first(slot: &'static Slot, address: u64, bytes: u64) -> Option<Tag> {
    host::allocated_first(slot, address, bytes)
}

/// The level of this thread's ledger has left its limits: does what is due then, such as publishing a step or
/// raising a peak.
pub(crate) fn limit_crossed() {
    // It has just recorded an event, so it is the thread's own.
    host_limit_crossed(current::current());
}

/// [`limit_crossed`] by a free of so many bytes.
pub(crate) fn limit_crossed_by_free(bytes: u64) {
    host_limit_crossed_by_free(current::current(), bytes);
}

/// [`allocated_first`] where that had more to do, or [`allocated`], whatever has to be done first: taking a slot, taking note of a switch, finding out that the
/// thread has ended. Gives [`Tag::UNKNOWN`] for a block that nobody will know.
pub(crate) fn allocated_slowly(address: u64, bytes: u64) -> Tag {
    let slot = current::current();
    if slot.is_informed()
        && let Some(tag) = host::allocated_above(slot, address, bytes)
    {
        return tag;
    }
    if !state::is_on() {
        return Tag::UNKNOWN;
    }
    match ready() {
        Some(slot) => host::allocated_slowly(slot, address, bytes),
        None if has_ended() => allocated_after_end(bytes),
        None => {
            tags::note_met();
            Tag::UNKNOWN
        }
    }
}

/// An allocation after the thread's destructors ran, in the slot that all such threads share. It stands outside any
/// scope: there is nothing open on a thread that has ended.
#[cold]
fn allocated_after_end(bytes: u64) -> Tag {
    let slot = Slot::ended();
    let Some(lane) = slot.shared_lane() else { return Tag::UNKNOWN };
    if count_alloc_shared(slot, &slot.host, bytes).is_none() {
        return Tag::UNKNOWN;
    }
    lane.add_outstanding(1);
    slot.net.add_shared(bytes.cast_signed(), 1);
    Tag::new(lane, PathId::ROOT)
}

/// Records the free of a block, before upstream takes it.
///
/// Before, not after: as soon as upstream has the block, another thread may get its address, and would record an
/// allocation of what is not free yet.
#[inline(always)]
pub(crate) fn freed(address: u64, bytes: u64, tag: Tag) -> Event<()> {
    let slot = current::current();
    host::freed(slot, slot.ready_tag(), address, bytes, tag)
}

/// [`freed`], whatever has to be done first. The free of a known block is never lost: where no scope can see it,
/// its owner's live numbers fall all the same.
pub(crate) fn freed_slowly(address: u64, bytes: u64, tag: Tag) {
    if tag == Tag::UNKNOWN {
        return;
    }
    if let Some(slot) = before_first(tag)
        && host::freed_first(slot, address, bytes, tag)
    {
        return;
    }
    if let Some(slot) = ready() {
        if host::freed_slowly(slot, address, bytes, tag).is_none() {
            freed_unseen(bytes, tag);
        }
        return;
    }
    if has_ended() {
        let slot = Slot::ended();
        count_free_shared(slot, Space::HOST, &slot.host, tag, bytes);
        slot.net.add_shared(-bytes.cast_signed(), -1);
        return;
    }
    freed_unseen(bytes, tag);
}

/// This thread's slot, where the top frame had no event yet and nothing else has to be done first, and a block of this tag is at home here.
#[inline(always)]
fn before_first(tag: Tag) -> Option<&'static Slot> {
    let slot = current::current();
    (slot.is_informed() && slot.ready_tag().is_none() && tag.same_lane(slot.top().tag())).then_some(slot)
}

/// The free of a known block while memprof is off, or by the recorder itself: no scope sees it.
///
/// The home counts one block less, and so can be given to somebody else when it was the last.
#[cold]
fn freed_unseen(bytes: u64, tag: Tag) {
    // Not while it is being changed: this is a signal handler then.
    if let Some(slot) = current::own().filter(|slot| slot.top.change().is_none()) {
        host::freed_unseen(slot, bytes, tag);
    } else {
        let slot = Slot::ended();
        if let Some(row) = slot.host.row_of(tag.path()) {
            slot.sequence.begin_write_shared();
            row.freed_bytes.add_shared(bytes);
            row.freed_blocks.add_shared(1);
            slot.sequence.end_write_shared();
        }
        slot.net.add_shared(-bytes.cast_signed(), -1);
    }
    if let Some(home) = tag.lane() {
        home.add_outstanding(-1);
    }
}

/// Records a reallocation that upstream performed, and gives the block's new tag.
///
/// Where the block's home is the lane that runs here, that is one event, as the contract has it. Otherwise the
/// block is freed there and allocated here. Recorded after upstream performed it, as an allocation is: what failed
/// has changed nothing.
pub(crate) fn reallocated(address: u64, from: u64, to: u64, tag: Tag) -> Tag {
    let slot = current::current();
    let mine = slot.ready_tag();
    if tag.same_lane(mine) {
        if host::reallocated(slot, mine, address, from, to, tag) {
            limit_crossed();
        }
        return mine;
    }
    if let Some(mine) = before_first(tag).and_then(|slot| host::touch_first(slot, to)) {
        if host::reallocated(slot, mine, address, from, to, tag) {
            limit_crossed();
        }
        return mine;
    }
    reallocated_slowly(address, from, to, tag)
}

/// [`reallocated`], whatever has to be done first. An unknown block becomes a known one here: it is counted as new.
#[cold]
fn reallocated_slowly(address: u64, from: u64, to: u64, tag: Tag) -> Tag {
    if tag == Tag::UNKNOWN {
        return allocated_slowly(address, to);
    }
    let Some(slot) = ready() else {
        freed_slowly(address, from, tag);
        return if has_ended() { allocated_after_end(to) } else { Tag::UNKNOWN };
    };
    host::reallocated_slowly(slot, address, from, to, tag).unwrap_or_else(|| {
        freed_unseen(from, tag);
        Tag::UNKNOWN
    })
}

/// Records that upstream had no memory for so many bytes, and has memprof's own thread say who holds it.
#[cold]
pub(crate) fn failed(bytes: u64) {
    if let Some(slot) = ready() {
        host::failed(slot);
        helper::tell_of_refusal(slot.top().path(), bytes);
    }
}
