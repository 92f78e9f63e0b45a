//! [`Screen`]: the terminal, the keys and the clock around a [`View`].
//!
//! Three threads say what happens: one reads keys, one looks at the program when it is told to, one hears of signals. This one alone draws, and
//! leaves the terminal as it was whatever ends it; a panic does so too (ratatui's hook).

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use memprof_report::Snapshot;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    widgets::TableState,
};

#[cfg(unix)]
use super::signals;
use super::{
    draw::draw,
    view::{View, Wish},
};
use crate::live::Source;

/// How many rows a page is.
const PAGE: isize = 10;

/// What happens.
enum Happening {
    Input(io::Result<Event>),
    Picture(Box<Result<Snapshot, String>>),
    #[cfg(unix)]
    Signal(i32),
    Over,
}

/// Why nothing is shown any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Somebody has seen enough.
    Left,
    /// By Ctrl-C.
    Interrupted,
    /// What is looked at is over.
    Over,
    #[cfg(unix)]
    Signal(i32),
}

/// The one place where things happen.
#[derive(Debug)]
pub(crate) struct Screen {
    happens: Sender<Happening>,
    happening: Receiver<Happening>,
}

/// Says that what is looked at is over.
#[derive(Clone, Debug)]
pub(crate) struct End(Sender<Happening>);

impl End {
    pub(crate) fn over(&self) {
        // Nobody looks any more.
        let _ = self.0.send(Happening::Over);
    }
}

impl Screen {
    pub(crate) fn new() -> Self {
        let (happens, happening) = mpsc::channel();
        Self { happens, happening }
    }

    /// What ends the view from elsewhere.
    pub(crate) fn end(&self) -> End {
        End(self.happens.clone())
    }

    /// Shows the view until somebody leaves it or it is over, and looks every `interval`.
    pub(crate) fn show(&self, view: &mut View, source: Source, interval: Duration) -> io::Result<Ended> {
        #[cfg(unix)]
        let _signals = {
            let happens = self.happens.clone();
            signals::hear(move |signal| happens.send(Happening::Signal(signal)).is_ok())?
        };
        let mut terminal = ratatui::try_init()?;
        self.read_keys();
        let ended = self.go_on(&mut terminal, view, &self.look_at(source), interval);
        ratatui::restore();
        ended
    }

    /// Starts to read keys.
    fn read_keys(&self) {
        let happens = self.happens.clone();
        thread::spawn(move || {
            loop {
                let input = event::read();
                let is_last = input.is_err();
                if happens.send(Happening::Input(input)).is_err() || is_last {
                    return;
                }
            }
        });
    }

    /// Starts to look at the program, whenever asked to.
    fn look_at(&self, source: Source) -> Sender<()> {
        let happens = self.happens.clone();
        let (ask, asked) = mpsc::channel();
        thread::spawn(move || {
            while asked.recv().is_ok() {
                if happens.send(Happening::Picture(Box::new(source.look()))).is_err() {
                    return;
                }
            }
        });
        ask
    }

    fn go_on(
        &self,
        terminal: &mut DefaultTerminal,
        view: &mut View,
        ask: &Sender<()>,
        interval: Duration,
    ) -> io::Result<Ended> {
        let mut table = TableState::new();
        // When to look next; none while an answer is awaited.
        let mut next = Some(Instant::now() + if view.now().is_some() { interval } else { Duration::ZERO });
        loop {
            terminal.draw(|frame| draw(frame, view, &mut table))?;
            let due = next.filter(|_| !view.is_paused());
            let happening = match due {
                Some(due) => self.happening.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => self.happening.recv().map_err(RecvTimeoutError::from),
            };
            match happening {
                Err(RecvTimeoutError::Timeout) => {
                    next = None;
                    // The thread that looks lives as long as this one asks.
                    let _ = ask.send(());
                }
                // This one could say something itself, so it never comes.
                Err(RecvTimeoutError::Disconnected) | Ok(Happening::Over) => return Ok(Ended::Over),
                #[cfg(unix)]
                Ok(Happening::Signal(signal)) => return Ok(Ended::Signal(signal)),
                Ok(Happening::Picture(picture)) => {
                    next = Some(Instant::now() + interval);
                    // What was asked for before the pause is no picture of it.
                    match *picture {
                        _ if view.is_paused() => {}
                        Ok(snapshot) => view.look(snapshot),
                        Err(why) if view.now().is_some() => view.miss(format!("{why}: this is the last picture")),
                        Err(why) => view.miss(why),
                    }
                }
                Ok(Happening::Input(input)) => match input? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => match meant(key, view.is_filtering()) {
                        Meant::Wish(wish) => view.wish(wish),
                        Meant::Leave => return Ok(Ended::Left),
                        Meant::Interrupt => return Ok(Ended::Interrupted),
                        #[cfg(unix)]
                        Meant::Stop => {
                            ratatui::restore();
                            signals::stop();
                            // A new screen is empty, and so is what this one knows of it. To clear it would ask the terminal where
                            // the cursor is, and the answer would come to the thread that reads keys.
                            *terminal = ratatui::try_init()?;
                        }
                        Meant::Nothing => {}
                    },
                    // A new size: drawn anew.
                    _ => {}
                },
            }
        }
    }
}

