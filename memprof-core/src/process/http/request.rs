//! [`Request`]: the head of an HTTP request, as far as the endpoint has to know it.
//!
//! Strict, and bounded: what a well-meant program sends is understood, anything else is refused with the status
//! that says why. The source of the grammar: RFC 9110 and 9112.
//!
//! What is understood of a request, and what is refused:
//!
//! | part | understood | status otherwise |
//! |---|---|---|
//! | first line | `METHOD /path?query HTTP/1.1` or `1.0`, one blank each | 400; 505 for another version |
//! | headers | name, colon, value; at most 100, none folded | 400; 431 |
//! | a header that decides | once | 400: two could be read differently by two programs |
//! | body | of up to 64 KiB, with its length; let go by | 413; 501 for one in chunks |

use memprof_report::__common::once;

/// Why a request is refused.
pub(crate) use memprof_report::__common::Refusal;

/// The longest head that is read.
pub(crate) const LONGEST_HEAD: usize = 8 << 10;
/// The longest body that is let go by. None is looked at.
pub(crate) const LONGEST_BODY: usize = 64 << 10;
/// The most headers that are looked at.
const MOST_HEADERS: usize = 100;

/// A request, its parts as they stand in what was received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// As it was sent: methods are told apart by case (RFC 9110, 9.1).
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    /// Whether it is HTTP/1.1.
    is_new: bool,
    headers: Vec<(&'a str, &'a [u8])>,
    /// Of the head, in bytes.
    length: usize,
}

const MALFORMED: Refusal = Refusal::new(400, "this is no HTTP request");

impl<'a> Request<'a> {
    /// The request at the begin of what was received; `None` while more has to come.
    pub(crate) fn read(received: &'a [u8]) -> Option<Result<Self, Refusal>> {
        let Some(end) = received.windows(4).position(|end| end == b"\r\n\r\n") else {
            if received.len() >= LONGEST_HEAD {
                return Some(Err(Refusal::new(431, "the head of the request is longer than 8 KiB")));
            }
            // What can never become one is not waited for.
            return is_hopeless(received).then_some(Err(MALFORMED));
        };
        Some(Self::parse(&received[..end]).map(|request| Self { length: end + 4, ..request }))
    }

    /// A head whose end is there. Lines may end in `\n` alone, as RFC 9112, 2.2, lets a reader take them.
    fn parse(head: &'a [u8]) -> Result<Self, Refusal> {
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().and_then(|line| str::from_utf8(line).ok()).ok_or(MALFORMED)?;
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(MALFORMED);
        };
        if method.is_empty() || !method.bytes().all(is_token) || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MALFORMED);
        }
        if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return Err(Refusal::new(505, "HTTP/1.1 is spoken here"));
        }
        if !target.starts_with('/') {
            return Err(Refusal::new(400, "the target of the request is a path, such as /metrics"));
        }
        let path = target.split(['?', '#']).next().unwrap_or(target);
        let is_new = version == "HTTP/1.1";
        let mut request = Self { method, path, is_new, headers: Vec::new(), length: 0 };
        for line in lines {
            if request.headers.len() == MOST_HEADERS {
                return Err(Refusal::new(431, "the request has more than 100 headers"));
            }
            request.headers.push(header(line).ok_or(MALFORMED)?);
        }
        request.check_body()?;
        Ok(request)
    }

    /// The value of a header; an error where it is there more than once.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
        once(self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value))
    }

    /// Whether more is asked on the same connection: RFC 9112, 9.3, *Persistence*, but for HTTP/1.0, which is always over with
    /// the answer.
    pub(crate) fn stays(&self) -> bool {
        let ends = |value: &[u8]| {
            value.split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
        };
        self.is_new && self.header("connection").is_ok_and(|value| !value.is_some_and(ends))
    }

    /// Whether it is all of what was received: no body follows, and nothing else does.
    pub(crate) fn is_all_of(&self, received: &[u8]) -> bool {
        let has_body =
            self.headers.iter().any(|(name, length)| name.eq_ignore_ascii_case("content-length") && *length != b"0");
        self.length == received.len() && !has_body
    }

    /// A body is let go by, if it says how long it is.
    fn check_body(&self) -> Result<(), Refusal> {
        if self.header("transfer-encoding")?.is_some() {
            return Err(Refusal::new(501, "a body is sent with its length here"));
        }
        let Some(length) = self.header("content-length")? else { return Ok(()) };
        let length = str::from_utf8(length).ok().filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()));
        match length.filter(|length| !length.is_empty()).ok_or(MALFORMED)?.parse::<usize>() {
            Ok(..=LONGEST_BODY) => Ok(()),
            _ => Err(Refusal::new(413, "no body is wanted here")),
        }
    }
}

/// Whether what was received so far cannot become a request: its first bytes are no word, or a control character is
/// in it.
fn is_hopeless(received: &[u8]) -> bool {
    let first_is_wrong = received.first().is_some_and(|byte| !is_token(*byte));
    first_is_wrong || received.contains(&0)
}

/// A header's name and value.
fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = str::from_utf8(&line[..colon]).ok().filter(|name| !name.is_empty() && name.bytes().all(is_token))?;
    let value = line[colon + 1..].trim_ascii();
    value.iter().all(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t').then_some((name, value))
}

/// Whether a byte may stand in a word of the protocol.
///
/// RFC 9110, 5.6.2, `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
