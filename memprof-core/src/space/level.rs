//! How much of the host's memory is live over all threads, and the most that this came to.
//!
//! Each thread adds what it holds in steps ([`watch`](crate::thread::watch)), so that no word is shared by two
//! threads that allocate: what stands here lacks less than a step a thread. Who owned what at the mark is left to
//! [`picture`](crate::thread::picture), which is told here when the next one is due.
//!
//! An example with two threads, in KiB, with a step of 64 and the first picture taken at 0:
//!
//! | event | published | level | peak | picture |
//! |---|---|---|---|---|
//! | A allocates 100 | 100 | 100 | 100 | taken: 100 is above the next one's level |
//! | B allocates 40 | nothing: no step | 100 | 100 | |
//! | B allocates 30 | 70 | 170 | 170 | taken |
//! | A frees 90 | -90 | 80 | 170 | |
//!
//! Between the second and the third event 140 were live and the level said 100: short by less than a step for each
//! thread, which is what the report says beside the peak.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Sums of what the threads published.
static LEVEL_BYTES: AtomicI64 = AtomicI64::new(0);
static LEVEL_BLOCKS: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BLOCKS: AtomicI64 = AtomicI64::new(0);

/// The level above which the next picture is due.
static NEXT_PICTURE: AtomicI64 = AtomicI64::new(0);

/// Adds to the sums of what the threads published.
///
/// Each sum is raised by one addition, and its peak by what that addition gave, so no level that the sum ever had
/// is missed: two threads that publish at the same moment see two different sums. Bytes and blocks have peaks of
/// their own, which may be of two moments.
pub(crate) fn publish(bytes: i64, blocks: i64) {
    let level = LEVEL_BYTES.fetch_add(bytes, Ordering::AcqRel) + bytes;
    PEAK_BYTES.fetch_max(level, Ordering::AcqRel);
    let level = LEVEL_BLOCKS.fetch_add(blocks, Ordering::AcqRel) + blocks;
    PEAK_BLOCKS.fetch_max(level, Ordering::AcqRel);
}

/// Begins a new epoch, at what is live.
///
/// What a thread publishes at the same moment may raise the old peak or the new one. It is at most a step.
pub(crate) fn reset(bytes: i64, blocks: i64) {
    PEAK_BYTES.store(bytes, Ordering::Release);
    PEAK_BLOCKS.store(blocks, Ordering::Release);
    NEXT_PICTURE.store(i64::MIN, Ordering::Release);
}

/// Whether the next picture is due once so many more bytes are published.
///
/// A thread that shrinks makes no new mark, and never has one taken.
pub(crate) fn picture_is_due(ahead: i64) -> bool {
    ahead > 0 && LEVEL_BYTES.load(Ordering::Relaxed) + ahead > NEXT_PICTURE.load(Ordering::Relaxed)
}

/// How much more than it has published a thread may hold until a picture is due.
pub(crate) fn bytes_until_picture() -> i64 {
    NEXT_PICTURE.load(Ordering::Relaxed).saturating_sub(LEVEL_BYTES.load(Ordering::Relaxed))
}

/// The greatest sums of what was published in this epoch, bytes and blocks.
pub(crate) fn published_peak() -> (i64, i64) {
    (PEAK_BYTES.load(Ordering::Acquire), PEAK_BLOCKS.load(Ordering::Acquire))
}

/// A picture of `level` bytes was taken: the next one is due so many bytes above it.
pub(crate) fn note_picture(level: i64, rise: i64) {
    // What the threads published may be ahead of the picture, by frees that were not published yet: measured from the
    // picture, the next one would be due at once. Or behind it: measured from there, a lower one would replace it.
    let mark = level.max(LEVEL_BYTES.load(Ordering::Relaxed));
    NEXT_PICTURE.store(mark.saturating_add(rise), Ordering::Relaxed);
}

/// The picture that was due could not be taken whole: it is due again once a little more is live.
pub(crate) fn put_off_picture() {
    const LITTLE: i64 = 64 << 10;
    NEXT_PICTURE.store(LEVEL_BYTES.load(Ordering::Relaxed).saturating_add(LITTLE), Ordering::Relaxed);
}

/// Allocations that upstream refused, of all threads: rare enough for one word.
static FAILURES: AtomicU64 = AtomicU64::new(0);

/// Counts an allocation that upstream refused.
pub(crate) fn note_failure() {
    FAILURES.fetch_add(1, Ordering::Relaxed);
}

/// How many allocations upstream refused so far.
pub(crate) fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}
