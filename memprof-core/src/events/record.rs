//! Events of any other allocator: an arena, `mmap`, a C library, a device.
//!
//! Such a block has no room for a tag of ours, so its size, owner and home stand in a table under its space and
//! address. What the table and the space's mark say is exact at every moment.
//!
//! An allocator that the program wraps may report from inside of the recorder, where that makes something for the program, such as a
//! snapshot: then the thread is hidden. What is allocated there is memprof's own memory, and in no number; its block stands in the table
//! all the same, so that its free is no unknown one. A known block that is freed there is freed as if memprof were off.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::api::host;
use crate::base::blind;
use crate::base::map::{Key, Map, Refused, spread};
use crate::base::missed;
use crate::base::state;
use crate::events::count::{count_alloc_shared, count_failure, free_elsewhere, prepare};
use crate::events::look::{limit_crossed, raise_peaks};
use crate::lanes::lane::Lane;
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::process::ready::{has_ended, ready};
use crate::space::mark::{self, MOST_BYTES};
use crate::space::spaces::Space;
use crate::thread::slot::Slot;

/// A live block of a space other than `host`.
#[derive(Clone, Copy)]
struct Block {
    bytes: u64,
    /// [`Tag::UNKNOWN`] for memprof's own.
    tag: Tag,
    /// The thread that allocated it, by its slot; `None` for one that had ended.
    by: Option<&'static Slot>,
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
fn insert(space: Space, address: u64, block: Block) -> Option<Result<Block, ()>> {
    if !USED.load(Ordering::Relaxed) {
        USED.store(true, Ordering::Relaxed);
    }
    BLOCKS.insert((space, address), block).map_err(missed::note).transpose()
}

/// Takes a block out, if it is known.
fn remove(space: Space, address: u64) -> Option<Block> {
    BLOCKS.remove(&(space, address)).unwrap_or_else(|why| {
        missed::note(why);
        None
    })
}

/// Records that a block was allocated: call it after the allocator succeeded.
///
/// For any allocator but the global one: an arena, `mmap`, a C library, a device. Thread-safe, never panics, never
/// fails the caller; costs some 200 ns while memprof measures, and a load and a branch while it does not. Any number
/// is an address, 0 too. If a block is known to be live at that address, its free was missed: it is freed first,
/// and counted in `missed_frees`. A space counts 2^63 - 1 bytes in the life of the process (half as many are counted here
/// of [`Space::HOST`]); what does not fit any more counts as a block of what is left. Events of [`Space::HOST`] come from [`Alloc`](crate::Alloc); one that is recorded
/// here stands beside those.
///
/// ```
/// # use memprof_core as memprof;
/// let arena = memprof::Space::named("arena");
/// memprof::record_alloc(arena, 0x1000, 4096);
/// memprof::record_free(arena, 0x1000);
/// ```
pub fn record_alloc(space: Space, address: u64, bytes: u64) {
    if !state::is_on() {
        return;
    }
    if space == Space::HOST {
        return record_host_alloc(address, bytes);
    }
    let Some(spot) = Spot::of(space) else { return record_own_alloc(space, address) };
    let _blind = blind::enter();
    let tag = spot.tag();
    if tag == Tag::UNKNOWN {
        return missed::note(Refused::NoMemory);
    }
    if let Some(missed) = remove(space, address) {
        spot.missed(space, address, &missed);
    }
    let (owner, bytes) = mark::of(space).allocated(tag.path(), bytes);
    spot.allocated(space, address, bytes);
    let block = Block { bytes, tag: tag.with_path(owner), by: spot.slot() };
    match insert(space, address, block) {
        None => {}
        // Another thread recorded the same address at the same moment.
        Some(Ok(raced)) => spot.missed(space, address, &raced),
        // Its free could not be known.
        Some(Err(())) => {
            spot.freed(space, address, &block);
        }
    }
}

/// A block of memprof's own, which is in no number.
#[cold]
fn record_own_alloc(space: Space, address: u64) {
    // It may be off, or the thread may not be recorded.
    if blind::is_blind() {
        insert(space, address, Block { bytes: 0, tag: Tag::UNKNOWN, by: None });
    }
}

/// Records that a block is being freed: call it before the allocator takes it back, so that no other thread can get
/// the address first.
///
/// An unknown address is counted in `unknown_frees` while memprof measures, and otherwise ignored. A known block
/// lowers what its space and its owner hold also while memprof is off; no scope sees it then.
pub fn record_free(space: Space, address: u64) {
    let on = state::is_on();
    if !on && !USED.load(Ordering::Relaxed) {
        return;
    }
    if space == Space::HOST {
        return record_host_free(address, on);
    }
    let spot = if on { Spot::of(space) } else { None };
    let _blind = blind::enter();
    match (remove(space, address), spot) {
        (Some(block), _) if block.tag == Tag::UNKNOWN => {}
        (Some(block), Some(spot)) => {
            spot.freed(space, address, &block);
        }
        (Some(block), None) => freed_while_off(space, &block),
        (None, Some(_)) => mark::of(space).unknown_frees += 1,
        (None, None) => {}
    }
}

/// A known block that is freed while memprof is off: no scope sees it.
fn freed_while_off(space: Space, block: &Block) {
    mark::of(space).freed(block.tag.path(), block.bytes);
    if let Some(home) = block.tag.lane() {
        home.add_outstanding(-1);
    }
}

/// Records that an allocation of `bytes` failed: it is counted in `failed`, and changes nothing else.
pub fn record_alloc_failure(space: Space, bytes: u64) {
    let _ = bytes;
    if !state::is_on() {
        return;
    }
    if space == Space::HOST {
        return host::failed();
    }
    let Some(spot) = Spot::of(space) else { return };
    let _blind = blind::enter();
    mark::of(space).failed += 1;
    if let Spot::Slot(slot) = spot
        && let Some(ledger) = slot.ledger(space)
        && prepare(slot, space, ledger).is_some()
    {
        count_failure(slot, ledger);
    }
}

impl Slot {
    /// Publishes an event of the top frame.
    fn publish(&'static self, space: Space, bytes: i64, blocks: i64) {
        if self.sharing.get().is_some() {
            self.publish_event(space, bytes, blocks);
        }
    }
}

/// A host block of another allocator stands in the table, and is counted as the global allocator's blocks are.
fn record_host_alloc(address: u64, bytes: u64) {
    let missed = hidden(|| remove(Space::HOST, address));
    if let Some(missed) = missed.filter(|missed| missed.tag != Tag::UNKNOWN) {
        hidden(|| mark::of(Space::HOST).missed_frees += 1);
        host::freed_slowly(address, missed.bytes, missed.tag);
    }
    if blind::is_blind() {
        return record_own_alloc(Space::HOST, address);
    }
    let bytes = hidden(|| mark::of(Space::HOST).fitting(bytes, MOST_BYTES / 2));
    let tag = host::allocated_slowly(address, bytes);
    if tag == Tag::UNKNOWN {
        return;
    }
    let refused = hidden(|| insert(Space::HOST, address, Block { bytes, tag, by: None }));
    if let Some(Err(())) = refused {
        host::freed_slowly(address, bytes, tag);
    }
}

fn record_host_free(address: u64, on: bool) {
    match hidden(|| remove(Space::HOST, address)) {
        Some(block) => host::freed_slowly(address, block.bytes, block.tag),
        None if on && !blind::is_blind() => hidden(|| mark::of(Space::HOST).unknown_frees += 1),
        None => {}
    }
}

fn hidden<R>(work: impl FnOnce() -> R) -> R {
    let _blind = blind::enter();
    work()
}

/// Takes back a hand-over.
fn take_back(space: Space, block: &Block) {
    if let Some(home) = block.tag.lane() {
        home.take_back(space, block.bytes);
    }
}

/// A block whose free was recorded before the allocator took it back; see [`release`].
#[must_use = "dropped, the free stands; `restore` it if the allocator refuses"]
pub struct Released {
    space: Space,
    address: u64,
    /// Until this is dropped; its home is held meanwhile, so that it stays the home.
    block: Option<Block>,
    /// Whether memprof measured then.
    on: bool,
    temporary: bool,
}

impl core::fmt::Debug for Released {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Released").field("space", &self.space).field("address", &self.address).finish_non_exhaustive()
    }
}

