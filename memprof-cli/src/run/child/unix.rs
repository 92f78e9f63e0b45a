//! Where there are signals.
//!
//! A signal of the terminal (Ctrl-C) reaches the program too, which is in the same group, so it is not handed on. One that somebody
//! sent to the command alone is, [`GRACE`] later: who sends to the whole group, as `timeout` does, has the program get it once, since
//! a program takes the second for an order to leave its report and go.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt as _,
    process::Command,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid},
    termios::tcgetpgrp,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM},
    iterator::Signals,
};

use crate::ended::Ended;

/// Until then a program that has the signal from elsewhere has ended, if it ends by it: memprof's report takes at most 2 s.
const GRACE: Duration = Duration::from_millis(2_500);

/// Whether the program still runs, and is to be told of signals.
type Running = Arc<(Mutex<bool>, Condvar)>;

/// Runs it to its end: its process id, and how it ended.
pub(crate) fn run(command: &mut Command) -> io::Result<(u32, Ended)> {
    let ignored = ignored();
    // What is ignored (nohup, `&` in a script) stays so, here and in the program.
    let caught = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(caught)?;
    let handle = signals.handle();
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let running: Running = Arc::new((Mutex::new(true), Condvar::new()));
    let forwarder = thread::spawn({
        let running = running.clone();
        move || signals.forever().for_each(|signal| hand_on(signal, pid, &running))
    });
    // Its id stays its own until it is waited for below, so no signal reaches a stranger.
    let until_ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), until_ended), Err(Errno::INTR)) {}
    *running.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    running.1.notify_all();
    let status = child.wait()?;
    handle.close();
    // It ends as its iterator does.
    let _ = forwarder.join();
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(u8::try_from(code & 0xff).unwrap_or(1)),
        (None, signal) => Ended::Signal(signal.unwrap_or(SIGKILL)),
    };
    Ok((child.id(), ended))
}

/// Sends the signal to the program, unless it has it from the terminal or has ended by then.
fn hand_on(signal: i32, pid: Pid, running: &Running) {
    if matches!(signal, SIGINT | SIGQUIT) && is_in_foreground() {
        return;
    }
    let runs = running.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (runs, _) = running.1.wait_timeout_while(runs, GRACE, |runs| *runs).unwrap_or_else(PoisonError::into_inner);
    if *runs && let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether Ctrl-C at the terminal reaches this process's group.
fn is_in_foreground() -> bool {
    fs::File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

/// A bit for each signal that is ignored; none where the system does not say.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
