//! High-water marks of the spaces other than `host`: the most that was live in one at once, and who owned it then.
//!
//! Each space keeps its mark under one short lock, exactly. That of `host`, which every thread changes at every
//! allocation, is left to [`level`](crate::space::level) and [`picture`](crate::thread::picture).
//!
//! Who owned what at the mark would take a copy of all owners each time that the mark rises, which is at every
//! allocation of a program that grows. Instead each owner notes the mark that its numbers are of, and commits what
//! it owned then when it is changed for the first time afterwards (Bloomberg's memray, *high water mark
//! aggregator*). An example with two owners, in bytes:
//!
//! | event | live | peak | marks | A: live, at peak (of mark) | B: live, at peak (of mark) |
//! |---|---|---|---|---|---|
//! | A allocates 10 | 10 | 10 | 1 | 10, 0 (0) | |
//! | B allocates 20 | 30 | 30 | 2 | 10, 0 (0) | 20, 0 (1) |
//! | B frees 20 | 10 | 30 | 2 | 10, 0 (0) | 0, 20 (2) |
//! | read | | 30 | | 10 of 10: its mark is older, so what it owns is what it owned | 20 |
//!
//! Of B the 20 were committed by the free, and of A nothing had to be: an owner that was not changed since the mark
//! still owns what it did. The two add up to the peak, always.

use crate::base::lock::{Lock, Locked};
use crate::base::map::Refused;
use crate::base::missed;
use crate::base::tables::{PageVec, page_vec};
use crate::names::path::PathId;
use crate::space::spaces::{MOST_SPACES, Space};

/// What one space counts in the life of the process, so that no sum or difference of its bytes overflows.
pub(crate) const MOST_BYTES: u64 = i64::MAX as u64;

/// A space other than `host`: all of it changes under one lock, so all of it is exact.
pub(crate) struct Mark {
    /// Bytes that are live, and blocks. Below 0 never: a free that nobody recorded changes nothing.
    pub(crate) live: i64,
    pub(crate) live_blocks: i64,
    /// The most that was live at once in this epoch, bytes and blocks, each by itself.
    pub(crate) peak: i64,
    pub(crate) peak_blocks: i64,
    /// What was allocated in this epoch; bytes and blocks, and the bytes of it outside any scope.
    pub(crate) total: u64,
    pub(crate) blocks_total: u64,
    pub(crate) no_scope_total: u64,
    /// What the allocator refused; frees of addresses that nobody recorded; blocks that were recorded again without
    /// a free.
    pub(crate) failed: u64,
    pub(crate) unknown_frees: u64,
    pub(crate) missed_frees: u64,
    /// All bytes that were ever counted, whatever the epoch: at most [`MOST_BYTES`].
    ever: u64,
    /// Counts the marks: it grows whenever `live` comes to or above `peak`.
    peaks: u64,
    /// What was allocated outside any scope.
    root: Owner,
    /// By the path's number; the first place is not used.
    owners: PageVec<Owner>,
}

/// What one path owns. What it owned at the mark is committed lazily, as in memray's high-water-mark aggregator: at
/// the path's next event after a mark, what it owns is still what it owned then.
#[derive(Clone, Copy, Default)]
struct Owner {
    /// What it owns now.
    live: i64,
    live_blocks: i64,
    /// What it owned at the mark that `peaks` names.
    at_peak: i64,
    at_peak_blocks: i64,
    /// The mark up to which `at_peak` was committed.
    peaks: u64,
}

impl Owner {
    const BLANK: Self = Self { live: 0, live_blocks: 0, at_peak: 0, at_peak_blocks: 0, peaks: 0 };
}

/// On cache lines of its own, as a shard of a map is: threads of two devices do not meet.
#[repr(align(128))]
struct Apart(Lock<Mark>);

static MARKS: [Apart; MOST_SPACES] = [const { Apart(Lock::new(Mark::BLANK)) }; MOST_SPACES];

