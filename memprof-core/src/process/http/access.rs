//! Who may ask, and for what.
//!
//! Who reaches the socket may read, unless there is a token; then whoever has that. What changes something needs
//! the token always. A web page of another origin gets nothing: a browser says on whose behalf it asks, and nothing
//! here tells it that another origin may read an answer. A page that has its own name point here (DNS rebinding)
//! comes under that name, which is none of this machine's.
//!
//! | a request | without a token | with one |
//! |---|---|---|
//! | reads, by the user's own programs | is answered | needs it |
//! | changes something | is refused | needs it |
//! | comes by a browser, of a page of this endpoint | as any other | as any other |
//! | comes by a browser, of another page | is refused, but for a link that is followed | likewise |
//! | comes under a name that is not this machine's | is refused | is refused, where it listens for this machine alone |
//!
//! Sources: *Fetch Metadata* (W3C) for `Sec-Fetch-Site` and `Sec-Fetch-Mode`, RFC 6454 for `Origin`, RFC 6750 for
//! `Bearer`, RFC 7617 for `Basic`.

use crate::process::address::Address;
use crate::process::http::request::{Refusal, Request};
use crate::process::token::Token;

/// What decides: where the endpoint listens, and the token if there is one.
#[derive(Debug)]
pub(crate) struct Access {
    address: Address,
    token: Option<Token>,
}

/// To whom has no token, or a wrong one: the same answer for both.
const WITHOUT_TOKEN: Refusal = Refusal::new(
    401,
    "this needs the token of MEMPROF_HTTP_TOKEN: Authorization: Bearer TOKEN, or Basic with it as the password",
);
const ELSEWHERE: Refusal = Refusal::new(403, "this is asked for by a page of another origin");
const WRONG_HOST: Refusal = Refusal::new(403, "the Host of the request is not this endpoint's address");

impl Access {
    /// For an endpoint that listens at `address`, the system's.
    pub(crate) fn new(address: Address, token: Option<Token>) -> Self {
        Self { address, token }
    }

    /// Refuses whoever may not ask. `changes`: whether something is to be changed.
    pub(crate) fn check(&self, request: &Request<'_>, changes: bool) -> Result<(), Refusal> {
        let host = request.header("host")?.and_then(|host| str::from_utf8(host).ok());
        self.check_host(host)?;
        match &self.token {
            Some(token) if !token.is_in(request.header("authorization")?.unwrap_or_default()) => {
                return Err(WITHOUT_TOKEN);
            }
            None if changes => {
                return Err(Refusal::new(403, "this needs a token: start the program with MEMPROF_HTTP_TOKEN"));
            }
            _ => {}
        }
        check_origin(request, host, changes)
    }

    /// The name under which it is asked for: this machine's own, with the port. Where other machines ask too, and
    /// so the token is needed always, which no page has, it may be any.
    fn check_host(&self, host: Option<&str>) -> Result<(), Refusal> {
        let host = host.ok_or(Refusal::new(400, "the request has no Host"))?;
        let Address::Tcp(address) = &self.address else { return Ok(()) };
        if self.address.is_public() {
            return Ok(());
        }
        let port = address.port();
        let name = match host.strip_suffix(&format!(":{port}")) {
            Some(name) => name,
            None if port == 80 => host,
            None => return Err(WRONG_HOST),
        };
        let is_own = name.eq_ignore_ascii_case("localhost")
            || matches!(name, "127.0.0.1" | "[::1]")
            || name.trim_start_matches('[').trim_end_matches(']') == address.ip().to_string();
        is_own.then_some(()).ok_or(WRONG_HOST)
    }
}

/// What a browser says of the page that asks. A link that somebody follows may lead here; nothing else of another
/// origin.
fn check_origin(request: &Request<'_>, host: Option<&str>, changes: bool) -> Result<(), Refusal> {
    if let Some(site) = request.header("sec-fetch-site")? {
        let follows_a_link = !changes && request.header("sec-fetch-mode")? == Some(b"navigate");
        if !matches!(site, b"same-origin" | b"none") && !follows_a_link {
            return Err(ELSEWHERE);
        }
    }
    let Some(origin) = request.header("origin")? else { return Ok(()) };
    let own = host.map(|host| format!("http://{host}"));
    let is_own = own.is_some_and(|own| origin.eq_ignore_ascii_case(own.as_bytes()));
    is_own.then_some(()).ok_or(ELSEWHERE)
}

#[cfg(test)]
mod tests;
