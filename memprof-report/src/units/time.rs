//! A time, as people write it: `500ms`, `10s`.
//!
//! It is the recorder's `MEMPROF_INTERVAL` and the options of the command, which so accept and refuse the same.

use std::time::Duration;

/// What is accepted.
pub const TIMES: &str = "a whole number from 1 and its unit, such as 500ms, 10s, 2m or 1h";

/// The time that a text stands for, of less than 2^64 milliseconds. Without a unit it is not understood: `10` could mean seconds or
/// milliseconds.
pub fn time(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|sign: char| !sign.is_ascii_digit())?);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}