/// Records the free of a block if it is known, and gives what takes that back; changes nothing for an unknown one.
pub fn release(space: Space, address: u64) -> Option<Released> {
    if !USED.load(Ordering::Relaxed) {
        return None;
    }
    let on = state::is_on();
    let spot = if on { Spot::of(space) } else { None };
    let _blind = blind::enter();
    let block = remove(space, address).filter(|block| block.tag != Tag::UNKNOWN)?;
    if let Some(home) = block.tag.lane() {
        home.hold();
    }
    let temporary = if let Some(spot) = spot {
        spot.freed(space, address, &block)
    } else {
        freed_while_off(space, &block);
        false
    };
    Some(Released { space, address, block: Some(block), on: spot.is_some(), temporary })
}

impl Released {
    /// The bytes of the block.
    pub fn bytes(&self) -> u64 {
        self.block.as_ref().map_or(0, |block| block.bytes)
    }

    /// The allocator refused: the block is live as if nothing had happened. Call it on the thread that released, in
    /// the scope in which it did.
    pub fn restore(mut self) {
        let spot = if self.on { Spot::of(self.space) } else { None };
        let _blind = blind::enter();
        if !matches!(BLOCKS.get(&(self.space, self.address)), Ok(None)) {
            // The address was given to somebody meanwhile, so it was free after all.
            return;
        }
        let Some(block) = self.block.take() else { return };
        if let Some(spot) = spot {
            spot.restored(self.space, self.address, &block, self.temporary);
        } else {
            mark::of(self.space).restored(block.tag.path(), block.bytes);
            if let Some(home) = block.tag.lane() {
                home.add_outstanding(1);
            }
        }
        let home = block.tag.lane();
        insert(self.space, self.address, block);
        if let Some(home) = home {
            home.release();
        }
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        if let Some(home) = self.block.take().and_then(|block| block.tag.lane()) {
            home.release();
        }
    }
}

