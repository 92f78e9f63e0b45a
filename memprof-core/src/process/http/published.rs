//! The file that says where a process answers: `$XDG_RUNTIME_DIR/memprof/PID`, for `memprof top PID`.
//!
//! It is written where the variable is set and nowhere else, for this user alone, and taken away when the process
//! ends; so is a unix socket.
//!
//! The file holds one line, the address as a browser or `memprof top` takes it. Its directory is of mode 0700 and
//! it of 0600: where a program answers is nobody else's to know. A process that was killed leaves its file; the
//! next one with the same number writes over it, and whoever reads it finds that nobody answers.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::base::lock::Lock;
use crate::process::address::Address;

/// What is there for as long as this process answers.
struct Published {
    process: u32,
    files: Vec<PathBuf>,
}

static PUBLISHED: Lock<Option<Published>> = Lock::new(None);

/// Says where this process answers.
pub(crate) fn publish(address: &Address, runtime_directory: Option<PathBuf>) -> io::Result<()> {
    let process = std::process::id();
    let mut files = Vec::new();
    if let Address::Unix(path) = address {
        files.push(path.clone());
    }
    let directory =
        runtime_directory.filter(|directory| directory.is_absolute()).map(|directory| directory.join("memprof"));
    let written = directory.map_or(Ok(()), |directory| {
        let file = directory.join(process.to_string());
        write(&directory, &file, address)?;
        files.push(file);
        Ok(())
    });
    *PUBLISHED.lock() = Some(Published { process, files });
    written
}

/// Writes the file anew, so that it has this user's mode whatever was there.
fn write(directory: &Path, file: &Path, address: &Address) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?,
    }
    // Left by a process that had the same number.
    let _may_not_be_there = fs::remove_file(file);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(format!("{address}\n").as_bytes())
}

/// Takes it away. A forked child leaves its parent's alone.
pub(crate) fn withdraw() {
    let mut published = PUBLISHED.lock();
    if published.as_ref().is_some_and(|published| published.process == std::process::id())
        && let Some(published) = published.take()
    {
        for file in published.files {
            let _may_be_gone = fs::remove_file(file);
        }
    }
}
