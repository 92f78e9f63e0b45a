//! Numbers as `memprof.toml` has them: `24 MiB`, `1 GB`, `0`, and what may come on top of a baseline: `+2 %`, `+64 KiB`.
//!
//! Texts are read by `memprof-report`, as the recorder's settings are, so they mean the same and are refused in the same words. Here is
//! what a file of this kind may have beside them: a number of its own, and the `+`.

use std::fmt;

use memprof_report::__common::{AMOUNTS, Increase, bytes, wrong_amount};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// A whole number of bytes, not below 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) i128);

/// What may come on top of a number of a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance(Increase);

impl Allowance {
    /// Nothing more.
    pub(crate) const NOTHING: Self = Self(Increase::Bytes(0));

    /// Reads `+2 %`, `+64 KiB` or `+5`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let more = text.trim().strip_prefix('+').and_then(Increase::parse);
        more.map(Self).ok_or_else(|| {
            format!("‘{text}’ is nothing that comes on top; accepted: \"+2 %\", \"+64 KiB\" or \"+0 %\"")
        })
    }

    /// The most that is allowed on this base.
    pub(crate) fn limit(self, base: i128) -> i128 {
        base.saturating_add(self.0.over(base))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(AMOUNTS)
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Bytes, E> {
                if number < 0 {
                    Err(E::custom(wrong_amount(&format!("‘{number}’ is below 0"))))
                } else {
                    Ok(Bytes(number.into()))
                }
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Bytes, E> {
                Ok(Bytes(number.into()))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                bytes(text).map(|bytes| Bytes(bytes.into())).map_err(E::custom)
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
    use memprof_report::__common::AMOUNTS;

    use super::{Allowance, Bytes};

    /// Of a file, as a value of this text.
    fn read(value: &str) -> Result<i128, String> {
        let file = toml::from_str::<std::collections::HashMap<String, Bytes>>(&format!("peak = {value}"));
        file.map(|file| file["peak"].0).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_amount_is_what_memprof_reads_everywhere() {
        let amounts: &[(&str, Result<u64, &str>)] = include!("../../../memprof-report/src/units/table.rs");
        for (text, expected) in amounts {
            let expected = expected.map(i128::from).map_err(|what| format!("{what}; accepted: {AMOUNTS}"));
            assert_eq!(read(&format!("\"{text}\"")), expected, "{text}");
        }
    }

    #[test]
    fn a_number_of_the_file_is_bytes() {
        assert_eq!(read("1024"), Ok(1024));
        assert_eq!(read("-1"), Err(format!("‘-1’ is below 0; accepted: {AMOUNTS}")));
        assert_eq!(read("1.5"), Err(format!("invalid type: floating point `1.5`, expected {AMOUNTS}")));
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
        for text in ["2 %", "+", "++1", "+x", "-2 %", "+2 percent", ""] {
            assert_eq!(
                limit(text, 0),
                Err(format!("‘{text}’ is nothing that comes on top; accepted: \"+2 %\", \"+64 KiB\" or \"+0 %\""))
            );
        }
    }
}
