//! [`Answer`]: what is sent back.
//!
//! Its length is said, so a reader knows whether it has all of it, and whether it is the last of its connection.

use std::fmt::Write as _;
use std::rc::Rc;

use memprof_report::__common::HEADERS;

use crate::process::http::request::Refusal;

/// A status, headers and a body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers; with the empty line that ends them once it was [finished](Self::finish).
    pub(crate) head: Vec<u8>,
    /// Shared by all that ask for the same.
    pub(crate) body: Rc<Vec<u8>>,
}

impl Answer {
    /// `more`: further headers, each with its line's end.
    pub(crate) fn new(status: u16, content: &str, more: &str, body: Rc<Vec<u8>>) -> Self {
        let mut head = format!("HTTP/1.1 {status} {}\r\nContent-Type: {content}\r\n", reason(status));
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
        // No page shows it in a frame of its own.
        for (name, value) in HEADERS.into_iter().chain([("X-Frame-Options", "DENY")]) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str(more);
        Self { status, head: head.into_bytes(), body }
    }

    /// A line of text.
    pub(crate) fn line(status: u16, more: &str, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", more, Rc::new(format!("{line}\n").into_bytes()))
    }

    /// The line that says why. A browser that is refused for want of the token asks its user for one, by
    /// `WWW-Authenticate`.
    pub(crate) fn refusal(refusal: &Refusal) -> Self {
        let more =
            if refusal.status == 401 { "WWW-Authenticate: Basic realm=\"memprof\", charset=\"UTF-8\"\r\n" } else { "" };
        Self::line(refusal.status, more, refusal.line)
    }

    /// Says whether the connection is over with it, and ends the head.
    pub(crate) fn finish(mut self, stays: bool) -> Self {
        let end: &[u8] = if stays { b"\r\n" } else { b"Connection: close\r\n\r\n" };
        self.head.extend_from_slice(end);
        self
    }

    /// The head alone: the answer to `HEAD`.
    pub(crate) fn without_body(self) -> Self {
        Self { body: Rc::default(), ..self }
    }
}

/// The words of RFC 9110 for those statuses that occur here.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "Refused",
    }
}
