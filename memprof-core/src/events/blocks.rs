//! Blocks of any other allocator: an arena, `mmap`, a C library, a device.
//!
//! Such a block has no room for a tag of ours, so its size, owner and home stand in a table under its space and
//! address. What the table and the space's mark say is exact at every moment. In which order an event asks the table, and
//! whose event it is, is left to `api/record`.
//!
//! The order of the steps keeps a law: no scope ever holds more of such a space than the space does. An allocation is in the mark before
//! it is in any scope, a free comes off the mark after it came off the scopes. Where somebody frees what another thread is just
//! allocating at the same address, the table decides who came first.
//!
//! An event costs two short locks, one of a shard of the table and one of the space's mark, and what an event of the host costs besides.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::base::map::{Key, Map, spread};
use crate::base::missed;
use crate::events::count::{count_alloc_shared, count_failure, free_elsewhere, prepare};
use crate::events::look::{limit_crossed, raise_peaks};
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::share::publish::publish_event;
use crate::space::mark;
use crate::space::spaces::Space;
use crate::thread::slot::Slot;

/// A live block of a space other than `host`.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub(crate) bytes: u64,
    /// [`Tag::UNKNOWN`] for memprof's own.
    pub(crate) tag: Tag,
    /// The thread that allocated it, by its slot; `None` for one that had ended.
    pub(crate) by: Option<&'static Slot>,
}

impl Key for (Space, u64) {
    fn hash(&self) -> u64 {
        spread(self.1 ^ spread(self.0.bit()))
    }
}

static BLOCKS: Map<(Space, u64), Block> = Map::new();
/// Whether there ever was a block: until then, a free while memprof is off is a load and a branch.
static USED: AtomicBool = AtomicBool::new(false);

/// Puts a block in. What stood there, or an error that was noted, is given.
pub(crate) fn insert(space: Space, address: u64, block: Block) -> Option<Result<Block, ()>> {
    if !USED.load(Ordering::Relaxed) {
        USED.store(true, Ordering::Relaxed);
    }
    BLOCKS.insert((space, address), block).map_err(missed::note).transpose()
}

/// Takes a block out, if it is known.
pub(crate) fn remove(space: Space, address: u64) -> Option<Block> {
    BLOCKS.remove(&(space, address)).unwrap_or_else(|why| {
        missed::note(why);
        None
    })
}

/// Whether there ever was a block.
pub(crate) fn is_used() -> bool {
    USED.load(Ordering::Relaxed)
}

/// Whether no block is known at an address, as far as that can be told.
pub(crate) fn is_free(space: Space, address: u64) -> bool {
    matches!(BLOCKS.get(&(space, address)), Ok(None))
}

/// A known block that is freed while memprof is off: no scope sees it.
pub(crate) fn freed_while_off(space: Space, block: &Block) {
    mark::of(space).freed(block.tag.path(), block.bytes);
    if let Some(home) = block.tag.lane() {
        home.add_outstanding(-1);
    }
}

