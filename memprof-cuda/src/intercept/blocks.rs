//! The blocks that interception has seen: by address, their space and the context that they end with.
//!
//! The recorder keeps bytes and owner; what it does not know is which space a freed address is of, and what goes with
//! a context. The memory of this table is in no number.

use std::sync::LazyLock;

use dashmap::DashMap;
use memprof_core::__allocator::{self, Released, blind};
use memprof_core::{Space, record_alloc};

use crate::scatter::Scattered;
use crate::{events, spaces};

/// What a block is known by. A device, managed or pinned address is itself: they share one address space, which ends
/// far below bit 62. Handles, which are pointers into the driver's own memory or numbers, have a range of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

const ARRAY: u64 = 1 << 62;
const PHYSICAL: u64 = 1 << 63;

impl Key {
    pub(super) fn address(address: u64) -> Self {
        Self(address)
    }

    /// Physical memory, by its `CUmemGenericAllocationHandle`.
    pub(super) fn physical(handle: u64) -> Self {
        Self(spaces::physical(handle))
    }

    /// A `CUarray` or `CUmipmappedArray`.
    pub(super) fn array(handle: u64) -> Self {
        Self(handle & !PHYSICAL | ARRAY)
    }
}

/// A block that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// `None`: known, so that its free is none of an unknown block, but not counted.
    pub(super) space: Option<Space>,
    /// The context that it ends with; 0 for none.
    pub(super) context: u64,
    /// How often another process's memory was opened and not closed, as far as was seen: the driver gives the same address
    /// each time. 0 for a block that one call frees.
    pub(super) opens: u32,
    /// Whether it is a graph's: its address is the same at each launch, so a free says nothing of the next one.
    pub(super) stays: bool,
}

static HELD: LazyLock<DashMap<Key, Held, Scattered>> = LazyLock::new(DashMap::default);

/// Makes the table, which is none of the program's memory.
pub(super) fn prepare() {
    let _blind = blind();
    LazyLock::force(&HELD);
}

fn hidden<R>(work: impl FnOnce() -> R) -> R {
    let _blind = blind();
    work()
}

/// The driver has allocated.
pub(super) fn allocated(key: Key, held: Held, bytes: u64) {
    let before = hidden(|| HELD.insert(key, held));
    record(key, before, held, bytes);
}

fn record(key: Key, before: Option<Held>, held: Held, bytes: u64) {
    // A block of another space whose free was missed, if nobody else has recorded that. Of the same space, the recorder
    // finds it itself.
    if let Some(missed) = before.and_then(|before| before.space).filter(|space| Some(*space) != held.space) {
        drop(__allocator::release(missed, key.0));
    }
    if let Some(space) = held.space {
        record_alloc(space, key.0, bytes);
    }
}

/// The driver has opened another process's memory: a block, if it was not open already.
///
/// Unlike an address that is allocated, one that is opened may be on its way out on another thread. So what this and
/// [`closing`] record, they record under the table's lock.
pub(super) fn opened(key: Key, held: Held, bytes: u64) {
    let mut known = hidden(|| HELD.entry(key).or_insert(held));
    if known.opens == 0 {
        let before = core::mem::replace(&mut *known, held);
        record(key, Some(before), held, bytes);
    }
    known.opens += 1;
}

/// Records that an address which was opened is closed once: the last time, that its block is freed. `None` for one that
/// was not opened. If the driver refuses this while another thread closes the last time, the memory is known on, without a
/// block.
pub(super) fn closing(key: Key) -> Option<Freed> {
    let mut freed = None;
    HELD.remove_if_mut(&key, |_, held| {
        if held.opens == 0 {
            return false;
        }
        held.opens -= 1;
        let is_last = held.opens == 0;
        let once = Held { opens: 1, ..*held };
        freed = Some(if is_last { let_go(key, once) } else { Freed { key, held: Some(once), released: None } });
        is_last
    });
    freed
}

/// A block whose free is recorded while the driver is at it, or one of the several closes that it takes.
#[derive(Debug)]
pub(crate) struct Freed {
    key: Key,
    held: Option<Held>,
    released: Option<Released>,
}

/// Records the free of a block that interception has seen, or else one that a wrapper recorded before interception
/// began: in the first of `spaces` that knows it. `None` for an unknown one.
pub(super) fn free(key: Key, mut spaces: impl Iterator<Item = Space>) -> Option<Freed> {
    let mut known = |space| __allocator::release(space, key.0);
    if let Some(held) = HELD.get(&key).filter(|held| held.stays).map(|held| *held) {
        // Nothing shows that a graph gave its address back, so a wrapper's block may have come there while interception was off.
        return Some(Freed { key, held: Some(held), released: spaces.find_map(&mut known) });
    }
    if let Some(held) = take(key) {
        let mut freed = let_go(key, held);
        if held.space.is_some() && freed.released.is_none() {
            // What was seen there went while interception was off, and a wrapper's block came.
            freed.released = spaces.find_map(&mut known);
        }
        return Some(freed);
    }
    let released = spaces.find_map(known)?;
    Some(Freed { key, held: None, released: Some(released) })
}

/// The driver is about to free, in a [`WrapperCall`](events::WrapperCall): takes off the books what interception recorded at
/// this address, if it does not see this call. Call [`Freed::restore`] on the result if the driver refuses.
pub(crate) fn released_unseen(address: u64) -> Option<Freed> {
    if events::is_intercepted() {
        return None;
    }
    LazyLock::get(&HELD)?;
    let key = Key::address(address);
    take(key).map(|held| let_go(key, held))
}

fn take(key: Key) -> Option<Held> {
    HELD.remove(&key).map(|(_, held)| held)
}

fn let_go(key: Key, held: Held) -> Freed {
    let released = held.space.and_then(|space| __allocator::release(space, key.0));
    Freed { key, held: Some(held), released }
}

/// Records that all blocks which end with a context are freed.
pub(super) fn free_all_of(context: u64) -> Vec<Freed> {
    let keys = hidden(|| {
        let ending = HELD.iter().filter(|block| block.context == context);
        ending.map(|block| *block.key()).collect::<Vec<Key>>()
    });
    free_all(keys.into_iter())
}

/// Records that these blocks are freed, those that interception has seen.
pub(super) fn free_all(keys: impl ExactSizeIterator<Item = Key>) -> Vec<Freed> {
    let mut freed = hidden(|| Vec::with_capacity(keys.len()));
    for key in keys {
        if let Some(held) = take(key) {
            freed.push(let_go(key, held));
        }
    }
    freed
}

impl Freed {
    /// The driver refused: the block is live as before.
    pub(crate) fn restore(self) {
        // Locked until it is recorded, for one that may be opened or closed meanwhile.
        let _known = self
            .held
            .map(|held| hidden(|| HELD.entry(self.key).and_modify(|known| known.opens += held.opens).or_insert(held)));
        if let Some(released) = self.released {
            released.restore();
        }
    }
}
