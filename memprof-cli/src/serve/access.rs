//! Who may ask: by the rules that the endpoint of a running program has too, `served` in `memprof-report`. Nothing here can be changed, so there is no
//! token.

use std::net::SocketAddr;

use memprof_report::__common::{Refusal, Visitor, once};

/// A request, as far as it matters.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Asked<'a> {
    /// The value of a header; an error where it is there more than once.
    fn header(&self, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
        let of_name = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        once(of_name.map(|(_, value)| value.as_bytes()))
    }

    /// Refuses who may not ask at this address.
    pub(crate) fn check(&self, address: SocketAddr) -> Result<(), Refusal> {
        let visitor = Visitor::of(|name| self.header(name))?;
        visitor.check_host(address)?;
        visitor.check_page(false)?;
        if matches!(self.method, "GET" | "HEAD") { Ok(()) } else { Err(Refusal::new(405, "this is read with GET")) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Refusal};

    type Headers = [(&'static str, &'static str)];

    fn status(method: &str, headers: &Headers) -> u16 {
        let asked = Asked { method, path: "/", headers: headers.to_vec() };
        let address = "127.0.0.1:6060".parse().expect("an address");
        asked.check(address).map_or_else(|Refusal { status, .. }| status, |()| 200)
    }

    #[test]
    fn who_may_ask_is_decided_as_everywhere_and_nothing_is_changed() {
        let requests: &[(&Headers, u16)] = include!("../../../memprof-report/src/served/table.rs");
        for (headers, expected) in requests {
            assert_eq!(status("GET", headers), *expected, "{headers:?}");
            assert_eq!(status("HEAD", headers), *expected, "{headers:?}");
            assert_eq!(status("POST", headers), if *expected == 200 { 405 } else { *expected }, "{headers:?}");
        }
    }
}
