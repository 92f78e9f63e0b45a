//! Signals that end the command, heard of while a terminal is not as it was.
//!
//! They are told to a function on a thread of their own, where locks and channels are allowed, and end nothing by
//! themselves: the terminal is put right first, and then the command ends as by the signal. Both are left to
//! [`screen`](super::screen) and who called it.

use std::{io, thread};

use rustix::process::{Signal, getpid, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::{Handle, Signals},
};

/// While it lives, signals are heard of and do nothing else.
pub(crate) struct Heard(Handle);

impl Drop for Heard {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Has `heard` called with each, until it says `false`.
pub(crate) fn hear(heard: impl Fn(i32) -> bool + Send + 'static) -> io::Result<Heard> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let handle = signals.handle();
    thread::spawn(move || signals.forever().all(heard));
    Ok(Heard(handle))
}

/// Stops this process until somebody has it go on, as Ctrl-Z does elsewhere.
pub(crate) fn stop() {
    let _ = kill_process(getpid(), Signal::TSTP);
}
