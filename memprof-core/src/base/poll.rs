//! Waiting for files of the system, and what a thread or the process has used of the processor.
//!
//! What the live endpoint needs and the standard library has not: waiting for several files at once (`poll(2)`),
//! and the time of one thread and of all (`clock_gettime(2)`, `CLOCK_THREAD_CPUTIME_ID`, `CLOCK_PROCESS_CPUTIME_ID`), by which it keeps what it costs the
//! program within bounds.

#![expect(unsafe_code, reason = "calls of the C library")]

use core::time::Duration;
use std::os::fd::RawFd;

/// A file that is waited for.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Waited(libc::pollfd);

impl Waited {
    /// No file: nothing ever happens there.
    pub(crate) const NONE: Self = Self(libc::pollfd { fd: -1, events: 0, revents: 0 });

    /// Until something can be read.
    pub(crate) fn to_read(file: RawFd) -> Self {
        Self(libc::pollfd { fd: file, events: libc::POLLIN, revents: 0 })
    }

    /// Until something can be written.
    pub(crate) fn to_write(file: RawFd) -> Self {
        Self(libc::pollfd { fd: file, events: libc::POLLOUT, revents: 0 })
    }

    /// Whether something can be done there, or it has ended.
    pub(crate) fn is_ready(self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until something can be done with one of the files, at most so long; for good, without a time. Says at each
/// which it is.
///
/// A wait that a signal interrupted has nothing ready: the caller looks at the time and waits again.
pub(crate) fn wait(files: &mut [Waited], patience: Option<Duration>) {
    let milliseconds = patience.map_or(-1, |patience| {
        // Not too early, or it would be asked again and again.
        i32::try_from(patience.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: `Waited` is a `pollfd`; so many of them.
    let ready = unsafe { libc::poll(files.as_mut_ptr().cast(), files.len() as libc::nfds_t, milliseconds) };
    if ready <= 0 {
        for file in files {
            file.0.revents = 0;
        }
    }
}

/// Closes a file. For a forked child, which knows that nobody else does.
pub(crate) fn close(file: RawFd) {
    // SAFETY: it closes a file of this process; the caller knows that nobody uses it.
    unsafe { libc::close(file) };
}

/// What this thread has used of the processor.
pub(crate) fn used_by_thread() -> Duration {
    used(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// What all threads of the process have.
pub(crate) fn used_by_process() -> Duration {
    used(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn used(clock: libc::clockid_t) -> Duration {
    let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time.
    unsafe { libc::clock_gettime(clock, &raw mut used) };
    Duration::new(used.tv_sec.cast_unsigned(), u32::try_from(used.tv_nsec).unwrap_or(0))
}
