//! Events of the global allocator, in the slot of the thread.
//!
//! | event | where its block is at home | what changes |
//! |---|---|---|
//! | [`allocated`] | here | level, sums, the row of the top entry: about ten stores |
//! | [`freed`] | here | the level, and the owner's row |
//! | [`freed_elsewhere`] | on another lane | the owner's row here; the level there, by a hand-over |
//! | [`reallocated`] | here | the level by the difference; what is live moves from the owner's row to the current one's |
//! | [`reallocated_slowly`] | on another lane | freed there, allocated here |
//! | [`freed_unseen`] | anywhere, and no scope is to see it | the owner's row, and what the thread holds |
//!
//! An event comes here in its short form first; `Slow` means that nothing was recorded and something has to be done before: the thread has
//! no slot, did not take note of a change, or the top frame has no entry yet. What is short for the first event of a frame has `first` in its
//! name: it makes the entry, and is then an event as any other.
//!
//! Nothing in here allocates through the global allocator, waits for a lock, formats or panics. Whose slot it is, and what
//! becomes of an event of a thread without one, is left to `api/host`.

use core::hint::cold_path;

use crate::base::single::Alone;
use crate::events::count::{adopt, count_failure, count_realloc, count_realloc_here, disown, free_elsewhere, prepare};
use crate::events::look::{
    host_limit_crossed, host_limit_crossed_by_free, host_limit_crossed_slowly, limit_crossed, publish_if_due,
};
use crate::lanes::tag::Tag;
use crate::share::settle::settle;
use crate::space::level;
use crate::space::spaces::Space;
use crate::thread::frame::Frame;
use crate::thread::row::Row;
use crate::thread::slot::Slot;

