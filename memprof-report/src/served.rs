//! Who may ask for a report that is served on this machine: at the endpoint of a running program, and at `memprof serve`.
//!
//! A web page of another origin gets nothing: a browser says on whose behalf it asks, and no header here tells it that another origin
//! may read an answer. A page that has its own name point to this machine (DNS rebinding) asks under that name, which is none of this
//! machine's. Programs that are no browser send none of these headers but `Host`, and are let through.
//!
//! | a request | is |
//! |---|---|
//! | under a name that is not this machine's, or of another port | refused |
//! | of a page of the same origin, or of nobody's | let through |
//! | of another page | refused, but for a link that is followed, which only reads |
//! | with a header twice that decides | refused: two programs could read it differently |
//!
//! Both who serve ask here, so that what is mended for one is mended for the other; `table.rs` has requests that the tests of both run
//! through. Reading a request, tokens, methods and paths are left to them.
//!
//! Sources: *Fetch Metadata* (W3C) for `Sec-Fetch-Site`, `-Mode` and `-Dest`, RFC 6454 for `Origin`, RFC 9110, 7.2, for `Host`.

use std::net::{IpAddr, SocketAddr};

/// Why a request is refused: the status, and a line for whoever asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of HTTP.
    pub status: u16,
    /// Without its end.
    pub line: &'static str,
}

impl Refusal {
    /// With this status, saying this.
    pub const fn new(status: u16, line: &'static str) -> Self {
        Self { status, line }
    }
}

const ELSEWHERE: Refusal = Refusal::new(403, "this is asked for by a page of another origin");
const WRONG_HOST: Refusal = Refusal::new(403, "the Host of the request is not this address");

/// What stands in every answer: it is nobody's to keep, to guess the type of, or to use from another origin. Who may frame it is said
/// by `X-Frame-Options` beside them.
pub const HEADERS: [(&str, &str); 4] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
];

/// The value of a header, of all that a request has of it.
///
/// # Errors
///
/// It is there more than once.
pub fn once<V>(mut values: impl Iterator<Item = V>) -> Result<Option<V>, Refusal> {
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Refusal::new(400, "a header is there twice that may be there once")),
    }
}

/// What a request says of who asks.
#[derive(Debug)]
pub struct Visitor<'a> {
    /// The name under which it is asked for.
    host: &'a str,
    /// The page on whose behalf: where its origin lies, as the browser judges it, and what for.
    site: Option<&'a [u8]>,
    mode: Option<&'a [u8]>,
    destination: Option<&'a [u8]>,
    /// The page's origin itself.
    origin: Option<&'a [u8]>,
}

impl<'a> Visitor<'a> {
    /// Of a request, by the values of its headers.
    ///
    /// # Errors
    ///
    /// `header` gives one, or there is no `Host`.
    pub fn of(header: impl Fn(&str) -> Result<Option<&'a [u8]>, Refusal>) -> Result<Self, Refusal> {
        let host = header("host")?.and_then(|host| str::from_utf8(host).ok());
        Ok(Self {
            host: host.ok_or(Refusal::new(400, "the request has no Host"))?,
            site: header("sec-fetch-site")?,
            mode: header("sec-fetch-mode")?,
            destination: header("sec-fetch-dest")?,
            origin: header("origin")?,
        })
    }

    /// Refuses a name that is not this machine's own, with the port of `address`, where it is listened at.
    ///
    /// # Errors
    ///
    /// 403.
    pub fn check_host(&self, address: SocketAddr) -> Result<(), Refusal> {
        let own = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let port = address.port();
        let is = |name: &str| {
            let is_default = port == 80 && self.host.eq_ignore_ascii_case(name);
            is_default || self.host.eq_ignore_ascii_case(&format!("{name}:{port}"))
        };
        if ["localhost", "127.0.0.1", "[::1]", &own].into_iter().any(is) { Ok(()) } else { Err(WRONG_HOST) }
    }

    /// Refuses what a browser asks for on behalf of a page of another origin. A link that somebody follows may lead here, into a window
    /// of its own; nothing else, and nothing that `changes` something.
    ///
    /// # Errors
    ///
    /// 403.
    pub fn check_page(&self, changes: bool) -> Result<(), Refusal> {
        let is_own = self.site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
        // Browsers said what for later than how.
        let opens_a_window = self.destination.is_none_or(|destination| destination == b"document");
        let follows_a_link = !changes && self.mode == Some(b"navigate") && opens_a_window;
        let own = format!("http://{}", self.host);
        let is_own_origin = self.origin.is_none_or(|origin| origin.eq_ignore_ascii_case(own.as_bytes()));
        if (is_own || follows_a_link) && is_own_origin { Ok(()) } else { Err(ELSEWHERE) }
    }
}

#[cfg(test)]
mod tests;
