//! [`Token`]: what `MEMPROF_HTTP_TOKEN` says. Whether a request has it is left to `http/authorized`.
//!
//! A text of its own type, so that no `Debug` of the settings, no line about a wrong value and no page shows it by
//! accident.

use core::fmt;

/// As long as a token may be. So many bytes are compared whatever was given.
const MOST: usize = 256;

/// The secret of who may ask. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Zeros after the token.
    pub(super) bytes: [u8; MOST],
    pub(super) length: usize,
}

/// What is accepted.
pub(crate) const TOKENS: &str =
    "1 to 256 visible ASCII characters, together with MEMPROF_HTTP; nothing is answered without it";

impl Token {
    /// Visible ASCII only, as a header can carry it without being encoded.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        if value.is_empty() || value.len() > MOST || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut bytes = [0; MOST];
        bytes[..value.len()].copy_from_slice(value.as_bytes());
        Some(Self { bytes, length: value.len() })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}