/// What came of an event on the short path. What it leaves to do is done by a call at the very end, so that the short
/// path needs no register saved for it.
#[derive(Clone, Copy)]
pub(crate) enum Event<T> {
    Done(T),
    /// Recorded, and the level has left its limits: [`host_limit_crossed`](super::look::host_limit_crossed) is to be called.
    LimitCrossed(T),
    /// Nothing was recorded, as an allocation is the first event of the top frame of this slot: [`allocated_first`] is to be called.
    First(&'static Slot),
    /// Nothing was recorded: the slow function of the event does all of it.
    Slow,
}

/// Records a block that upstream has allocated, and gives its tag; [`Event::Slow`] where something has to be done first.
#[inline(always)]
pub(crate) fn allocated(slot: &'static Slot, address: u64, bytes: u64) -> Event<Tag> {
    let tag = slot.ready_tag();
    if tag.is_none() {
        cold_path();
        return if slot.is_informed() { Event::First(slot) } else { Event::Slow };
    }
    if count_alloc(slot, address, bytes) {
        cold_path();
        return Event::LimitCrossed(tag);
    }
    Event::Done(tag)
}

/// [`allocated`] as the first event of the top frame here, in a slot that is up to date. `None`: more is to be done, and nothing was recorded.
#[inline(always)]
pub(crate) fn allocated_first(slot: &'static Slot, address: u64, bytes: u64) -> Option<Tag> {
    begin_first(slot, |top, row, alone| {
        slot.is_settled(alone) && slot.host.alloc_first(top, row, address, bytes, alone)
    })
}

/// [`allocated_first`] above what the thread came to before, where growing comes to its limit, or where a hand-over may wait.
#[inline(always)]
pub(crate) fn allocated_above(slot: &'static Slot, address: u64, bytes: u64) -> Option<Tag> {
    let tag = touch_first(slot, bytes)?;
    if count_alloc(slot, address, bytes) {
        host_limit_crossed(slot);
    }
    Some(tag)
}

/// Makes the entry of the top frame, of a slot that is up to date, for its first event, which brings a block of so many bytes, or none; and gives its
/// tag. `None`: more is to be done, and nothing was changed. Hand-overs may wait: no peak is raised here.
#[inline(always)]
pub(crate) fn touch_first(slot: &'static Slot, bytes: u64) -> Option<Tag> {
    begin_first(slot, |top, row, alone| slot.host.touch_own(top, row, bytes, alone))
}

/// Has `begin` make the entry of the top frame, with that and its row, where nothing has to be done first.
#[inline(always)]
fn begin_first(slot: &'static Slot, begin: impl FnOnce(&'static Frame, &'static Row, Alone) -> bool) -> Option<Tag> {
    let (top, alone) = slot.top.begin_change_at_rest()?;
    slot.changes.begin();
    let has_begun = top.flags.own(alone) & Space::HOST.bit() == 0
        && top.calls.get().row().is_some_and(|row| begin(top, row, alone));
    let tag = has_begun.then(|| top.tag());
    if let Some(tag) = tag {
        top.set_touched_on_host(tag);
    }
    slot.top.end_change();
    tag
}

/// [`allocated`] in a slot that is up to date, whatever has to be done for the top frame first.
#[inline]
pub(crate) fn allocated_slowly(slot: &'static Slot, address: u64, bytes: u64) -> Tag {
    let change = slot.begin_change();
    // A peak is raised when what waits has been taken off.
    if !slot.top().has(Space::HOST.bit()) {
        settle(slot);
    }
    let top = slot.top();
    let recorded = prepare(slot, Space::HOST, &slot.host).map(|()| count_alloc(slot, address, bytes));
    drop(change);
    let Some(crossed) = recorded else { return Tag::UNKNOWN };
    if crossed {
        host_limit_crossed_slowly(slot);
    }
    top.tag()
}

/// Counts a block that the top frame allocated. `true`: the level has left its limits.
#[inline(always)]
pub(crate) fn count_alloc(slot: &'static Slot, address: u64, bytes: u64) -> bool {
    let crossed = slot.host.alloc(bytes);
    slot.host.note_latest(address);
    crossed
}

/// Counts the free of a block of the lane that `mine`, the top frame's tag, has.
#[inline(always)]
pub(crate) fn freed(slot: &'static Slot, mine: Tag, address: u64, bytes: u64, tag: Tag) -> Event<()> {
    let ledger = &slot.host;
    // Mostly a scope frees what it allocated itself.
    let mut row = ledger.row();
    if tag != mine {
        cold_path();
        match ledger.rows.get(tag.path().index()) {
            Some(of_tag) if tag.same_lane(mine) => row = of_tag,
            // An unknown block is of no lane.
            _ => return if tag == Tag::UNKNOWN { Event::Done(()) } else { Event::Slow },
        }
    }
    let under = ledger.free(bytes, || {
        row.freed_bytes.add(bytes);
        row.freed_blocks.add(1);
        if ledger.was_latest(address) {
            row.temporary.add(1);
        }
    });
    if under {
        cold_path();
        return Event::LimitCrossed(());
    }
    Event::Done(())
}

/// [`freed`] as the first event of the top frame here, in a slot that is up to date. `false`: more is to be done, and it was not
/// recorded, though the frame may have its entry.
#[inline(always)]
pub(crate) fn freed_first(slot: &'static Slot, address: u64, bytes: u64, tag: Tag) -> bool {
    let Some(mine) = touch_first(slot, 0) else { return false };
    match freed(slot, mine, address, bytes, tag) {
        Event::Done(()) => {}
        Event::LimitCrossed(()) => host_limit_crossed_by_free(slot, bytes),
        Event::First(_) | Event::Slow => return false,
    }
    true
}

/// [`freed`] in a slot that is up to date, whatever has to be done for the top frame first. `None`: nothing was recorded.
#[inline]
pub(crate) fn freed_slowly(slot: &'static Slot, address: u64, bytes: u64, tag: Tag) -> Option<()> {
    let change = slot.begin_change();
    prepare(slot, Space::HOST, &slot.host)?;
    let crossed = match freed(slot, slot.top().tag(), address, bytes, tag) {
        Event::Done(()) => false,
        Event::LimitCrossed(()) => true,
        Event::First(_) | Event::Slow => freed_elsewhere(slot, address, bytes, tag),
    };
    drop(change);
    if crossed {
        publish_if_due(slot);
    }
    Some(())
}

/// The free of a block whose home, as its tag has it, is not the current lane, or that has no row here yet. `true`: the
/// level has left its limits.
fn freed_elsewhere(slot: &'static Slot, address: u64, bytes: u64, tag: Tag) -> bool {
    let ledger = &slot.host;
    slot.note_foreign_frees();
    let at_home = tag.same_lane(slot.top().tag());
    let row = ledger.row_of(tag.path());
    slot.sequence.begin_write();
    if let Some(row) = row {
        row.freed_bytes.add(bytes);
        row.freed_blocks.add(1);
        let latest = if at_home { ledger.was_latest(address) } else { ledger.was_latest_elsewhere(address, tag) };
        if latest {
            row.temporary.add(1);
        }
    }
    if at_home {
        ledger.free(bytes, || ());
    }
    slot.sequence.end_write();
    if !at_home {
        free_elsewhere(slot, Space::HOST, ledger, tag, bytes);
    }
    ledger.is_watched()
}

/// Records the free of a known block that no scope sees.
pub(crate) fn freed_unseen(slot: &'static Slot, bytes: u64, tag: Tag) {
    disown(slot, &slot.host, tag.path(), bytes);
    slot.free_foreign(bytes);
    slot.publish_net();
}

/// Records a reallocation of a block of the lane that `mine`, the top frame's tag, has. `true`: the level has left its
/// limits.
#[inline(always)]
pub(crate) fn reallocated(slot: &'static Slot, mine: Tag, address: u64, from: u64, to: u64, tag: Tag) -> bool {
    let ledger = &slot.host;
    let old = if tag == mine { Some(ledger.row()) } else { ledger.row_of(tag.path()) };
    count_realloc(slot, ledger, old, from, to);
    ledger.note_reallocated(address);
    ledger.is_limit_crossed()
}

/// [`reallocated`] in a slot that is up to date, whatever has to be done first. `None`: nothing was recorded.
#[inline]
pub(crate) fn reallocated_slowly(slot: &'static Slot, address: u64, from: u64, to: u64, tag: Tag) -> Option<Tag> {
    let ledger = &slot.host;
    let change = slot.begin_change();
    prepare(slot, Space::HOST, ledger)?;
    let top = slot.top().tag();
    if tag.same_lane(top) || adopt(slot, tag) {
        count_realloc(slot, ledger, ledger.row_of(tag.path()), from, to);
    } else {
        disown(slot, ledger, tag.path(), from);
        free_elsewhere(slot, Space::HOST, ledger, tag, from);
        count_realloc_here(slot, ledger, to);
    }
    ledger.note_reallocated(address);
    drop(change);
    limit_crossed(slot, ledger);
    Some(top)
}

/// Records that upstream had no memory.
pub(crate) fn failed(slot: &'static Slot) {
    level::note_failure();
    if prepare(slot, Space::HOST, &slot.host).is_some() {
        count_failure(slot, &slot.host);
    }
}
