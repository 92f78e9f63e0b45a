//! Physical memory of the driver's virtual memory functions: it lives until its last handle is released and its last
//! mapping is gone, in whichever order.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use memprof_core::__allocator::blind;

/// What holds a piece of physical memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holds {
    handles: u64,
    mappings: u64,
}

/// Memory that was made before interception began has a handle that nobody counted.
const UNCOUNTED: Holds = Holds { handles: 1, mappings: 0 };

#[derive(Debug, Default)]
struct Pieces {
    /// By handle.
    holds: HashMap<u64, Holds>,
    /// By first address: the bytes and the handle.
    mappings: BTreeMap<u64, (u64, u64)>,
    /// Handles that are mapped into parts of sparse arrays.
    tiles: HashMap<Tile, u64>,
}

/// A part of a sparse array: the array's handle, and the words of `CUarrayMapInfo` that say which part.
pub(super) type Tile = (u64, [u64; 5]);

static PIECES: LazyLock<Mutex<Pieces>> = LazyLock::new(Mutex::default);

fn pieces() -> MutexGuard<'static, Pieces> {
    PIECES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Physical memory was made, with its first handle. What was known of an earlier one of that name is out of date.
pub(super) fn created(handle: u64) {
    let _blind = blind();
    pieces().holds.insert(handle, Holds { handles: 1, mappings: 0 });
}

/// A shareable handle was imported. Whether that gives the creator's handle once more is left open: "There is no guarantee that
/// the contents of handle will be the same CUDA memory handle for the same given OS shareable handle, or the same underlying
/// allocation" (`cuda.h` 13.5:13789). If it is one that is known, it holds the same memory once more. Whether it is.
pub(super) fn imported(handle: u64) -> bool {
    let _blind = blind();
    let mut pieces = pieces();
    let known = pieces.holds.contains_key(&handle);
    pieces.holds.entry(handle).or_default().handles += 1;
    known
}

/// One more handle was taken of the same memory.
pub(super) fn retained(handle: u64) {
    let _blind = blind();
    pieces().holds.entry(handle).or_default().handles += 1;
}

/// A handle is about to be released: whether that ends the memory. An unknown one ends its own.
pub(super) fn releasing(handle: u64) -> bool {
    let _blind = blind();
    let mut pieces = pieces();
    let Some(holds) = pieces.holds.get_mut(&handle) else { return true };
    holds.handles = holds.handles.saturating_sub(1);
    pieces.ends(handle)
}

/// It was not released.
pub(super) fn not_released(handle: u64) {
    retained(handle);
}

/// The memory of a handle was mapped to `bytes` bytes at this address.
pub(super) fn mapped(address: u64, bytes: u64, handle: u64) {
    let _blind = blind();
    let mut pieces = pieces();
    if let Some((_, missed)) = pieces.mappings.insert(address, (bytes, handle)) {
        // It was taken away while nobody looked.
        if let Some(holds) = pieces.holds.get_mut(&missed) {
            holds.mappings = holds.mappings.saturating_sub(1);
        }
    }
    let holds = pieces.holds.entry(handle).or_insert(UNCOUNTED);
    holds.mappings += 1;
}

/// A mapping that is being taken away: its address, bytes and handle.
pub(super) type Mapping = (u64, u64, u64);

/// All mappings in `bytes` bytes from this address are about to be taken away: which they are, and the handles whose
/// memory that ends.
pub(super) fn unmapping(address: u64, bytes: u64) -> (Vec<Mapping>, Vec<u64>) {
    let _blind = blind();
    let mut pieces = pieces();
    let end = address.saturating_add(bytes);
    let within = pieces.mappings.range(address..end);
    let gone: Vec<Mapping> = within.map(|(&address, &(bytes, handle))| (address, bytes, handle)).collect();
    let mut ended = Vec::new();
    for &(address, _, handle) in &gone {
        pieces.mappings.remove(&address);
        ended.extend(pieces.unmapped_once(handle));
    }
    (gone, ended)
}