/// Where an event of this thread is counted.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// In its slot.
    Slot(&'static Slot),
    /// In the record that ended threads share.
    Ended(&'static Slot),
}

impl Target {
    /// The thread's own.
    pub(crate) fn slot(self) -> Option<&'static Slot> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::Ended(_) => None,
        }
    }

    /// The tag of a block that is allocated now.
    pub(crate) fn tag(self) -> Tag {
        match self {
            Self::Slot(slot) => slot.top().tag(),
            Self::Ended(slot) => slot.shared_lane().map_or(Tag::UNKNOWN, |lane| Tag::new(lane, PathId::ROOT)),
        }
    }

    /// Counts a block.
    pub(crate) fn allocated(self, space: Space, address: u64, bytes: u64) {
        match self {
            Self::Slot(slot) => {
                let Some(ledger) = slot.ledger(space) else { return };
                if prepare(slot, space, ledger).is_none() {
                    return;
                }
                let crossed = ledger.alloc(bytes);
                slot.add_outstanding(1);
                ledger.note_latest(address);
                if crossed {
                    limit_crossed(slot, ledger);
                }
                publish(slot, space, bytes.cast_signed(), 1);
            }
            Self::Ended(slot) => {
                if let (Some(ledger), Some(lane)) = (slot.ledger(space), slot.shared_lane()) {
                    let _ = count_alloc_shared(slot, ledger, bytes);
                    lane.add_outstanding(1);
                }
            }
        }
    }

    /// Counts an allocation that failed.
    pub(crate) fn failed(self, space: Space) {
        mark::of(space).failed += 1;
        if let Self::Slot(slot) = self
            && let Some(ledger) = slot.ledger(space)
            && prepare(slot, space, ledger).is_some()
        {
            count_failure(slot, ledger);
        }
    }

    /// Counts a free that nobody recorded, of a block whose address is given once more.
    pub(crate) fn missed(self, space: Space, address: u64, block: &Block) {
        if block.tag != Tag::UNKNOWN {
            mark::of(space).missed_frees += 1;
            self.freed(space, address, block);
        }
    }

    /// Counts the free of a block; whether it was a `temporary` one.
    ///
    /// A block is in the mark before it is in any scope, and comes off it after those: no scope ever holds more.
    pub(crate) fn freed(self, space: Space, address: u64, block: &Block) -> bool {
        let temporary = self.freed_in_scopes(space, address, block);
        mark::of(space).freed(block.tag.path(), block.bytes);
        temporary
    }

    fn freed_in_scopes(self, space: Space, address: u64, block: &Block) -> bool {
        let slot = match self {
            Self::Slot(slot) => slot,
            Self::Ended(_) => {
                if let Some(home) = block.tag.lane() {
                    home.hand_over(space, block.bytes);
                }
                return false;
            }
        };
        let Some(ledger) = slot.ledger(space) else { return false };
        if prepare(slot, space, ledger).is_none() {
            return false;
        }
        let mut temporary = false;
        if block.by.is_some_and(|by| core::ptr::eq(by, slot))
            && ledger.was_latest(address)
            && let Some(row) = ledger.row_of(block.tag.path())
        {
            row.temporary.add(1);
            temporary = true;
        }
        let seen = if block.tag.same_lane(slot.top().tag()) {
            ledger.free(block.bytes, || ());
            slot.add_outstanding(-1);
            true
        } else {
            free_elsewhere(slot, space, ledger, block.tag, block.bytes)
        };
        if seen {
            publish(slot, space, -block.bytes.cast_signed(), -1);
        }
        temporary
    }

    /// Takes back [`freed`](Self::freed): the block is live after all. Watermarks that were raised meanwhile stay.
    pub(crate) fn restored(self, space: Space, address: u64, block: &Block, temporary: bool) {
        mark::of(space).restored(block.tag.path(), block.bytes);
        let Self::Slot(slot) = self else { return take_back(space, block) };
        let Some(ledger) = slot.ledger(space) else { return };
        if prepare(slot, space, ledger).is_none() {
            return;
        }
        if temporary {
            ledger.note_latest(address);
            if let Some(row) = ledger.row_of(block.tag.path()) {
                row.temporary.sub(1);
            }
        }
        let home = block.tag.lane();
        let here = block.tag.same_lane(slot.top().tag());
        if !here && !home.is_some_and(|home| home.leaves_to(slot.lane.get())) {
            return take_back(space, block);
        }
        slot.adjust_level(ledger, block.bytes.wrapping_neg(), 1_u64.wrapping_neg());
        if here {
            slot.add_outstanding(1);
        } else if let Some(home) = home {
            home.add_outstanding(1);
        }
        raise_peaks(slot, ledger);
        publish(slot, space, block.bytes.cast_signed(), 1);
    }
}

/// Publishes an event of the top frame.
fn publish(slot: &'static Slot, space: Space, bytes: i64, blocks: i64) {
    if slot.sharing.get().is_some() {
        publish_event(slot, space, bytes, blocks);
    }
}

/// Takes back a hand-over.
fn take_back(space: Space, block: &Block) {
    if let Some(home) = block.tag.lane() {
        home.take_back(space, block.bytes);
    }
}
