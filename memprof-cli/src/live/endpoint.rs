//! [`Endpoint`]: where a program answers, and asking it.
//!
//! Each question is a connection of its own, bounded in time, and no text of an error has a token in it. How a connection comes about is left to
//! [`connect`](super::connect), what is said over it to [`ask`](super::ask), finding programs to [`running`](super::running).

use std::{io, path::PathBuf};

use memprof_report::Snapshot;

use super::{
    ask::{Connection, get},
    connect::{TO_CONNECT, tcp},
};
use crate::profile::parse;

/// What is asked for.
const PROFILE: &str = "/snapshot.json";

/// An address, and what opens it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    address: Address,
    /// What is asked for there.
    path: String,
    token: Option<String>,
    /// As it was given, without a token.
    name: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Address {
    /// Host and port.
    Tcp(String),
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are none"))]
    Unix(PathBuf),
}

/// What is accepted of addresses.
const ADDRESSES: &str = "http://HOST:PORT or unix:PATH, as the program says it on stderr";

impl Endpoint {
    /// The endpoint at this address; `None` if it is none, an error if it is a wrong one. A token in the address itself (`http://x:TOKEN@host:6060`)
    /// goes before the one that is given.
    pub(crate) fn parse(text: &str, token: Option<String>) -> Option<Result<Self, String>> {
        if let Some(path) = text.strip_prefix("unix:") {
            let address = Address::Unix(PathBuf::from(path));
            let endpoint = Self { address, path: PROFILE.to_owned(), token, name: text.to_owned() };
            return Some(if path.is_empty() { Err(wrong(text)) } else { Ok(endpoint) });
        }
        let (scheme, rest) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Some(Err(format!(
                "‘{scheme}’ is not spoken here; accepted: {ADDRESSES}; a program behind TLS is reached with ssh -L"
            )));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if host.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(Err(wrong(text)));
        }
        let own_token = user.split_once(':').map(|(_, token)| token.to_owned()).filter(|token| !token.is_empty());
        let path = path.trim_end_matches('/');
        Some(Ok(Self {
            address: Address::Tcp(if has_port { host.to_owned() } else { format!("{host}:80") }),
            path: if path.ends_with(PROFILE) { path.to_owned() } else { format!("{path}{PROFILE}") },
            token: own_token.or(token),
            name: format!("http://{host}{path}"),
        }))
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the program measured up to now, or why it cannot be had.
    pub(crate) fn ask(&self) -> Result<Snapshot, String> {
        let unreachable = |error: io::Error| match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => format!("nobody answers at {}", self.name),
            io::ErrorKind::TimedOut => format!("{} does not answer", self.name),
            _ => format!("cannot reach {}: {error}", self.name),
        };
        let (mut connection, host) = self.connect().map_err(unreachable)?;
        let answer = get(&mut *connection, host, &self.path, self.token.as_deref());
        let answer = answer.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => format!("{} does not answer", self.name),
            _ => format!("no answer from {}: {error}", self.name),
        })?;
        match (answer.status, &self.token) {
            (200, _) => parse(&answer.body)
                .map_err(|what| format!("what {} answers is no profile ({what}); accepted: {ADDRESSES}", self.name)),
            (401, None) => Err(format!("{} needs the program's MEMPROF_HTTP_TOKEN; set it here too", self.name)),
            (401, Some(_)) => {
                Err(format!("{} refuses the token, which is not the program's MEMPROF_HTTP_TOKEN", self.name))
            }
            (status, _) => {
                let text = String::from_utf8_lossy(&answer.body);
                let line = memprof_report::one_line(text.lines().next().unwrap_or_default());
                Err(format!("{} answers with {status}: {line}", self.name))
            }
        }
    }

    fn connect(&self) -> io::Result<(Box<dyn Connection>, &str)> {
        match &self.address {
            Address::Tcp(host) => Ok((Box::new(tcp(host, TO_CONNECT)?), host)),
            #[cfg(unix)]
            Address::Unix(path) => Ok((Box::new(super::connect::unix(path, TO_CONNECT)?), "localhost")),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn wrong(text: &str) -> String {
    format!("‘{text}’ is no address; accepted: {ADDRESSES}")
}

#[cfg(test)]
mod tests {
    use super::{Address, Endpoint, PathBuf};

    #[test]
    fn an_address_is_read_with_its_token_and_shown_without() {
        let tcp = |host: &str| Address::Tcp(host.to_owned());
        for (text, address, path, token, name) in [
            ("http://127.0.0.1:6060", tcp("127.0.0.1:6060"), "/snapshot.json", Some("env"), "http://127.0.0.1:6060"),
            ("HTTP://[::1]:6060/", tcp("[::1]:6060"), "/snapshot.json", Some("env"), "http://[::1]:6060"),
            ("http://x:s3c:r@h:1/a/", tcp("h:1"), "/a/snapshot.json", Some("s3c:r"), "http://h:1/a"),
            ("http://host", tcp("host:80"), "/snapshot.json", Some("env"), "http://host"),
            ("http://h:1/snapshot.json", tcp("h:1"), "/snapshot.json", Some("env"), "http://h:1/snapshot.json"),
            ("unix:/run/x", Address::Unix(PathBuf::from("/run/x")), "/snapshot.json", Some("env"), "unix:/run/x"),
        ] {
            let endpoint = Endpoint::parse(text, Some("env".to_owned())).expect("an address").expect("a right one");
            let token = token.map(str::to_owned);
            let expected = Endpoint { address, path: path.to_owned(), token, name: name.to_owned() };
            assert_eq!(endpoint, expected, "{text}");
        }
        for none in ["profile.json", "4711", "/run/x", "a:b"] {
            assert_eq!(Endpoint::parse(none, None), None, "{none}");
        }
        for wrong in ["http://", "http:///x", "unix:", "http://a b:1", "http://h:1/\r\nX: y"] {
            let accepted = "is no address; accepted: http://HOST:PORT or unix:PATH, as the program says it on stderr";
            assert_eq!(Endpoint::parse(wrong, None), Some(Err(format!("‘{wrong}’ {accepted}"))), "{wrong}");
        }
        let tls = Endpoint::parse("https://h", None).expect("an address").expect_err("a wrong one");
        assert!(tls.starts_with("‘https’ is not spoken here; accepted: http://HOST:PORT"), "{tls}");
    }
}
