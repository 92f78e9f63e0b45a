//! The local time of day, and the system's id of a thread.
//!
//! As RMM has them, so that its tools read the log; it is the only place in memprof that asks for the local time.
//! Nothing fails: without a time zone it is UTC, and elsewhere than on Linux a thread has a number of this module's.

#![cfg_attr(unix, expect(unsafe_code, reason = "calls of the C library"))]

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time of day; its text is `HH:MM:SS.ffffff`.
pub(super) struct TimeOfDay {
    hours: u32,
    minutes: u32,
    seconds: u32,
    microseconds: u32,
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hours, minutes, seconds, microseconds } = self;
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}.{microseconds:06}")
    }
}

/// The time now, in the local time zone; in UTC where the system does not say which that is.
pub(super) fn time_of_day() -> TimeOfDay {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (hours, minutes, seconds) = local(now.as_secs());
    TimeOfDay { hours, minutes, seconds, microseconds: now.subsec_micros() }
}

fn utc(since_epoch: u64) -> (u32, u32, u32) {
    let of_day = (since_epoch % 86_400) as u32;
    (of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(unix)]
fn local(since_epoch: u64) -> (u32, u32, u32) {
    let Ok(seconds) = libc::time_t::try_from(since_epoch) else { return utc(since_epoch) };
    let mut fields = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both point to what the function takes and fills in.
    let filled = unsafe { libc::localtime_r(&raw const seconds, fields.as_mut_ptr()) };
    if filled.is_null() {
        return utc(since_epoch);
    }
    // SAFETY: filled in, for the function did not fail.
    let fields = unsafe { fields.assume_init() };
    let part = |value: libc::c_int| u32::try_from(value).unwrap_or(0);
    (part(fields.tm_hour), part(fields.tm_min), part(fields.tm_sec))
}

#[cfg(not(unix))]
fn local(since_epoch: u64) -> (u32, u32, u32) {
    utc(since_epoch)
}

/// The id by which the system knows this thread.
#[cfg(target_os = "linux")]
pub(super) fn thread_id() -> u64 {
    // SAFETY: takes nothing and cannot fail.
    let id = unsafe { libc::syscall(libc::SYS_gettid) };
    id.cast_unsigned()
}

/// A number of this thread: where the system's id is not asked for.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static THREADS: AtomicU64 = AtomicU64::new(1);
    thread_local!(static ID: u64 = THREADS.fetch_add(1, Ordering::Relaxed));
    ID.try_with(|id| *id).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{TimeOfDay, utc};

    #[test]
    fn a_time_has_two_digits_each_and_six_after_the_point() {
        let time = TimeOfDay { hours: 4, minutes: 2, seconds: 11, microseconds: 1234 };
        assert_eq!(time.to_string(), "04:02:11.001234");
        assert_eq!(utc(86_400 + 3600 + 2 * 60 + 3), (1, 2, 3));
    }
}
