//! Files that are written whole: no reader sees half of one.
//!
//! The report at a program's exit, one that is written over and over, and the command's files are all written by this:
//! what is beside the name is renamed to it, so a reader sees the old file or the new one, and a failure leaves the old
//! one. A link of that name is replaced, and what it leads to stays. It is not forced to the disk (`fsync`): this is
//! about readers and killed programs, not about a power cut.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
};

#[cfg(test)]
mod tests;

/// Has `write` fill a temporary file beside `path`, which then takes its name. A link at `path` is replaced.
///
/// # Errors
///
/// Those of the system and of `write`. Nothing is left behind then, and what stood at `path` still stands.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let (file, temporary) = create_beside(path)?;
    let mut out = BufWriter::new(file);
    let written = write(&mut out).and_then(|()| out.flush());
    // Closed before it is renamed: Windows refuses to rename an open file. What is left in the buffer after a failure is
    // not tried again.
    drop(out.into_parts());
    let done = written.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // The first failure is the one to tell of; if this fails too, nobody can do more.
        let _ = fs::remove_file(&temporary);
    }
    done
}

/// Whether a file at `path` could be written so now: one is made beside it and taken away again.
///
/// # Errors
///
/// Those of the system, where it could not.
pub fn check(path: &Path) -> io::Result<()> {
    let (file, temporary) = create_beside(path)?;
    drop(file);
    fs::remove_file(temporary)
}

/// A new file in the directory of `path`, under a name that no other process or thread uses: one that is there, left by
/// a killed process that had the same id or being written by another thread, is passed over.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 0_u64;
    loop {
        let temporary = path.with_file_name(format!(".memprof-{}-{number}.tmp", process::id()));
        match File::create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            created => return created.map(|file| (file, temporary)),
        }
    }
}
