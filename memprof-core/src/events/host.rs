//! Events of the global allocator.
//!
//! Nothing in here allocates through the global allocator, locks, formats or panics.

use core::hint::cold_path;

use crate::base::state;
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::scope::plain;
use crate::space::level;
use crate::space::spaces::Space;
use crate::thread::current::{self, Place};
use crate::thread::slot::Slot;

/// What came of an event on the short path. What it leaves to do is done by a call at the very end, so that the short
/// path needs no register saved for it.
#[derive(Clone, Copy)]
pub(crate) enum Event<T> {
    Done(T),
    /// Recorded, and [`look`] is to be called.
    Look(T),
    /// Nothing was recorded: the slow function of the event does all of it.
    Slow,
}

/// Records a block that upstream has allocated, and gives its tag.
#[inline(always)]
pub(crate) fn allocated(address: u64, bytes: u64) -> Event<Tag> {
    let slot = current::current();
    let tag = slot.ready_tag();
    if tag.is_none() {
        cold_path();
        return if state::is_on() { Event::Slow } else { Event::Done(Tag::UNKNOWN) };
    }
    let over = slot.host_allocated(address, bytes);
    if over {
        cold_path();
        return Event::Look(tag);
    }
    Event::Done(tag)
}

/// The level of this thread's ledger is outside of its limits.
pub(crate) fn look() {
    // It has just recorded an event, so it is the thread's own.
    let slot = current::current();
    if !slot.rise() {
        slot.over(&slot.host);
    }
}

/// [`allocated`], whatever has to be done first.
pub(crate) fn allocated_slowly(address: u64, bytes: u64) -> Tag {
    if !state::is_on() {
        return Tag::UNKNOWN;
    }
    let Some(slot) = plain::ready() else {
        return if state::is_on() && matches!(current::place(), Place::Ended) {
            allocated_after_end(bytes)
        } else {
            Tag::UNKNOWN
        };
    };
    let ledger = &slot.host;
    // A peak is raised when what waits has been taken off.
    if !slot.top().has(Space::HOST.bit()) && slot.has_pending() {
        slot.settle();
    }
    slot.sequence.open();
    let top = slot.top();
    let touched = if top.has(Space::HOST.bit()) {
        Some(())
    } else {
        ledger.touch(top, Space::HOST.bit(), (bytes.cast_signed(), 1))
    };
    let recorded = touched.map(|()| slot.host_allocated(address, bytes));
    slot.sequence.close();
    let Some(over) = recorded else { return Tag::UNKNOWN };
    if over {
        look();
    }
    top.tag()
}

#[cold]
fn allocated_after_end(bytes: u64) -> Tag {
    let slot = Slot::ended();
    let Some(lane) = slot.shared_lane() else { return Tag::UNKNOWN };
    if slot.count_alloc_shared(&slot.host, bytes).is_none() {
        return Tag::UNKNOWN;
    }
    lane.add_outstanding(1);
    slot.net.add_shared(bytes.cast_signed(), 1);
    Tag::new(lane, PathId::ROOT)
}

/// Records the free of a block, before upstream takes it.
#[inline(always)]
pub(crate) fn freed(address: u64, bytes: u64, tag: Tag) -> Event<()> {
    let slot = current::current();
    slot.host_freed(slot.ready_tag(), address, bytes, tag)
}

/// [`freed`], whatever has to be done first.
pub(crate) fn freed_slowly(address: u64, bytes: u64, tag: Tag) {
    if tag == Tag::UNKNOWN {
        return;
    }
    if let Some(slot) = plain::ready() {
        if slot.prepare(Space::HOST, &slot.host).is_none() {
            return freed_unseen(bytes, tag);
        }
        match slot.host_freed(slot.top().tag(), address, bytes, tag) {
            Event::Done(()) => {}
            Event::Look(()) => slot.look(),
            Event::Slow => slot.host_freed_elsewhere(address, bytes, tag),
        }
        return;
    }
    if state::is_on()
        && let Place::Ended = current::place()
    {
        let slot = Slot::ended();
        slot.count_free_shared(Space::HOST, &slot.host, tag, bytes);
        slot.net.add_shared(-bytes.cast_signed(), -1);
        return;
    }
    freed_unseen(bytes, tag);
}

