//! High-water marks: the most that was live in a space at once, and who owned it then.
//!
//! Every space but `host` keeps its mark under one short lock, exactly ([`Mark`]). For `host` each thread publishes its
//! net bytes in steps ([`net`](crate::thread::net)); who owned what at the mark is summed over the threads' columns at most once
//! per rise of the mark by 1/256 ([`picture`]).

use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::base::counter::Counter;
use crate::base::lock::{Lock, Locked};
use crate::base::memory::{Blank, Table};
use crate::names::path::{PATH_CHUNKS, PathId};
use crate::space::spaces::{MOST_SPACES, Space};
use crate::thread::slot::Slot;

/// Sums of what the threads published.
static LEVEL_BYTES: AtomicI64 = AtomicI64::new(0);
static LEVEL_BLOCKS: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BLOCKS: AtomicI64 = AtomicI64::new(0);

/// Adds to the sums of what the threads published.
pub(crate) fn publish(bytes: i64, blocks: i64) {
    let level = LEVEL_BYTES.fetch_add(bytes, Ordering::AcqRel) + bytes;
    PEAK_BYTES.fetch_max(level, Ordering::AcqRel);
    let level = LEVEL_BLOCKS.fetch_add(blocks, Ordering::AcqRel) + blocks;
    PEAK_BLOCKS.fetch_max(level, Ordering::AcqRel);
}

/// Whether the next picture is due once so many more bytes are published.
pub(crate) fn picture_is_due(ahead: i64) -> bool {
    ahead > 0 && LEVEL_BYTES.load(Ordering::Relaxed) + ahead > NEXT_PICTURE.load(Ordering::Relaxed)
}

/// The greatest sums of what was published in this epoch, bytes and blocks.
pub(crate) fn published_peak() -> (i64, i64) {
    (PEAK_BYTES.load(Ordering::Acquire), PEAK_BLOCKS.load(Ordering::Acquire))
}

/// Begins a new epoch of the host's mark, at what is live.
pub(crate) fn reset_host(bytes: i64, blocks: i64) {
    PEAK_BYTES.store(bytes, Ordering::Release);
    PEAK_BLOCKS.store(blocks, Ordering::Release);
    NEXT_PICTURE.store(i64::MIN, Ordering::Release);
    while !picture() {
        std::thread::yield_now();
    }
}

/// What one path owned when the picture was taken.
pub(crate) struct Owned {
    pub(crate) bytes: Counter,
    pub(crate) blocks: Counter,
}

impl Blank for Owned {
    const BLANK: Self = Self { bytes: Counter::new(0), blocks: Counter::new(0) };
}

static PICTURE: Table<Owned, PATH_CHUNKS> = Table::new();
/// Held while the picture is taken or read. Whoever allocates never waits for it.
static PICTURE_BUSY: AtomicBool = AtomicBool::new(false);
/// The level above which the next picture is due.
static NEXT_PICTURE: AtomicI64 = AtomicI64::new(0);

/// Rows for which a picture costs no more than some microseconds; past that, pictures come less often.
const CHEAP_ROWS: i64 = 4096;
/// Bytes that the mark has to rise for each row summed, past [`CHEAP_ROWS`]: a nanosecond or so of summing for each
/// 16 bytes allocated.
const BYTES_PER_ROW: i64 = 16;

