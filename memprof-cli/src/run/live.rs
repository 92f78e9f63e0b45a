//! `--live`: the program runs, and what it holds is shown as `memprof top` shows it.
//!
//! The terminal is the view's: what the program prints is kept in a file meanwhile and passed on when the view ends. The program answers at a
//! socket in the folder of the run.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use super::child;
use crate::{
    ended::Ended,
    error::say,
    live::Source,
    top::{Screen, ScreenEnded, View},
};

/// How often the view looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often what the program prints is passed on once nobody looks any more.
const PASSED_ON: Duration = Duration::from_millis(100);

/// Runs it to its end, with a view that may be left before.
pub(crate) fn run(mut command: Command, name: String, folder: &Path) -> io::Result<(u32, Ended)> {
    let mut printed = Printed::new(folder)?;
    command.stdin(Stdio::null()).stdout(printed.writer.try_clone()?);
    if io::stderr().is_terminal() {
        command.stderr(printed.writer.try_clone()?);
    }
    let address = format!("unix:{}", folder.join("live").display());
    command.env("MEMPROF_HTTP", &address);
    let source = Source::find(Some(&address)).map_err(io::Error::other)?;

    let screen = Screen::new();
    let (end, (ended, has_ended)) = (screen.end(), mpsc::channel());
    thread::spawn(move || {
        // Nobody hears of it where this process ends first.
        let _ = ended.send(child::run(&mut command));
        end.over();
    });
    let shown = screen.show(&mut View::new(name), source, INTERVAL);
    match shown {
        // As the terminal has it where no view is: the program gets it, and this process passes it on to nobody else.
        #[cfg(unix)]
        Ok(ScreenEnded::Interrupted) => {
            let _ = rustix::process::kill_current_process_group(rustix::process::Signal::INT);
        }
        Ok(_) => {}
        Err(error) => say(&format_args!("cannot show it: {error}; the program goes on")),
    }
    loop {
        printed.pass_on();
        match has_ended.recv_timeout(PASSED_ON) {
            Ok(ended) => {
                printed.pass_on();
                return ended;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("waiting for it failed")),
        }
    }
}

/// What the program prints.
struct Printed {
    writer: File,
    reader: File,
}

impl Printed {
    fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join("printed");
        Ok(Self { writer: File::create(&path)?, reader: File::open(&path)? })
    }

    /// Prints what is new. What nobody reads is let go.
    fn pass_on(&mut self) {
        let mut out = io::stdout().lock();
        if io::copy(&mut self.reader, &mut out).and_then(|_| out.flush()).is_err() {
            let _ = self.reader.seek(SeekFrom::End(0));
        }
    }
}
