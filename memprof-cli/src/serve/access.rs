//! Who may ask. A page of another origin gets nothing: a browser says on whose behalf it asks, and nothing here tells it that another origin may
//! read an answer. A page that has its own name point to this machine (DNS rebinding) asks under that name, which is refused.

/// A request, as far as it matters.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
}

/// A status, and a line for whoever asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str);

impl Asked<'_> {
    /// The value of a header; an error where it is there more than once.
    fn header(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| *value);
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Refusal(400, "a header is there twice that may be there once")),
        }
    }

    /// Refuses who may not ask at this port.
    pub(crate) fn check(&self, port: u16) -> Result<(), Refusal> {
        let Some(host) = self.header("host")? else { return Err(Refusal(400, "the request has no Host")) };
        let name = host.strip_suffix(&format!(":{port}")).or((port == 80).then_some(host)).unwrap_or_default();
        if !name.eq_ignore_ascii_case("localhost") && name != "127.0.0.1" {
            return Err(Refusal(403, "the Host of the request is not this address"));
        }
        let elsewhere = Refusal(403, "this is asked for by a page of another origin");
        if let Some(site) = self.header("sec-fetch-site")? {
            // A link that somebody follows may lead here.
            let follows_a_link = self.header("sec-fetch-mode")? == Some("navigate")
                && self.header("sec-fetch-dest")? == Some("document");
            if !matches!(site, "same-origin" | "none") && !follows_a_link {
                return Err(elsewhere);
            }
        }
        match self.header("origin")? {
            Some(origin) if !origin.eq_ignore_ascii_case(&format!("http://{host}")) => Err(elsewhere),
            _ if !matches!(self.method, "GET" | "HEAD") => Err(Refusal(405, "this is read with GET")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Refusal};

    fn status(method: &str, headers: &[(&str, &str)]) -> u16 {
        let asked = Asked { method, path: "/", headers: headers.to_vec() };
        asked.check(8080).map_or_else(|Refusal(status, _)| status, |()| 200)
    }

    #[test]
    fn this_machine_is_asked_under_its_own_name_by_its_own_pages() {
        let host = ("Host", "127.0.0.1:8080");
        for (expected, method, headers) in [
            (200, "GET", &[host][..]),
            (200, "HEAD", &[("host", "LOCALHOST:8080")]),
            (400, "GET", &[]),
            (400, "GET", &[host, host]),
            (403, "GET", &[("Host", "127.0.0.1")]),
            (403, "GET", &[("Host", "127.0.0.1:8081")]),
            (403, "GET", &[("Host", "evil.example:8080")]),
            (403, "GET", &[("Host", "127.0.0.1.evil.example:8080")]),
            (403, "GET", &[("Host", ":8080")]),
            (405, "POST", &[host]),
            (200, "GET", &[host, ("Sec-Fetch-Site", "same-origin")]),
            (200, "GET", &[host, ("Sec-Fetch-Site", "none")]),
            (403, "GET", &[host, ("Sec-Fetch-Site", "cross-site")]),
            (403, "GET", &[host, ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors")]),
            (
                403,
                "GET",
                &[host, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
            ),
            (
                200,
                "GET",
                &[
                    host,
                    ("Sec-Fetch-Site", "cross-site"),
                    ("Sec-Fetch-Mode", "navigate"),
                    ("Sec-Fetch-Dest", "document"),
                ],
            ),
            (200, "GET", &[host, ("Origin", "http://127.0.0.1:8080")]),
            (403, "GET", &[host, ("Origin", "http://127.0.0.1:9999")]),
            (403, "GET", &[host, ("Origin", "null")]),
        ] {
            assert_eq!(status(method, headers), expected, "{method} {headers:?}");
        }
    }
}
