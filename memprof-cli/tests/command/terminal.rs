//! [`Terminal`]: the command in a terminal of 80 columns and 24 lines, whose screen can be read and whose keys can be pressed.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ExitStatus},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use pty_process::{
    Size,
    blocking::{Command, Pty, open},
};
use rustix::termios::{LocalModes, tcgetattr};
use vt100::Parser;

/// How long something may take to be seen. A failure alone takes so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was shown so far, and whether more can come.
type Shown = Arc<(Mutex<(Parser, bool)>, Condvar)>;

pub(crate) struct Terminal {
    child: Child,
    keys: Arc<Pty>,
    shown: Shown,
}

impl Terminal {
    /// Starts what `prepare` makes of the command.
    pub(crate) fn start(prepare: impl FnOnce(Command) -> Command) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_memprof"), prepare)
    }

    /// Starts another program.
    pub(crate) fn start_program(program: &str, prepare: impl FnOnce(Command) -> Command) -> Self {
        let (pty, terminal) = open().expect("a terminal");
        pty.resize(Size::new(24, 80)).expect("a size");
        let command = prepare(Command::new(program).env("TERM", "xterm-256color"));
        let child = command.spawn(terminal).expect("the command starts");
        let keys = Arc::new(pty);
        let shown: Shown = Arc::new((Mutex::new((Parser::default(), false)), Condvar::new()));
        thread::spawn({
            let (pty, shown) = (keys.clone(), shown.clone());
            move || {
                let mut room = [0; 4096];
                loop {
                    // It fails when nobody has the terminal open any more.
                    let count = (&*pty).read(&mut room).unwrap_or(0);
                    let mut parser = shown.0.lock().expect("no panic");
                    parser.0.process(&room[..count]);
                    parser.1 = count == 0;
                    shown.1.notify_all();
                    if count == 0 {
                        return;
                    }
                }
            }
        });
        Self { child, keys, shown }
    }

    pub(crate) fn press(&self, keys: &str) {
        (&*self.keys).write_all(keys.as_bytes()).expect("keys are read");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The screen, once it is as wanted.
    pub(crate) fn wait_for(&self, what: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let until = |(parser, is_over): &mut (Parser, bool)| !*is_over && !is_wanted(&parser.screen().contents());
        let parser = self.shown.0.lock().expect("no panic");
        let (parser, _) = self.shown.1.wait_timeout_while(parser, PATIENCE, until).expect("no panic");
        let text = parser.0.screen().contents();
        assert!(is_wanted(&text), "waited for {what}:\n{text}");
        text
    }

    /// The screen, once it has this text.
    pub(crate) fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// Waits for the end: how it ended, and what is on the screen then. The terminal must be as it was: the first screen,
    /// with its cursor, in lines and with an echo.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it ends");
        let parser = self.shown.0.lock().expect("no panic");
        let until = |(_, is_over): &mut (Parser, bool)| !*is_over;
        let (parser, _) = self.shown.1.wait_timeout_while(parser, PATIENCE, until).expect("no panic");
        let screen = parser.0.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "the terminal is as it was");
        let modes = tcgetattr(&*self.keys).expect("modes").local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG), "{modes:?}");
        (status, screen.contents())
    }
}
