//! Where the endpoint listens: what `MEMPROF_HTTP` says.
//!
//! | `MEMPROF_HTTP` | listens at |
//! |---|---|
//! | `127.0.0.1:0` | a port of the system's choice, said in a line on stderr |
//! | `localhost:8080` | 127.0.0.1, without asking a resolver, which could take long and allocate |
//! | `[::1]:8080` | likewise, by IPv6 |
//! | `unix:/run/user/1000/app.sock` | a socket that this user alone may open |
//! | `0.0.0.0:8080` | all of the machine's addresses, only together with a token |

use core::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An address, as it is asked for or as it was given by the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    /// A unix socket, by its path.
    Unix(PathBuf),
}

/// What is accepted.
pub(crate) const ADDRESSES: &str = "an IP address and a port, such as 127.0.0.1:0, localhost and a port, or unix: and a path; one that is not this machine's own (127.0.0.0/8, ::1) only together with MEMPROF_HTTP_TOKEN";

impl Address {
    pub(crate) fn parse(value: &str) -> Option<Self> {
        if let Some(path) = value.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(PathBuf::from(path)));
        }
        let named = value.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        named.as_deref().unwrap_or(value).parse().ok().map(Self::Tcp)
    }

    /// Whether other machines reach it.
    ///
    /// An IPv4 address that is written as an IPv6 one (`::ffff:127.0.0.1`) is taken for what it is.
    pub(crate) fn is_public(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

/// As a browser or `memprof top` takes it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_one_of_this_machine_or_public() {
        for (value, shown, is_public) in [
            ("127.0.0.1:0", "http://127.0.0.1:0", false),
            ("127.1.2.3:80", "http://127.1.2.3:80", false),
            ("localhost:6060", "http://127.0.0.1:6060", false),
            ("[::1]:6060", "http://[::1]:6060", false),
            ("[::ffff:127.0.0.1]:1", "http://[::ffff:127.0.0.1]:1", false),
            ("unix:/run/x", "unix:/run/x", false),
            ("0.0.0.0:6060", "http://0.0.0.0:6060", true),
            ("[::]:6060", "http://[::]:6060", true),
            ("10.0.0.1:1", "http://10.0.0.1:1", true),
        ] {
            let address = Address::parse(value).expect(value);
            assert_eq!((address.to_string().as_str(), address.is_public()), (shown, is_public));
        }
        for value in ["", "6060", ":6060", "127.0.0.1", "host:80", "unix:", "http://127.0.0.1:1", "127.0.0.1:65536"] {
            assert_eq!(Address::parse(value), None, "{value}");
        }
    }
}
