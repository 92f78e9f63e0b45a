//! Files that are written whole: no reader sees half of one.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
};

/// Writes `content` to a temporary file beside `path`, which then takes its name. After a failure nothing is left behind.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (mut file, temporary) = create_beside(path)?;
    let written = file.write_all(content);
    // Closed before it is renamed: Windows refuses to rename an open file.
    drop(file);
    let done = written.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // The first failure is the one to tell of.
        let _ = fs::remove_file(&temporary);
    }
    done
}

/// Whether a file at `path` could be written so now: one is made beside it and taken away again.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let (file, temporary) = create_beside(path)?;
    drop(file);
    fs::remove_file(temporary)
}

/// A new file in the folder of `path`, under a name that nobody else uses.
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
