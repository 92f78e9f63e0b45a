//! [`Increase`]: how much more than before, as people write it: `5 %`, `64 MiB`.
//!
//! It is exact: a share is a fraction of whole numbers, and no float has a part in it. A sign in front, as in `+5 %` of
//! `memprof.toml`, is left to who reads it.

use super::amount::{bytes, decimal};

/// So much more than a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Increase {
    /// So many bytes, whatever the base is.
    Bytes(u64),
    /// `part` of `of` of the base.
    Share {
        /// Of 0.5 %, 5.
        part: u64,
        /// Of 0.5 %, 1,000.
        of: u64,
    },
}

impl Increase {
    /// Reads a share in percent, or an [amount](bytes()).
    pub fn parse(text: &str) -> Option<Self> {
        let Some(percent) = text.trim().strip_suffix('%') else { return bytes(text).ok().map(Self::Bytes) };
        let (whole, fraction) = decimal(percent.trim_end())?;
        let fraction = fraction.trim_end_matches('0');
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        Some(Self::Share { part: format!("{whole}{fraction}").parse().ok()?, of: scale.checked_mul(100)? })
    }

    /// Whether it is none, whatever the base is.
    pub fn is_none(self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Share { part: 0, .. })
    }

    /// What comes on top of this base: a share is rounded down, and is nothing where the base is below 0.
    pub fn over(self, base: i128) -> i128 {
        match self {
            Self::Bytes(bytes) => bytes.into(),
            Self::Share { part, of } => base.max(0).saturating_mul(part.into()) / i128::from(of),
        }
    }
}