/// Sums who owns what on the host. Gives `false`, at once, if somebody is at it.
#[cold]
pub(crate) fn picture() -> bool {
    if PICTURE_BUSY.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return false;
    }
    let paths = PathId::count();
    PICTURE.iter(paths).for_each(|(_, owned)| {
        owned.bytes.set(0);
        owned.blocks.set(0);
    });
    let mut level = 0;
    let mut rows = 0;
    for slot in Slot::all().chain([Slot::ended()]) {
        for (path, row) in slot.host.rows.iter(paths) {
            let [bytes, blocks] = slot.owned(row);
            rows += 1;
            if bytes == 0 && blocks == 0 {
                continue;
            }
            let Some(owned) = PICTURE.get(path).or_else(|| PICTURE.make(path)) else { continue };
            owned.bytes.add(bytes);
            owned.blocks.add(blocks);
            level += bytes.cast_signed();
        }
    }
    let rise = (level / 256).max(if rows > CHEAP_ROWS { rows * BYTES_PER_ROW } else { 0 });
    // What the threads published may be ahead of the sum, by frees that were not published yet: measured from the sum, the
    // next picture would be due at once.
    let mark = level.max(LEVEL_BYTES.load(Ordering::Relaxed));
    NEXT_PICTURE.store(mark.saturating_add(rise), Ordering::Relaxed);
    PICTURE_BUSY.store(false, Ordering::Release);
    true
}

/// Gives what each path owned at the mark to `see`.
pub(crate) fn see_picture(mut see: impl FnMut(PathId, i64, i64)) {
    while PICTURE_BUSY.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
    for (path, owned) in PICTURE.iter(PathId::count()) {
        see(PathId::of_index(path), owned.bytes.signed(), owned.blocks.signed());
    }
    PICTURE_BUSY.store(false, Ordering::Release);
}

/// What one space counts in the life of the process, so that no sum or difference of its bytes overflows.
pub(crate) const MOST_BYTES: u64 = i64::MAX as u64;

/// A space other than `host`: all of it changes under one lock, so all of it is exact.
#[derive(Default)]
pub(crate) struct Mark {
    pub(crate) live: i64,
    pub(crate) live_blocks: i64,
    pub(crate) peak: i64,
    pub(crate) peak_blocks: i64,
    pub(crate) total: u64,
    pub(crate) blocks_total: u64,
    pub(crate) no_scope_total: u64,
    pub(crate) failed: u64,
    pub(crate) unknown_frees: u64,
    pub(crate) missed_frees: u64,
    /// All bytes that were ever counted, whatever the epoch: at most [`MOST_BYTES`].
    ever: u64,
    /// Counts the marks: it grows whenever `live` comes to or above `peak`.
    peaks: u64,
    owners: Vec<Owner>,
}

/// What one path owns. What it owned at the mark is committed lazily, as in memray's high-water-mark aggregator: at
/// the path's next event after a mark, what it owns is still what it owned then.
#[derive(Clone, Copy, Default)]
struct Owner {
    live: i64,
    live_blocks: i64,
    at_peak: i64,
    at_peak_blocks: i64,
    /// The mark up to which `at_peak` was committed.
    peaks: u64,
}

static MARKS: [Lock<Mark>; MOST_SPACES] = [const { Lock::new(Mark::BLANK) }; MOST_SPACES];

/// The mark of a space other than `host`.
pub(crate) fn of(space: Space) -> Locked<'static, Mark> {
    MARKS[space.index()].lock()
}

impl Mark {
    const BLANK: Self = Self {
        live: 0,
        live_blocks: 0,
        peak: 0,
        peak_blocks: 0,
        total: 0,
        blocks_total: 0,
        no_scope_total: 0,
        failed: 0,
        unknown_frees: 0,
        missed_frees: 0,
        ever: 0,
        peaks: 0,
        owners: Vec::new(),
    };

    /// Whether anything was recorded here in this epoch, or is live.
    pub(crate) fn has_events(&self) -> bool {
        self.blocks_total | self.failed | self.unknown_frees | self.missed_frees != 0 || self.live_blocks != 0
    }

    /// What of `bytes` still fits into what is ever counted, at most `most`.
    pub(crate) fn fitting(&mut self, bytes: u64, most: u64) -> u64 {
        let fitting = bytes.min(most.saturating_sub(self.ever));
        self.ever += fitting;
        fitting
    }

    /// Counts a block, and gives the bytes that it counts for.
    pub(crate) fn allocated(&mut self, path: PathId, bytes: u64) -> u64 {
        let bytes = self.fitting(bytes, MOST_BYTES);
        self.total += bytes;
        self.blocks_total += 1;
        if path == PathId::ROOT {
            self.no_scope_total += bytes;
        }
        self.change(path, bytes.cast_signed(), 1);
        bytes
    }

