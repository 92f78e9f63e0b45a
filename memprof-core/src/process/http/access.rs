//! Who may ask, and for what.
//!
//! Who reaches the socket may read, unless there is a token; then whoever has that. What changes something needs
//! the token always. Web pages of another origin, and names that are not this machine's, are refused by the rules that `memprof serve`
//! has too: `served` in `memprof-report`.
//!
//! | a request | without a token | with one |
//! |---|---|---|
//! | reads, by the user's own programs | is answered | needs it |
//! | changes something | is refused | needs it |
//! | comes by a browser, of a page of this endpoint | as any other | as any other |
//! | comes by a browser, of another page | is refused, but for a link that is followed | likewise |
//! | comes under a name that is not this machine's | is refused | is refused, where it listens for this machine alone |
//!
//! Sources: RFC 6750 for `Bearer`, RFC 7617 for `Basic`.

use memprof_report::__common::Visitor;

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

impl Access {
    /// For an endpoint that listens at `address`, the system's.
    pub(crate) fn new(address: Address, token: Option<Token>) -> Self {
        Self { address, token }
    }

    /// Refuses whoever may not ask. `changes`: whether something is to be changed.
    pub(crate) fn check(&self, request: &Request<'_>, changes: bool) -> Result<(), Refusal> {
        let visitor = Visitor::of(|name| request.header(name))?;
        // Where other machines ask too, and so the token is needed always, which no page has, it may be any name.
        if let Address::Tcp(address) = &self.address
            && !self.address.is_public()
        {
            visitor.check_host(*address)?;
        }
        match &self.token {
            Some(token) if !token.is_in(request.header("authorization")?.unwrap_or_default()) => {
                return Err(WITHOUT_TOKEN);
            }
            None if changes => {
                return Err(Refusal::new(403, "this needs a token: start the program with MEMPROF_HTTP_TOKEN"));
            }
            _ => {}
        }
        visitor.check_page(changes)
    }
}

#[cfg(test)]
mod tests;
