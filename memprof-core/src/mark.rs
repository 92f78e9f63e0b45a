//! High-water marks: the most that was live in a space at once, and who owned it then.
//!
//! Every space but `host` keeps its mark under one short lock, exactly ([`Mark`]). For `host` each thread adds up its
//! own net bytes ([`HostNet`]) and publishes them in steps of [`STEP`]; who owned what at the mark is summed over the
//! threads' columns at most once per rise of the mark by 1/256 ([`picture`]).

use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::path::{PATH_CHUNKS, PathId};
use crate::slot::Slot;
use crate::space::{MOST_SPACES, Space};
use crate::state;
use crate::system::{Blank, Counter, Table};

/// What a thread's net bytes may differ by from what it published.
pub(crate) const STEP: i64 = 64 << 10;

/// What one thread allocated less what it freed on the host, whoever owns it.
pub(crate) struct HostNet {
    pub(crate) bytes: Counter,
    pub(crate) blocks: Counter,
    /// Net bytes above which, or below which, and net blocks above which the thread has to look here.
    pub(crate) watch_high: Counter,
    pub(crate) watch_low: Counter,
    pub(crate) watch_blocks: Counter,
    published_bytes: Counter,
    published_blocks: Counter,
    most_bytes: Counter,
    most_blocks: Counter,
    epoch: Counter,
    /// Whether a frame of this thread shares: then the thread looks at every event.
    shares: Counter,
}

impl Blank for HostNet {
    const BLANK: Self = Self {
        bytes: Counter::new(0),
        blocks: Counter::new(0),
        watch_high: Counter::new(0),
        watch_low: Counter::new(0),
        watch_blocks: Counter::new(0),
        published_bytes: Counter::new(0),
        published_blocks: Counter::new(0),
        most_bytes: Counter::new(0),
        most_blocks: Counter::new(0),
        epoch: Counter::new(0),
        shares: Counter::new(0),
    };
}

/// Sums of what the threads published.
static LEVEL_BYTES: AtomicI64 = AtomicI64::new(0);
static LEVEL_BLOCKS: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BLOCKS: AtomicI64 = AtomicI64::new(0);

impl HostNet {
    /// Whether this thread ever had an event on the host.
    pub(crate) fn used(&self) -> bool {
        self.most_blocks.get() != 0 || self.blocks.get() != 0 || self.bytes.get() != 0
    }

    /// The most that this thread's net came to in this epoch, bytes and blocks.
    pub(crate) fn most(&self) -> (i64, i64) {
        if self.epoch.get() == u64::from(state::epoch()) {
            (self.most_bytes.signed(), self.most_blocks.signed())
        } else {
            (self.bytes.signed(), self.blocks.signed())
        }
    }

    /// Begins the present epoch, if that has not happened: the thread has had no event in it yet.
    pub(crate) fn renew(&self) {
        let epoch = u64::from(state::epoch());
        if self.epoch.get() != epoch {
            self.epoch.set(epoch);
            self.most_bytes.set(self.bytes.get());
            self.most_blocks.set(self.blocks.get());
            self.watch_again();
        }
    }

    /// Looks at every event from now on.
    pub(crate) fn watch_all(&self) {
        self.shares.add(1);
        self.watch_again();
    }

    pub(crate) fn watch_again(&self) {
        if self.shares.get() > 0 {
            self.watch_high.set(i64::MIN.cast_unsigned());
            self.watch_low.set(i64::MAX.cast_unsigned());
        } else {
            let published = self.published_bytes.signed();
            self.watch_high.set((published + STEP - 1).min(self.most_bytes.signed()).cast_unsigned());
            self.watch_low.set((published - STEP + 1).cast_unsigned());
        }
        self.watch_blocks.set(self.most_blocks.get());
    }

    /// Ends one [`watch_all`](Self::watch_all).
    pub(crate) fn unwatch(&self) {
        self.shares.sub(1);
        self.watch_again();
    }

    /// Takes note of a new high, and publishes if it is time. `true`: the process may stand at a new mark.
    pub(crate) fn look(&self) -> bool {
        let (bytes, blocks) = (self.bytes.signed(), self.blocks.signed());
        let rises = bytes > self.most_bytes.signed();
        if rises {
            self.most_bytes.set(bytes.cast_unsigned());
        }
        if blocks > self.most_blocks.signed() {
            self.most_blocks.set(blocks.cast_unsigned());
        }
        let ahead = bytes - self.published_bytes.signed();
        let level = LEVEL_BYTES.load(Ordering::Relaxed) + ahead;
        let due = ahead > 0 && level > NEXT_PICTURE.load(Ordering::Relaxed);
        if due || ahead.abs() >= STEP {
            self.publish();
        }
        self.watch_again();
        due
    }

    /// Makes what was published what is.
    pub(crate) fn publish(&self) {
        let (bytes, blocks) = (self.bytes.signed(), self.blocks.signed());
        publish(bytes - self.published_bytes.signed(), blocks - self.published_blocks.signed());
        self.published_bytes.set(bytes.cast_unsigned());
        self.published_blocks.set(blocks.cast_unsigned());
    }

    /// An event of a thread that has ended, in the slot that all of those share.
    pub(crate) fn add_shared(&self, bytes: i64, blocks: i64) {
        self.bytes.add_shared(bytes.cast_unsigned());
        self.blocks.add_shared(blocks.cast_unsigned());
        self.most_blocks.add_shared(1);
        publish(bytes, blocks);
    }
}

fn publish(bytes: i64, blocks: i64) {
    let level = LEVEL_BYTES.fetch_add(bytes, Ordering::AcqRel) + bytes;
    PEAK_BYTES.fetch_max(level, Ordering::AcqRel);
    let level = LEVEL_BLOCKS.fetch_add(blocks, Ordering::AcqRel) + blocks;
    PEAK_BLOCKS.fetch_max(level, Ordering::AcqRel);
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
            let [bytes, blocks] = row.owned(&slot.sequence);
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
    NEXT_PICTURE.store(level.saturating_add(rise), Ordering::Relaxed);
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

static MARKS: [Mutex<Mark>; MOST_SPACES] = [const { Mutex::new(Mark::BLANK) }; MOST_SPACES];

/// The mark of a space other than `host`.
pub(crate) fn of(space: Space) -> MutexGuard<'static, Mark> {
    MARKS[space.index()].lock().unwrap_or_else(PoisonError::into_inner)
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
        peaks: 0,
        owners: Vec::new(),
    };

    /// Whether anything was recorded here in this epoch, or is live.
    pub(crate) fn has_events(&self) -> bool {
        self.blocks_total | self.failed | self.unknown_frees | self.missed_frees != 0 || self.live_blocks != 0
    }

    pub(crate) fn allocated(&mut self, path: PathId, bytes: u64) {
        self.total += bytes;
        self.blocks_total += 1;
        if path == PathId::ROOT {
            self.no_scope_total += bytes;
        }
        self.change(path, bytes.cast_signed(), 1);
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
            peaks: self.peaks + 1,
            owners,
            ..Self::BLANK
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;
    use crate::path::PathId;

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
