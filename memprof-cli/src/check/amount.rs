//! Numbers as `memprof.toml` has them: `24 MiB`, `1 GB`, `0`, and what may come on top of a baseline: `+2 %`, `+64 KiB`.
//!
//! They are exact: a fraction is accepted where it is a whole number of bytes, and a share is taken of the whole and rounded
//! down.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// What stands after a number, and how many bytes it is.
const UNITS: &[(&str, i128)] = &[
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
const ACCEPTED: &str =
    "accepted: a number of bytes, or one with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, as \"24 MiB\"";
/// More no process has: the product with any unit is far from the end of the numbers.
const MOST_DIGITS: usize = 18;

/// A whole number of bytes, not below 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) i128);

/// What may come on top of a number of a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// So many bytes or calls.
    Amount(i128),
    /// `part` of `of`.
    Share { part: i128, of: i128 },
}

impl Bytes {
    /// Reads `24 MiB`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let problem = || format!("‘{text}’ is no number of bytes; {ACCEPTED}");
        let (mantissa, scale, unit) = number(text).ok_or_else(problem)?;
        let unit = if unit.is_empty() { "B" } else { unit };
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(problem)?;
        let whole = mantissa * factor;
        if whole % scale != 0 {
            return Err(format!("‘{text}’ is no whole number of bytes; {ACCEPTED}"));
        }
        Ok(Self(whole / scale))
    }
}

impl Allowance {
    /// Reads `+2 %`, `+64 KiB` or `+5`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let problem = || format!("‘{text}’ is nothing that comes on top; accepted: \"+2 %\", \"+64 KiB\" or \"+0 %\"");
        let more = text.trim().strip_prefix('+').ok_or_else(problem)?;
        match number(more).ok_or_else(problem)? {
            (part, scale, "%") => Ok(Self::Share { part, of: scale * 100 }),
            _ => Bytes::parse(more).map(|bytes| Self::Amount(bytes.0)).map_err(|_| problem()),
        }
    }

    /// The most that is allowed on this base.
    pub(crate) fn limit(self, base: i128) -> i128 {
        match self {
            Self::Amount(amount) => base.saturating_add(amount),
            // Of what is below 0, nothing comes on top.
            Self::Share { part, of } => base.saturating_add(base.max(0).saturating_mul(part) / of),
        }
    }
}

/// `1.5 GB` as 15, 10 and `GB`.
fn number(text: &str) -> Option<(i128, i128, &str)> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty() && (digits == whole || !fraction.is_empty()) && !fraction.contains('.');
    if !is_number || whole.len() + fraction.len() > MOST_DIGITS {
        return None;
    }
    let mantissa = format!("{whole}{fraction}").parse().ok()?;
    Some((mantissa, 10_i128.pow(u32::try_from(fraction.len()).ok()?), unit.trim()))
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, as 1024 or \"24 MiB\"")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Bytes, E> {
                if number < 0 {
                    Err(E::custom(format!("‘{number}’ is below 0; {ACCEPTED}")))
                } else {
                    Ok(Bytes(number.into()))
                }
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Bytes, E> {
                Ok(Bytes(number.into()))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                Bytes::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Allowance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Allowance::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Bytes};

    #[test]
    fn bytes_are_exact_in_every_unit() {
        let read = |text: &str| Bytes::parse(text).map(|bytes| bytes.0);
        let is = [
            ("0", 0),
            ("7 B", 7),
            ("24 MiB", 24 << 20),
            ("1kB", 1_000),
            ("1.5 kB", 1_500),
            ("0.5 TiB", 1 << 39),
            (" 3 GB ", 3_000_000_000),
            ("999999999999999999 TB", 999_999_999_999_999_999 * 1_000_000_000_000),
        ];
        for (text, bytes) in is {
            assert_eq!(read(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1 mb",
            "1 KB",
            "1..5 kB",
            ".5 kB",
            "5. kB",
            "1e3",
            "1,000",
            "1 M iB",
            "12345678901234567890",
        ] {
            assert!(read(text).expect_err(text).starts_with(&format!("‘{text}’ is no number of bytes; ")), "{text}");
        }
        assert!(read("1.4 MiB").expect_err("a fraction").starts_with("‘1.4 MiB’ is no whole number of bytes; "));
    }

    #[test]
    fn an_allowance_is_an_amount_or_a_share_rounded_down() {
        let limit = |text: &str, base| Allowance::parse(text).map(|allowance| allowance.limit(base));
        assert_eq!(limit("+0 %", 1_000), Ok(1_000));
        assert_eq!(limit("+2 %", 1_049), Ok(1_069));
        assert_eq!(limit("+0.1%", 1_999), Ok(2_000));
        assert_eq!(limit("+64 KiB", 1), Ok(65_537));
        assert_eq!(limit("+5", -7), Ok(-2));
        assert_eq!(limit("+50 %", -7), Ok(-7));
        for text in ["2 %", "+", "+x", "-2 %", "+2 percent", ""] {
            assert_eq!(
                limit(text, 0),
                Err(format!("‘{text}’ is nothing that comes on top; accepted: \"+2 %\", \"+64 KiB\" or \"+0 %\""))
            );
        }
    }
}
