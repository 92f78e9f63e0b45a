//! A number of bytes, as people write it: `24 MiB`, `1.5 GB`, `0`.
//!
//! It is exact. A fraction is read where it comes to whole bytes, nothing is rounded, and what is more than 64 bits hold is
//! refused. What may stand in place of a text, such as a number of a file's own, is left to who reads it.
//!
//! This file stands twice, each a copy of the other: in memprof-report, for the recorder's settings and the command's files, and in
//! memprof-macros, for `#[limit]`. If that depended on memprof-report, each program would wait for it to be built once more, for the
//! compiler's machine, before any of its own functions could be compiled. A test of memprof-macros compares the two.

/// Powers of 1,000 (SI) and of 1,024 (IEC 80000-13), told apart by the `i`.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// What is accepted, for every message about a wrong one.
pub const ACCEPTED: &str =
    "a number of bytes, or a string of one and its unit: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, as in \"24 MiB\"";

/// What is wrong, and what is accepted.
pub fn wrong(what: &str) -> String {
    format!("{what}; accepted: {ACCEPTED}")
}

/// The bytes that a text stands for. Without a unit it is bytes already.
///
/// # Errors
///
/// What is [wrong] with it.
pub fn bytes(text: &str) -> Result<u64, String> {
    let is = |what: &str| wrong(&format!("‘{text}’ is {what}"));
    let trimmed = text.trim();
    let is_of_number = |sign: char| sign.is_ascii_digit() || sign == '.';
    let (number, unit) = trimmed.split_at(trimmed.find(|sign| !is_of_number(sign)).unwrap_or(trimmed.len()));
    let (whole, fraction) = decimal(number).ok_or_else(|| is("no number of bytes"))?;
    let factor = factor(unit.trim_start()).map_err(|why| is(&format!("no number of bytes: {why}")))?;
    let part = part(fraction, factor).ok_or_else(|| is("no whole number of bytes"))?;
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(factor));
    whole.and_then(|whole| whole.checked_add(part)).ok_or_else(|| is("more than 64 bits hold"))
}

/// The digits before the point and those behind it. A number may have no point; one that has it has digits on both sides.
pub(crate) fn decimal(number: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    (is_digits(whole) && is_digits(fraction)).then_some((whole, fraction))
}

/// The bytes of a unit, or what is said about one that there is not.
fn factor(unit: &str) -> Result<u64, String> {
    if unit.is_empty() {
        return Ok(1);
    }
    if let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let meant = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let meant = meant.map(|(name, _)| format!(", ‘{name}’ is")).unwrap_or_default();
    Err(format!("‘{unit}’ is no unit of memory{meant}"))
}

/// `factor` times 0.`fraction`, if that is whole: multiplied digit by digit from the last on, as on paper, so that it is exact with
/// however many.
fn part(fraction: &str, factor: u64) -> Option<u64> {
    let mut carried = 0;
    for digit in fraction.bytes().rev() {
        let product = u64::from(digit - b'0') * factor + carried;
        if !product.is_multiple_of(10) {
            return None;
        }
        carried = product / 10;
    }
    Some(carried)
}