/// The free of a known block while memprof is off, or by the recorder itself: no scope sees it.
#[cold]
fn freed_unseen(bytes: u64, tag: Tag) {
    if let Some(slot) = current::own() {
        slot.disown(&slot.host, tag.path(), bytes);
        slot.free_beside(bytes);
        slot.publish_net();
    } else {
        let slot = Slot::ended();
        if let Some(row) = slot.host.row_of(tag.path()) {
            slot.sequence.open_shared();
            row.freed_bytes.add_shared(bytes);
            row.freed_blocks.add_shared(1);
            slot.sequence.close_shared();
        }
        slot.net.add_shared(-bytes.cast_signed(), -1);
    }
    if let Some(home) = tag.lane() {
        home.add_outstanding(-1);
    }
}

/// Records a reallocation that upstream performed, and gives the block's new tag.
pub(crate) fn reallocated(address: u64, from: u64, to: u64, tag: Tag) -> Tag {
    let slot = current::current();
    let (mine, ledger) = (slot.ready_tag(), &slot.host);
    if tag.same_lane(mine) {
        slot.count_realloc(ledger, ledger.row_of(tag.path()), from, to);
        ledger.note_reallocated(address);
        if ledger.is_over() {
            look();
        }
        return mine;
    }
    reallocated_slowly(address, from, to, tag)
}

/// [`reallocated`], whatever has to be done first.
#[cold]
fn reallocated_slowly(address: u64, from: u64, to: u64, tag: Tag) -> Tag {
    if tag == Tag::UNKNOWN {
        return allocated_slowly(address, to);
    }
    let Some(slot) = plain::ready() else {
        freed_slowly(address, from, tag);
        return if state::is_on() && matches!(current::place(), Place::Ended) {
            allocated_after_end(to)
        } else {
            Tag::UNKNOWN
        };
    };
    let ledger = &slot.host;
    if slot.prepare(Space::HOST, ledger).is_none() {
        freed_unseen(from, tag);
        return Tag::UNKNOWN;
    }
    let top = slot.top().tag();
    if tag.same_lane(top) || slot.adopt(tag) {
        slot.count_realloc(ledger, ledger.row_of(tag.path()), from, to);
    } else {
        slot.disown(ledger, tag.path(), from);
        slot.free_elsewhere(Space::HOST, ledger, tag, from);
        slot.count_realloc_here(ledger, to);
    }
    ledger.note_reallocated(address);
    slot.over(ledger);
    top
}

/// Records that upstream had no memory.
#[cold]
pub(crate) fn failed() {
    let Some(slot) = plain::ready() else { return };
    level::note_failure();
    if slot.prepare(Space::HOST, &slot.host).is_some() {
        slot.count_failure(&slot.host);
    }
}

impl Slot {
    /// Counts a block that the top frame allocated. `true`: [`look`] is to be called.
    #[inline(always)]
    fn host_allocated(&'static self, address: u64, bytes: u64) -> bool {
        let over = self.host.alloc(bytes);
        self.host.note_latest(address);
        over
    }

    /// Counts the free of a block of the lane that `mine`, the top frame's tag, has.
    #[inline(always)]
    fn host_freed(&'static self, mine: Tag, address: u64, bytes: u64, tag: Tag) -> Event<()> {
        let ledger = &self.host;
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
            return Event::Look(());
        }
        Event::Done(())
    }

    /// The free of a block whose home, as its tag has it, is not the current lane, or that has no row here yet.
    fn host_freed_elsewhere(&'static self, address: u64, bytes: u64, tag: Tag) {
        let ledger = &self.host;
        self.mix();
        let at_home = tag.same_lane(self.top().tag());
        let row = ledger.row_of(tag.path());
        self.sequence.open();
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
        self.sequence.close();
        if !at_home {
            self.free_elsewhere(Space::HOST, ledger, tag, bytes);
        }
        if ledger.is_watched() {
            self.look();
        }
    }
}
