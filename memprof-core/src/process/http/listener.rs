//! [`Listener`]: a socket of either kind, and what comes in on it. None of it waits.
//!
//! | | TCP | unix socket |
//! |---|---|---|
//! | who reaches it | this machine, or whoever can reach the address | this user: mode 0600, from the moment when it has its name |
//! | left behind by a process that was killed | nothing | a socket that nobody answers at: the next process takes its place |
//! | taken by another process | an error, said in a line | an error; a file that is no socket is never removed |

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::process::address::Address;

/// Where connections come in. Closed on exec, as everything that the standard library opens.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// One connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Listens at `address`. Gives the address that the system made of it: its port, where none was asked for.
    pub(crate) fn bind(address: &Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp(wanted) => {
                let listener = TcpListener::bind(wanted)?;
                listener.set_nonblocking(true)?;
                let given = Address::Tcp(listener.local_addr()?);
                Ok((Self::Tcp(listener), given))
            }
            Address::Unix(path) => {
                let listener = bind_unix(path)?;
                listener.set_nonblocking(true)?;
                Ok((Self::Unix(listener), address.clone()))
            }
        }
    }

    /// The next connection that waits; `None` if none does.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match self {
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        };
        match accepted {
            Ok(stream) => {
                stream.prepare()?;
                Ok(Some(stream))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The system's number, to wait for.
    pub(crate) fn file(&self) -> RawFd {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Unix(listener) => listener.as_raw_fd(),
        }
    }
}

/// A socket for this user alone. It is made in a directory that nobody else looks into, and gets its name when it
/// is so; a socket that nobody answers at any more gives way, nothing else does.
///
/// A socket gets its mode by `umask` when it is bound, and that is the whole process's; changing it would change
/// what other threads' files get. So it is bound where nobody else can see it, given its mode, and linked to its
/// name.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a socket is there"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process answers there"));
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let aside = path.with_file_name(name);
    DirBuilder::new().mode(0o700).create(&aside)?;
    let socket = aside.join("s");
    let bound = UnixListener::bind(&socket).and_then(|listener| {
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        // Fails where something came to be there meanwhile.
        fs::hard_link(&socket, path)?;
        Ok(listener)
    });
    let _nothing_is_left = fs::remove_file(&socket).and(fs::remove_dir(&aside));
    bound
}

impl Stream {
    /// It never waits, and sends what there is at once: an answer is written in few large parts.
    fn prepare(&self) -> io::Result<()> {
        match self {
            // The end of an answer is not kept back until the other side has said that it got the beginning.
            Self::Tcp(stream) => stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }

    pub(crate) fn file(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// Nothing more will be sent.
    pub(crate) fn end_writing(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(room),
            Self::Unix(stream) => stream.read(room),
        }
    }

    pub(crate) fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(parts),
            Self::Unix(stream) => stream.write_vectored(parts),
        }
    }
}