/// The mark of a space other than `host`. The thread is blind until the result is dropped.
pub(crate) fn of(space: Space) -> Locked<'static, Mark> {
    MARKS[space.index()].0.lock_awake()
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
        root: Owner::BLANK,
        owners: page_vec(),
    };

    /// Whether anything was recorded here in this epoch, or is live.
    pub(crate) fn has_events(&self) -> bool {
        self.blocks_total | self.failed | self.unknown_frees | self.missed_frees != 0 || self.live_blocks != 0
    }

    /// Whether anything was ever recorded here.
    pub(crate) fn is_known(&self) -> bool {
        self.ever > 0 || self.has_events()
    }

    /// What of `bytes` still fits into what is ever counted, at most `most`.
    pub(crate) fn fitting(&mut self, bytes: u64, most: u64) -> u64 {
        let fitting = bytes.min(most.saturating_sub(self.ever));
        self.ever += fitting;
        fitting
    }

    /// Counts a block, and gives the bytes that it counts for, and the path that owns it: none in particular where
    /// the system has no memory to note it in.
    pub(crate) fn allocated(&mut self, path: PathId, bytes: u64) -> (PathId, u64) {
        let bytes = self.fitting(bytes, MOST_BYTES);
        let path = self.owner(path);
        self.total += bytes;
        self.blocks_total += 1;
        if path == PathId::ROOT {
            self.no_scope_total += bytes;
        }
        self.change(path, bytes.cast_signed(), 1);
        (path, bytes)
    }

    /// The path, if it has its place among the owners, made now if need be; otherwise the root, which is always
    /// counted.
    fn owner(&mut self, path: PathId) -> PathId {
        let missing = (path.index() + 1).saturating_sub(self.owners.len());
        if missing == 0 || path == PathId::ROOT {
            return path;
        }
        if self.owners.try_reserve(missing).is_err() {
            missed::note(Refused::NoMemory);
            return PathId::ROOT;
        }
        self.owners.resize(path.index() + 1, Owner::default());
        path
    }

    /// A block of this path is gone. The path is that of the block's tag, whoever frees it.
    pub(crate) fn freed(&mut self, path: PathId, bytes: u64) {
        self.change(path, -bytes.cast_signed(), -1);
    }

    /// A block that was freed is live after all.
    pub(crate) fn restored(&mut self, path: PathId, bytes: u64) {
        self.change(path, bytes.cast_signed(), 1);
    }

    /// What an owner holds, and with it the space. The owner commits first, while its numbers are still those of
    /// the last mark.
    fn change(&mut self, path: PathId, bytes: i64, blocks: i64) {
        let owner = if path == PathId::ROOT { Some(&mut self.root) } else { self.owners.get_mut(path.index()) };
        if let Some(owner) = owner {
            if owner.peaks < self.peaks {
                owner.at_peak = owner.live;
                owner.at_peak_blocks = owner.live_blocks;
                owner.peaks = self.peaks;
            }
            owner.live += bytes;
            owner.live_blocks += blocks;
        }
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
        let others = self.owners.iter().skip(1);
        for (path, owner) in core::iter::once(&self.root).chain(others).enumerate() {
            let at_peak = if owner.peaks < self.peaks {
                [owner.live, owner.live_blocks]
            } else {
                [owner.at_peak, owner.at_peak_blocks]
            };
            see(PathId::of_index(path), [owner.live, owner.live_blocks, at_peak[0], at_peak[1]]);
        }
    }

    /// Begins a new epoch, at what is live.
    ///
    /// The count of marks goes on, so that no owner takes an old mark for the new one. What each owns stays, as it
    /// is live.
    pub(crate) fn reset(&mut self) {
        let owners = core::mem::replace(&mut self.owners, page_vec());
        *self = Self {
            live: self.live,
            live_blocks: self.live_blocks,
            peak: self.live,
            peak_blocks: self.live_blocks,
            ever: self.ever,
            peaks: self.peaks + 1,
            root: self.root,
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
