//! When a device may be asked again: so often that its last known numbers are about those of the end, and so seldom
//! that asking, some 50 µs each, is nothing beside the calls that have it asked.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "a clock of the C library"))]

use std::sync::atomic::{AtomicU64, Ordering};

/// At least so many milliseconds lie between.
const PAUSE: u64 = 10;

/// When each device may be asked again, in milliseconds of [`now`]. Devices past the first share them.
static NEXT: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

fn next(ordinal: usize) -> &'static AtomicU64 {
    &NEXT[ordinal % NEXT.len()]
}

/// Whether this device may be asked again; of several threads, one hears so.
pub(super) fn is_due(ordinal: usize) -> bool {
    let (next, now) = (next(ordinal), now());
    let due = next.load(Ordering::Relaxed);
    due <= now && next.compare_exchange(due, now + PAUSE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// This device was asked.
pub(super) fn asked(ordinal: usize) {
    next(ordinal).store(now() + PAUSE, Ordering::Relaxed);
}

/// Milliseconds since some moment. Coarse: some nanoseconds to read, and some milliseconds late.
#[cfg(target_os = "linux")]
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    debug_assert_eq!(read, 0);
    time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000
}

#[cfg(not(target_os = "linux"))]
fn now() -> u64 {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX)
}