    pub(crate) fn freed(&mut self, path: PathId, bytes: u64) {
        self.change(path, -bytes.cast_signed(), -1);
    }

    /// A block that was freed is live after all.
    pub(crate) fn restored(&mut self, path: PathId, bytes: u64) {
        self.change(path, bytes.cast_signed(), 1);
    }

    fn change(&mut self, path: PathId, bytes: i64, blocks: i64) {
        if self.owners.len() <= path.index() {
            self.owners.resize(path.index() + 1, Owner::default());
        }
        let owner = &mut self.owners[path.index()];
        if owner.peaks < self.peaks {
            owner.at_peak = owner.live;
            owner.at_peak_blocks = owner.live_blocks;
            owner.peaks = self.peaks;
        }
        owner.live += bytes;
        owner.live_blocks += blocks;
        self.live += bytes;
        self.live_blocks += blocks;
        self.peak_blocks = self.peak_blocks.max(self.live_blocks);
        // Of two equal marks, the later.
        if self.live >= self.peak {
            self.peak = self.live;
            self.peaks += 1;
        }
    }

    /// Gives what each path owns now and owned at the mark to `see`: bytes and blocks, twice.
    pub(crate) fn see_owners(&self, mut see: impl FnMut(PathId, [i64; 4])) {
        for (path, owner) in self.owners.iter().enumerate() {
            let at_peak = if owner.peaks < self.peaks {
                [owner.live, owner.live_blocks]
            } else {
                [owner.at_peak, owner.at_peak_blocks]
            };
            see(PathId::of_index(path), [owner.live, owner.live_blocks, at_peak[0], at_peak[1]]);
        }
    }

    /// Begins a new epoch, at what is live.
    pub(crate) fn reset(&mut self) {
        let owners = core::mem::take(&mut self.owners);
        *self = Self {
            live: self.live,
            live_blocks: self.live_blocks,
            peak: self.live,
            peak_blocks: self.live_blocks,
            ever: self.ever,
            peaks: self.peaks + 1,
            owners,
            ..Self::BLANK
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;
    use crate::names::path::PathId;

    fn owners(mark: &Mark) -> Vec<[i64; 4]> {
        let mut seen = Vec::new();
        mark.see_owners(|_, owned| seen.push(owned));
        seen
    }

    #[test]
    fn who_owned_what_at_the_mark_is_known_without_looking_at_everybody() {
        let (root, f) = (PathId::ROOT, PathId::of_index(1));
        let mut mark = Mark::BLANK;
        mark.allocated(f, 100);
        mark.allocated(root, 10);
        mark.freed(f, 100);
        mark.allocated(root, 50);
        assert_eq!((mark.live, mark.peak, mark.peak_blocks), (60, 110, 2));
        assert_eq!(owners(&mark), [[60, 2, 10, 1], [0, 0, 100, 1]]);
    }

    #[test]
    fn of_two_equal_marks_the_later_is_pictured() {
        let (root, f) = (PathId::ROOT, PathId::of_index(1));
        let mut mark = Mark::BLANK;
        mark.allocated(f, 100);
        mark.freed(f, 100);
        mark.allocated(root, 100);
        assert_eq!(owners(&mark), [[100, 1, 100, 1], [0, 0, 0, 0]]);
    }

    #[test]
    fn a_reset_begins_at_what_is_live() {
        let f = PathId::of_index(1);
        let mut mark = Mark::BLANK;
        mark.allocated(f, 100);
        mark.allocated(f, 30);
        mark.freed(f, 100);
        mark.reset();
        assert_eq!((mark.live, mark.peak, mark.total, mark.peak_blocks), (30, 30, 0, 1));
        assert_eq!(owners(&mark), [[0; 4], [30, 1, 30, 1]]);
    }
}
