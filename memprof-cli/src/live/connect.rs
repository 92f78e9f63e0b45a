//! Connections that come about within a time, or not at all.
//!
//! A program that is stopped takes no connection, and the system holds a few for it; who comes then would wait until it goes on. The standard
//! library bounds that for an address of TCP alone. For a unix socket the time is set before connecting, which the system goes by; where it does
//! not, it refuses such a connection at once. Looking a name up cannot be ended: it is left to a thread that nobody waits for longer, and ends when
//! the system's resolver gives up.

use std::{
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::Path};

use super::ask::Connection;

/// How long a connection may take to come about, its name's look-up included.
pub(super) const TO_CONNECT: Duration = Duration::from_secs(5);

/// A connection to `HOST:PORT`. Of a name with several addresses each has its part of the time, so that one that is silent leaves some to the next.
pub(super) fn tcp(host: &str, patience: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + patience;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no address has this name");
    let addresses = addresses(host, patience)?;
    for (tried, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let part = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        if part.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(address, part) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The addresses of `HOST:PORT`.
fn addresses(host: &str, patience: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let host = host.to_owned();
    within(patience, move || host.to_socket_addrs().map(Iterator::collect))?
}

/// What `work` gives, which goes on unheeded where it takes longer.
fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = mpsc::sync_channel(1);
    thread::Builder::new().name("memprof-names".to_owned()).spawn(move || done.send(work()))?;
    result.recv_timeout(patience).map_err(|_| io::ErrorKind::TimedOut.into())
}

/// A connection to the socket at `path`.
#[cfg(unix)]
pub(super) fn unix(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    use rustix::{
        io::{Errno, FdFlags, fcntl_setfd, retry_on_intr},
        net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket},
    };
    let address = SocketAddrUnix::new(path)?;
    let stream = UnixStream::from(socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
    fcntl_setfd(&stream, FdFlags::CLOEXEC)?;
    stream.set_write_timeout(Some(patience))?;
    match retry_on_intr(|| connect(&stream, &address)) {
        Ok(()) => Ok(stream),
        // What a socket says when its time is up.
        Err(Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
        Err(error) => Err(error.into()),
    }
}

impl Connection for TcpStream {
    fn wait_at_most(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))?;
        self.set_write_timeout(Some(patience))
    }
}

#[cfg(unix)]
impl Connection for UnixStream {
    fn wait_at_most(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))?;
        self.set_write_timeout(Some(patience))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A program that is stopped: nobody takes connections, and the system holds so many that no more fit.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_with_no_room_for_one_more_connection_is_given_up() {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
        bind(&listener, &SocketAddrUnix::new(&path).expect("an address")).expect("it is bound");
        listen(&listener, 0).expect("it listens");
        let mut held = Vec::new();
        let refused = loop {
            match unix(&path, Duration::from_millis(1)) {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!((refused.kind(), held.len()), (io::ErrorKind::TimedOut, 1));
        drop(listener);
        let gone = unix(&path, TO_CONNECT).expect_err("nobody listens");
        assert_eq!(gone.kind(), io::ErrorKind::ConnectionRefused);
        let none = unix(&folder.path().join("none"), TO_CONNECT).expect_err("there is none");
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn work_that_does_not_end_is_not_waited_for() {
        let (end, ended) = mpsc::channel::<()>();
        let given_up = within(Duration::from_millis(1), move || ended.recv());
        assert_eq!(given_up.expect_err("it waits").kind(), io::ErrorKind::TimedOut);
        drop(end);
        assert_eq!(within(TO_CONNECT, || 7).expect("it is done"), 7);
    }

    #[test]
    fn a_name_and_an_address_are_both_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        for host in [address.to_string(), format!("localhost:{}", address.port())] {
            let connected = tcp(&host, TO_CONNECT).expect("it listens").peer_addr().expect("an address");
            assert_eq!(connected.port(), address.port(), "{host}");
        }
    }
}