/// Counts a free of an address that nobody recorded, while memprof measures.
pub fn unknown_free(space: Space) {
    if state::is_on() {
        let _blind = blind::enter();
        mark::of(space).unknown_frees += 1;
    }
}

/// Where an event of this thread is counted.
#[derive(Clone, Copy)]
enum Spot {
    Slot(&'static Slot),
    Ended(&'static Slot),
}

impl Spot {
    fn of(space: Space) -> Option<Self> {
        if let Some(slot) = ready() {
            return slot.ledger(space).map(|_| Self::Slot(slot));
        }
        has_ended().then(|| Self::Ended(Slot::ended()))
    }

    fn slot(self) -> Option<&'static Slot> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::Ended(_) => None,
        }
    }

    fn tag(self) -> Tag {
        match self {
            Self::Slot(slot) => slot.top().tag(),
            Self::Ended(slot) => slot.shared_lane().map_or(Tag::UNKNOWN, |lane| Tag::new(lane, PathId::ROOT)),
        }
    }

    fn allocated(self, space: Space, address: u64, bytes: u64) {
        match self {
            Self::Slot(slot) => {
                let Some(ledger) = slot.ledger(space) else { return };
                if prepare(slot, space, ledger).is_none() {
                    return;
                }
                let over = ledger.alloc(bytes);
                slot.add_outstanding(1);
                ledger.note_latest(address);
                if over {
                    limit_crossed(slot, ledger);
                }
                slot.publish(space, bytes.cast_signed(), 1);
            }
            Self::Ended(slot) => {
                if let (Some(ledger), Some(lane)) = (slot.ledger(space), slot.shared_lane()) {
                    let _ = count_alloc_shared(slot, ledger, bytes);
                    lane.add_outstanding(1);
                }
            }
        }
    }

    /// Counts a free that nobody recorded, of a block whose address is given once more.
    fn missed(self, space: Space, address: u64, block: &Block) {
        if block.tag != Tag::UNKNOWN {
            mark::of(space).missed_frees += 1;
            self.freed(space, address, block);
        }
    }

    /// Counts the free of a block; whether it was a `temporary` one.
    ///
    /// A block is in the mark before it is in any scope, and comes off it after those: no scope ever holds more.
    fn freed(self, space: Space, address: u64, block: &Block) -> bool {
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
            slot.publish(space, -block.bytes.cast_signed(), -1);
        }
        temporary
    }

    /// Takes back [`freed`](Self::freed): the block is live after all. Watermarks that were raised meanwhile stay.
    fn restored(self, space: Space, address: u64, block: &Block, temporary: bool) {
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
        if !here && !home.and_then(Lane::heir).is_some_and(|heir| slot.lane.is(heir)) {
            return take_back(space, block);
        }
        slot.lower(ledger, block.bytes.wrapping_neg(), 1_u64.wrapping_neg());
        if here {
            slot.add_outstanding(1);
        } else if let Some(home) = home {
            home.add_outstanding(1);
        }
        raise_peaks(slot, ledger);
        slot.publish(space, block.bytes.cast_signed(), 1);
    }
}
