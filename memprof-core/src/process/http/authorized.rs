//! Whether a request has the [`Token`].
//!
//! The comparison takes as long whatever is given, so that nobody finds out a token byte by byte by the time that a
//! refusal takes. `black_box` keeps the compiler from ending the loop early. The length of a token can be told from
//! outside no better than that it is at most 256.

use core::hint::black_box;

use crate::process::token::Token;

impl Token {
    /// Whether this is what was given: in the same time, whatever that was, and however much of it is right.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        self.compare(given, |_| {})
    }

    /// The same, and says of each byte of its own when it is looked at: what it does must not depend on what is right.
    fn compare(&self, given: &[u8], mut looks_at: impl FnMut(usize)) -> bool {
        let mut differs = given.len() ^ self.length;
        for (index, byte) in self.bytes.iter().enumerate() {
            looks_at(index);
            let given = if index < given.len() { given[index] } else { 0 };
            differs |= usize::from(black_box(given ^ byte));
        }
        black_box(differs) == 0
    }

    /// Whether the value of an `Authorization` header has it: as `Bearer`, or as the password of `Basic`, for
    /// whatever user.
    ///
    /// A scheme that is not known is compared with nothing, which takes as long.
    pub(crate) fn is_in(&self, authorization: &[u8]) -> bool {
        let (scheme, value) = match authorization.iter().position(|byte| *byte == b' ') {
            Some(space) => (&authorization[..space], authorization[space..].trim_ascii()),
            None => (authorization, &[][..]),
        };
        let decoded = from_base64(value).unwrap_or_default();
        let password = decoded.iter().position(|byte| *byte == b':').map_or(&[][..], |colon| &decoded[colon + 1..]);
        let is_basic = scheme.eq_ignore_ascii_case(b"basic");
        let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
        self.is(if is_basic {
            password
        } else if is_bearer {
            value
        } else {
            &[]
        })
    }
}

/// The bytes of a text in base64 (RFC 4648), with or without its padding.
///
/// `None` where a sign is none of the alphabet's. Bits that are left over at the end are let go.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for sign in text.trim_ascii_end().iter().take_while(|sign| **sign != b'=') {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use crate::process::token::Token;

    #[test]
    fn a_token_is_in_a_bearer_or_in_a_basic_password() {
        let token = Token::parse("s3cret:x").expect("a token");
        // `any:s3cret:x` and `:s3cret:x`
        for right in ["Bearer s3cret:x", "bearer   s3cret:x ", "Basic YW55OnMzY3JldDp4", "basic OnMzY3JldDp4"] {
            assert!(token.is_in(right.as_bytes()), "{right}");
        }
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer s3cret:",
            "Bearer s3cret:xx",
            "Bearer S3cret:x",
            "s3cret:x",
            "Digest s3cret:x",
            "Basic s3cret:x",
            // `s3cret:x` without a user, whose password is `x`.
            "Basic czNjcmV0Ong=",
            "Basic ====",
            "Basic \u{e9}",
        ] {
            assert!(!token.is_in(wrong.as_bytes()), "{wrong}");
        }
    }

    /// The exact part of "in the same time": each byte of the token is looked at once, in order, whatever was given. The numbers
    /// are combined without a branch; that a compiler leaves it so is what `black_box` is for.
    #[test]
    fn as_much_is_compared_whatever_was_given() {
        let token = Token::parse("s3cret").expect("a token");
        let looked_at = |given: &[u8]| {
            let mut looked_at = Vec::new();
            let is_right = token.compare(given, |index| looked_at.push(index));
            (is_right, looked_at)
        };
        let all: Vec<usize> = (0..256).collect();
        assert_eq!(looked_at(b"s3cret"), (true, all.clone()));
        let long = [b's'; 1000];
        for wrong in [&b""[..], b"x3cret", b"s3crex", b"s3cre", b"s3cret\0", b"s3crets", &long] {
            assert_eq!(looked_at(wrong), (false, all.clone()), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_is_short_and_visible() {
        assert!(Token::parse(&"x".repeat(256)).expect("a token").is("x".repeat(256).as_bytes()));
        for wrong in ["", " x", "x y", "\u{e9}", &"x".repeat(257)] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
        let short = Token::parse("x").expect("a token");
        assert!(!short.is(b"x\0") && !short.is("x".repeat(1000).as_bytes()));
    }
}