/// What a part of a sparse array shows: the handle that it showed before, 0 for none.
pub(super) type Shown = (Tile, u64);

/// The memory of a handle is about to be mapped into a part of a sparse array, or, with 0, to be mapped there no longer. What the part
/// showed, and the handle whose memory that ends.
pub(super) fn tile_mapping(tile: Tile, handle: u64) -> (Shown, Option<u64>) {
    let _blind = blind();
    let mut pieces = pieces();
    let before = pieces.show(tile, handle, UNCOUNTED);
    let ended = before.and_then(|before| pieces.unmapped_once(before));
    ((tile, before.unwrap_or(0)), ended)
}

/// A sparse array is about to go, and all that was mapped into it: what its parts showed, and the handles whose memory that ends.
pub(super) fn array_going(array: u64) -> (Vec<Shown>, Vec<u64>) {
    let _blind = blind();
    let mut pieces = pieces();
    let shown: Vec<Shown> = pieces.tiles.extract_if(|tile, _| tile.0 == array).collect();
    let ended = shown.iter().filter_map(|&(_, handle)| pieces.unmapped_once(handle)).collect();
    (shown, ended)
}

/// The parts of arrays show what they did: it was refused. Gives the handles whose memory nothing but that mapping held any more.
pub(super) fn not_shown(shown: &[Shown]) -> Vec<u64> {
    let _blind = blind();
    let mut pieces = pieces();
    let mut ended = Vec::new();
    // What was done last is taken back first.
    for &(tile, before) in shown.iter().rev() {
        if let Some(now) = pieces.show(tile, before, Holds::default()) {
            ended.extend(pieces.unmapped_once(now));
        }
    }
    ended
}

/// They were not taken away; `ended` are the handles that would have ended.
pub(super) fn not_unmapped(gone: &[Mapping]) {
    let _blind = blind();
    let mut pieces = pieces();
    for &(address, bytes, handle) in gone {
        pieces.mappings.insert(address, (bytes, handle));
        pieces.holds.entry(handle).or_default().mappings += 1;
    }
}

impl Pieces {
    /// A part of an array shows this handle's memory, or with 0 none; one that is not known has these holds. The one that it showed before.
    fn show(&mut self, tile: Tile, handle: u64, unknown: Holds) -> Option<u64> {
        if handle == 0 {
            return self.tiles.remove(&tile);
        }
        self.holds.entry(handle).or_insert(unknown).mappings += 1;
        self.tiles.insert(tile, handle)
    }

    /// A mapping of this handle is gone. The handle, if that ends its memory.
    fn unmapped_once(&mut self, handle: u64) -> Option<u64> {
        if let Some(holds) = self.holds.get_mut(&handle) {
            holds.mappings = holds.mappings.saturating_sub(1);
        }
        self.ends(handle).then_some(handle)
    }