/// What a key means.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    Wish(Wish),
    Leave,
    Interrupt,
    /// To the background, as the terminal has it.
    #[cfg(unix)]
    Stop,
    Nothing,
}

fn meant(key: KeyEvent, is_filtering: bool) -> Meant {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Meant::Interrupt,
            #[cfg(unix)]
            KeyCode::Char('z') => Meant::Stop,
            _ => Meant::Nothing,
        };
    }
    let wish = match (key.code, is_filtering) {
        (KeyCode::Up, _) => Wish::Move(-1),
        (KeyCode::Down, _) => Wish::Move(1),
        (KeyCode::PageUp, _) => Wish::Move(-PAGE),
        (KeyCode::PageDown, _) => Wish::Move(PAGE),
        (KeyCode::Home, _) => Wish::First,
        (KeyCode::End, _) => Wish::Last,
        (KeyCode::Esc, _) => Wish::Clear,
        (KeyCode::Enter, true) => Wish::Accept,
        (KeyCode::Backspace, true) => Wish::Erase,
        (KeyCode::Char(letter), true) => Wish::Letter(letter),
        (KeyCode::Char('<') | KeyCode::Left, false) => Wish::Order(-1),
        (KeyCode::Char('>') | KeyCode::Right, false) => Wish::Order(1),
        (KeyCode::Char('r'), false) => Wish::Reverse,
        (KeyCode::Char('/'), false) => Wish::Filter,
        (KeyCode::Char(' ' | 'p'), false) => Wish::Pause,
        (KeyCode::Char('0'), false) => Wish::CountFromNow,
        (KeyCode::Tab, _) => Wish::Space(1),
        (KeyCode::BackTab, _) => Wish::Space(-1),
        (KeyCode::Char('q'), false) => return Meant::Leave,
        _ => return Meant::Nothing,
    };
    Meant::Wish(wish)
}

#[cfg(test)]
mod tests {
    use super::{KeyCode, KeyEvent, KeyModifiers, Meant, Wish, meant};

    #[test]
    fn letters_are_keys_until_they_are_of_the_filter() {
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        for (code, outside, inside) in [
            (KeyCode::Char('q'), Meant::Leave, Meant::Wish(Wish::Letter('q'))),
            (KeyCode::Char(' '), Meant::Wish(Wish::Pause), Meant::Wish(Wish::Letter(' '))),
            (KeyCode::Char('>'), Meant::Wish(Wish::Order(1)), Meant::Wish(Wish::Letter('>'))),
            (KeyCode::Esc, Meant::Wish(Wish::Clear), Meant::Wish(Wish::Clear)),
            (KeyCode::Enter, Meant::Nothing, Meant::Wish(Wish::Accept)),
            (KeyCode::Backspace, Meant::Nothing, Meant::Wish(Wish::Erase)),
            (KeyCode::Down, Meant::Wish(Wish::Move(1)), Meant::Wish(Wish::Move(1))),
            (KeyCode::F(1), Meant::Nothing, Meant::Nothing),
        ] {
            assert_eq!((meant(key(code), false), meant(key(code), true)), (outside, inside), "{code:?}");
        }
        let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        for is_filtering in [false, true] {
            assert_eq!(meant(control('c'), is_filtering), Meant::Interrupt);
            assert_eq!(meant(control('q'), is_filtering), Meant::Nothing);
        }
    }
}
