//! Events of the global allocator.
//!
//! Nothing in here allocates through the global allocator, locks, formats or panics.

use crate::frame::Tag;
use crate::mark;
use crate::path::PathId;
use crate::scopes;
use crate::slot::Slot;
use crate::space::Space;
use crate::state;
use crate::thread::{self, Place};

/// Host failures of all threads: rare enough for one word.
static FAILURES: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

/// Host failures so far.
pub(crate) fn failures() -> u64 {
    FAILURES.load(core::sync::atomic::Ordering::Relaxed)
}

/// Records a block that upstream has allocated, and gives its tag.
#[inline(always)]
pub(crate) fn allocated(address: u64, bytes: u64) -> Tag {
    let state = state::load();
    if !state::is_on(state) {
        return Tag::UNKNOWN;
    }
    match thread::current() {
        Some(slot) if slot.state.get() == u64::from(state) && slot.host.touched.is(slot.top()) => {
            slot.host_allocated(address, bytes)
        }
        _ => allocated_slowly(address, bytes),
    }
}

#[cold]
#[inline(never)]
fn allocated_slowly(address: u64, bytes: u64) -> Tag {
    let Some(slot) = scopes::ready() else {
        return if state::is_on(state::load()) && matches!(thread::place(), Place::Ended) {
            allocated_after_end(bytes)
        } else {
            Tag::UNKNOWN
        };
    };
    if slot.prepare(Space::HOST, &slot.host).is_none() {
        return Tag::UNKNOWN;
    }
    slot.host_allocated(address, bytes)
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
pub(crate) fn freed(address: u64, bytes: u64, tag: Tag) {
    if tag == Tag::UNKNOWN {
        return;
    }
    let state = state::load();
    match thread::current() {
        Some(slot)
            if state::is_on(state) && slot.state.get() == u64::from(state) && slot.host.touched.is(slot.top()) =>
        {
            slot.host_freed(address, bytes, tag);
        }
        _ => freed_slowly(address, bytes, tag),
    }
}

#[cold]
#[inline(never)]
fn freed_slowly(address: u64, bytes: u64, tag: Tag) {
    if let Some(slot) = scopes::ready() {
        if slot.prepare(Space::HOST, &slot.host).is_some() {
            slot.host_freed(address, bytes, tag);
        }
        return;
    }
    if state::is_on(state::load())
        && let Place::Ended = thread::place()
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
    if let Some(slot) = thread::own() {
        slot.disown(&slot.host, tag.path(), bytes);
        slot.net.bytes.sub(bytes);
        slot.net.blocks.sub(1);
        slot.net.publish();
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
    if tag == Tag::UNKNOWN {
        return allocated(address, to);
    }
    let Some(slot) = scopes::ready() else {
        freed_slowly(address, from, tag);
        return if state::is_on(state::load()) && matches!(thread::place(), Place::Ended) {
            allocated_after_end(to)
        } else {
            Tag::UNKNOWN
        };
    };
    if slot.prepare(Space::HOST, &slot.host).is_none() {
        freed_unseen(from, tag);
        return Tag::UNKNOWN;
    }
    let ledger = &slot.host;
    let top = slot.top().tag();
    let at_home = tag.same_lane(top) || slot.adopt(tag);
    if !at_home {
        slot.disown(ledger, tag.path(), from);
        slot.free_elsewhere(Space::HOST, ledger, tag, from);
    }
    slot.count_realloc(ledger, tag.path(), at_home, from, to);
    ledger.note_latest(address, top);
    slot.net.bytes.add(to.wrapping_sub(from));
    slot.look_if_due();
    top
}

/// Records that upstream had no memory.
#[cold]
pub(crate) fn failed() {
    let Some(slot) = scopes::ready() else { return };
    FAILURES.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    if slot.prepare(Space::HOST, &slot.host).is_some() {
        slot.count_failure(&slot.host);
    }
}

impl Slot {
    #[inline(always)]
    fn host_allocated(&'static self, address: u64, bytes: u64) -> Tag {
        let ledger = &self.host;
        self.count_alloc(ledger, bytes);
        let tag = self.top().tag();
        ledger.note_latest(address, tag);
        let net = self.net.bytes.add(bytes).cast_signed();
        let blocks = self.net.blocks.add(1).cast_signed();
        if net > self.net.watch_high.signed() || blocks > self.net.watch_blocks.signed() {
            self.look();
        }
        tag
    }

    #[inline(always)]
    fn host_freed(&'static self, address: u64, bytes: u64, tag: Tag) {
        let ledger = &self.host;
        let top = self.top().tag();
        let ticket = self.sequence.open();
        // Mostly a scope frees what it allocated itself.
        let row = if tag == top { Some(ledger.row.get()) } else { ledger.row_of(tag.path()) };
        let at_home = tag.same_lane(top);
        if let Some(row) = row {
            row.freed_bytes.add(bytes);
            row.freed_blocks.add(1);
            if ledger.was_latest(address, tag) {
                row.temporary.add(1);
            }
        }
        if at_home {
            self.count_free(ledger, bytes);
            self.sequence.close(ticket);
        } else {
            self.sequence.close(ticket);
            self.free_elsewhere(Space::HOST, ledger, tag, bytes);
        }
        let net = self.net.bytes.sub(bytes).cast_signed();
        self.net.blocks.sub(1);
        if net < self.net.watch_low.signed() {
            self.look();
        }
    }

    fn look_if_due(&'static self) {
        let net = self.net.bytes.signed();
        if net > self.net.watch_high.signed() || net < self.net.watch_low.signed() {
            self.look();
        }
    }

    /// The thread's net bytes left what it watches.
    #[cold]
    #[inline(never)]
    fn look(&'static self) {
        if self.net.look() {
            mark::picture();
        }
        if self.sharing.get().is_some() {
            self.publish_shared(mark::STEP);
        }
    }
}
