//! What an event changes in a slot, whatever the space: the row of the owner, the ledger, and who has the block out.
//!
//! Three things are kept in step for each block that has a home: the owner's live numbers, which fall wherever it is freed; the level of the
//! home lane's scopes, which only that lane changes; and the number of blocks that the lane has out, which keeps the lane from
//! becoming somebody else's.
//!
//! An allocation and a free of the current lane change the ledger alone ([`Ledger::alloc`], [`Ledger::free`]); here is what
//! is rarer. Which of these an event is made of is left to [`host`](super::host) and [`blocks`](super::blocks).

use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::space::spaces::Space;
use crate::thread::ledger::Ledger;
use crate::thread::row::Row;
use crate::thread::slot::Slot;

/// Makes the top frame ready for an event in `ledger`.
#[inline(always)]
pub(crate) fn prepare(slot: &'static Slot, space: Space, ledger: &'static Ledger) -> Option<()> {
    if slot.top().has(space.bit()) { Some(()) } else { slot.touch(space, ledger) }
}

/// Lowers what `path` owns.
pub(crate) fn disown(slot: &'static Slot, ledger: &'static Ledger, path: PathId, bytes: u64) {
    let Some(row) = ledger.row_of(path) else { return };
    slot.note_foreign_frees();
    slot.sequence.begin_write();
    row.freed_bytes.add(bytes);
    row.freed_blocks.add(1);
    slot.sequence.end_write();
}

/// Counts the free of a block whose home is not the current lane as its tag has it: the home ended and left it
/// to the current lane, or it is handed over. `true`: it was counted here.
#[cold]
pub(crate) fn free_elsewhere(slot: &'static Slot, space: Space, ledger: &'static Ledger, tag: Tag, bytes: u64) -> bool {
    let Some(home) = tag.lane() else { return false };
    let heir = home.heir();
    if let Some(ambient) = slot.ambient_frame().filter(|frame| core::ptr::eq(*frame, slot.top()))
        && let Some(heir) = heir.filter(|heir| ambient.lane_below.is(heir))
        && prepare(slot, space, ledger).is_some()
    {
        // Of the thread's own lane, which is not the current one where the thread works for an ambient scope.
        slot.adjust_level(ledger, bytes, 1);
        if core::ptr::eq(home, heir) {
            ambient.outstanding_below.sub(1);
        } else {
            home.add_outstanding(-1);
        }
        return true;
    }
    if !home.leaves_to(slot.lane.get()) || prepare(slot, space, ledger).is_none() {
        if space == Space::HOST {
            slot.free_foreign(bytes);
        }
        home.hand_over(space, bytes);
        return false;
    }
    slot.adjust_level(ledger, bytes, 1);
    home.add_outstanding(-1);
    true
}

/// Makes the current lane the home of a block, if the block's home ended and left it to this lane.
#[cold]
pub(crate) fn adopt(slot: &'static Slot, tag: Tag) -> bool {
    let Some(home) = tag.lane() else { return false };
    if !home.leaves_to(slot.lane.get()) {
        return false;
    }
    slot.note_foreign_frees();
    slot.add_outstanding(1);
    home.add_outstanding(-1);
    true
}

/// Counts a reallocation by the top frame, which is prepared, of a block of this lane. `old` is the row of its
/// owner.
#[inline]
pub(crate) fn count_realloc(
    slot: &'static Slot,
    ledger: &'static Ledger,
    old: Option<&'static Row>,
    from: u64,
    to: u64,
) {
    if to < from {
        count_shorter(slot, ledger, old, from, to);
    } else {
        count_resized(slot, ledger, old, from, to);
    }
}

/// [`count_realloc`] of a block that becomes shorter: the peaks are raised before something is taken off.
#[inline(never)]
fn count_shorter(slot: &'static Slot, ledger: &'static Ledger, old: Option<&'static Row>, from: u64, to: u64) {
    let _change = slot.begin_change();
    count_resized(slot, ledger, old, from, to);
}

/// [`count_realloc`] where no peak has to be raised first.
#[inline(always)]
fn count_resized(slot: &'static Slot, ledger: &'static Ledger, old: Option<&'static Row>, from: u64, to: u64) {
    slot.sequence.begin_write();
    ledger.realloc(from, to);
    let row = ledger.row();
    let grown = to.saturating_sub(from);
    row.alloc_bytes.add(grown);
    if old.is_some_and(|old| core::ptr::eq(old, row)) {
        row.freed_bytes.add(from.saturating_sub(to));
    } else {
        // Live bytes move from the owner to the current path: `from` less there, `to` more here, of which
        // `grown` are counted already.
        if let Some(old) = old {
            old.freed_bytes.add(from);
            old.freed_blocks.add(1);
        }
        row.freed_bytes.sub(to - grown);
        row.freed_blocks.sub(1);
    }
    slot.sequence.end_write();
}

/// Counts the second half of a reallocation by the top frame, which is prepared, of a block that was freed elsewhere.
pub(crate) fn count_realloc_here(slot: &'static Slot, ledger: &'static Ledger, to: u64) {
    slot.sequence.begin_write();
    ledger.realloc_here(to);
    slot.sequence.end_write();
}

/// Counts a failure of the upstream.
pub(crate) fn count_failure(slot: &'static Slot, ledger: &'static Ledger) {
    slot.sequence.begin_write();
    ledger.fail();
    slot.sequence.end_write();
}

/// Counts an allocation in the record that ended threads share: no scope, no lane of its own thread, and several writers.
pub(crate) fn count_alloc_shared(slot: &'static Slot, ledger: &'static Ledger, bytes: u64) -> Option<()> {
    let row = ledger.row_of(PathId::ROOT)?;
    slot.sequence.begin_write_shared();
    row.alloc_bytes.add_shared(bytes);
    row.alloc_blocks.add_shared(1);
    slot.sequence.end_write_shared();
    Some(())
}

/// Counts a free in the record that ended threads share.
pub(crate) fn count_free_shared(slot: &'static Slot, space: Space, ledger: &'static Ledger, tag: Tag, bytes: u64) {
    if let Some(row) = ledger.row_of(tag.path()) {
        slot.sequence.begin_write_shared();
        row.freed_bytes.add_shared(bytes);
        row.freed_blocks.add_shared(1);
        slot.sequence.end_write_shared();
    }
    if let Some(home) = tag.lane() {
        home.hand_over(space, bytes);
    }
}
