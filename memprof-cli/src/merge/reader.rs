//! Reads files side by side, and hands them on one after another in order.
//!
//! The order is that of the call whichever file is read first, so that the same call gives the same profile. At most a
//! few profiles are held at once, however many files there are. A file that cannot be read is handed on as such; what
//! becomes of it is left to who takes it.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::sync_channel,
    thread,
};

use memprof_report::Snapshot;

use crate::{error::Error, profile::read};

/// More threads would hold more profiles at once, and the one that merges would be behind.
const MOST_THREADS: usize = 4;

/// Calls `take` with each file's profile, in the order of `files`, until it fails. Each of a few threads is at most one profile
/// ahead, so that what is held does not grow with the number of files.
pub(crate) fn read_all(
    files: &[PathBuf],
    mut take: impl FnMut(&Path, Result<Snapshot, Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let count = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(files.len().max(1));
    thread::scope(|scope| {
        // Each thread reads every so many-th file, so whose turn it is needs no word between them.
        let threads: Vec<_> = (0..count)
            .map(|first| {
                let (sender, receiver) = sync_channel(0);
                scope.spawn(move || {
                    for file in files.iter().skip(first).step_by(count) {
                        if sender.send(read(file)).is_err() {
                            // Nobody takes more.
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for (index, file) in files.iter().enumerate() {
            // A thread sends one result for each of its files; if it ended without, that file is told as unreadable.
            let read = threads[index % count]
                .recv()
                .unwrap_or_else(|_| Err(Error::File(format!("cannot read ‘{}’: reading it failed", file.display()))));
            take(file, read)?;
        }
        Ok(())
    })
}