    /// Forgets a piece that nothing holds any more.
    fn ends(&mut self, handle: u64) -> bool {
        if self.holds.get(&handle) != Some(&Holds::default()) {
            return false;
        }
        self.holds.remove(&handle);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{
        array_going, created, imported, mapped, not_released, not_shown, not_unmapped, releasing, retained,
        tile_mapping, unmapping,
    };

    #[test]
    fn memory_outlives_its_handle_while_it_is_mapped() {
        created(0xA1);
        mapped(0x1000, 0x100, 0xA1);
        mapped(0x1100, 0x100, 0xA1);
        assert!(!releasing(0xA1));
        assert_eq!(unmapping(0x1000, 0x100), (vec![(0x1000, 0x100, 0xA1)], vec![]));
        assert_eq!(unmapping(0x1000, 0x1000), (vec![(0x1100, 0x100, 0xA1)], vec![0xA1]));
    }

    #[test]
    fn memory_outlives_its_mapping_while_a_handle_is_held() {
        created(0xA2);
        mapped(0x2000, 0x100, 0xA2);
        retained(0xA2);
        assert!(unmapping(0x2000, 0x100).1.is_empty());
        assert!(!releasing(0xA2));
        assert!(releasing(0xA2));
    }

    #[test]
    fn a_handle_that_comes_again_begins_anew() {
        created(0xA4);
        mapped(0x4000, 0x100, 0xA4);
        created(0xA4);
        assert!(releasing(0xA4));
    }

    #[test]
    fn an_import_that_gives_the_creators_handle_holds_the_memory_once_more() {
        created(0xA5);
        assert!(imported(0xA5));
        assert!(!releasing(0xA5));
        assert!(releasing(0xA5));
        assert!(!imported(0xA6), "a handle of its own");
        assert!(imported(0xA6), "imported twice");
        assert!(!releasing(0xA6));
        assert!(releasing(0xA6));
    }

    #[test]
    fn memory_outlives_its_handle_while_a_sparse_array_shows_it() {
        let (array, tile, other) = (0xB0, [0; 5], [1, 0, 0, 0, 0]);
        let show = |tile, handle| tile_mapping((array, tile), handle).1;
        created(0xA7);
        assert_eq!((show(tile, 0xA7), show(other, 0xA7)), (None, None));
        assert!(!releasing(0xA7));
        assert_eq!(show(tile, 0), None);
        assert_eq!(show(tile, 0), None, "nothing is there");
        assert_eq!(array_going(array), (vec![((array, other), 0xA7)], vec![0xA7]));
        created(0xA8);
        created(0xA9);
        assert_eq!(show(tile, 0xA8), None);
        assert!(!releasing(0xA8));
        assert_eq!(show(tile, 0xA9), Some(0xA8), "another takes its place");
    }

    #[test]
    fn what_an_array_showed_it_shows_again_if_the_driver_refuses() {
        let (first, second) = ((0xB1, [0; 5]), (0xB1, [1; 5]));
        created(0xAA);
        created(0xAB);
        for tile in [first, second] {
            assert_eq!(tile_mapping(tile, 0xAA), ((tile, 0), None));
        }
        assert!(!releasing(0xAA));
        // One call: another in its place, then nothing there, then nothing in the last place that shows it.
        let (replaced, none) = tile_mapping(first, 0xAB);
        let (removed, unended) = tile_mapping(first, 0);
        let (last, ended) = tile_mapping(second, 0);
        assert_eq!((replaced, none, removed, unended), ((first, 0xAA), None, (first, 0xAB), None));
        assert_eq!((last, ended), ((second, 0xAA), Some(0xAA)));
        assert_eq!(not_shown(&[replaced, removed, last]), vec![]);
        assert!(releasing(0xAB), "its handle alone held it");
        let (shown, ended) = array_going(0xB1);
        assert_eq!((shown.len(), ended), (2, vec![0xAA]));
        assert_eq!(not_shown(&shown), vec![]);
        assert_eq!(array_going(0xB1).1, vec![0xAA], "no handle has come back");
    }

    #[test]
    fn memory_whose_handle_goes_while_a_mapping_is_refused_ends_with_that() {
        let tile = (0xB2, [0; 5]);
        created(0xAC);
        let (before, _) = tile_mapping(tile, 0xAC);
        assert!(!releasing(0xAC), "it may be mapped");
        assert_eq!(not_shown(&[before]), vec![0xAC]);
    }

    #[test]
    fn what_the_driver_refused_is_as_before() {
        created(0xA3);
        assert!(releasing(0xA3));
        not_released(0xA3);
        mapped(0x3000, 0x100, 0xA3);
        assert!(!releasing(0xA3));
        let (gone, ended) = unmapping(0x3000, 0x100);
        assert_eq!(ended, vec![0xA3]);
        not_unmapped(&gone);
        assert_eq!(unmapping(0x3000, 0x100).1, vec![0xA3]);
    }
}
