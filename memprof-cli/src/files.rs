//! Files that are written whole: no reader sees half of one.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    process,
};

/// Writes `content` to a temporary file beside `path`, which then takes its name. After a failure nothing is left behind.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut number = 0_u64;
    let (mut file, temporary) = loop {
        let temporary = path.with_file_name(format!(".memprof-{}-{number}.tmp", process::id()));
        match File::create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            created => break (created?, temporary),
        }
    };
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
