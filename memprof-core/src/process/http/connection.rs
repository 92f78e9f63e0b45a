//! [`Connection`]: one request and its answer, in steps none of which waits.
//!
//! ```text
//! Asking ── a whole request, or what can never be one ──► Taking ── all sent, and more may come ──► Ending ── the other side has closed ──► Over
//!   │ 5 s                                                   │ 10 s, or all sent                       │ 1 s, or 72 KiB more
//!   └─────────────── time is up, or the connection broke ───┴─────────────────────────────────────────┴──────────────────────────────────► Over
//! ```

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::process::http::answer::Answer;
use crate::process::http::listener::Stream;
use crate::process::http::request::{LONGEST_BODY, LONGEST_HEAD, Refusal, Request};

/// How long a request may take to come in. Few bytes, so who needs longer is sending them slowly on purpose.
const TO_ASK: Duration = Duration::from_secs(5);
/// How long an answer may take to be taken: a page of some MB on a slow line.
const TO_TAKE: Duration = Duration::from_secs(10);
/// How long whoever has the answer may take to end the connection.
const TO_END: Duration = Duration::from_secs(1);

/// What it waits for.
#[derive(Debug)]
enum Step {
    Asking,
    /// So much of the answer was sent. What follows: whether more may come in.
    Taking(Answer, usize, AndThen),
    /// So much more may come in, to be thrown away: to end the connection at once would take the answer back where
    /// not all was read.
    Ending(usize),
    Over,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum AndThen {
    /// All that was sent here was read, so it is over with the answer.
    Over,
    /// What was not read is waited for.
    Ending,
}

/// One connection, from when it came in until it is over.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    /// The head of the request, as far as it came; at most [`LONGEST_HEAD`].
    received: Vec<u8>,
    step: Step,
    /// When its time is up, for the step that it is at.
    until: Instant,
}

impl Connection {
    pub(crate) fn new(stream: Stream, now: Instant) -> Self {
        Self { stream, received: Vec::new(), step: Step::Asking, until: now + TO_ASK }
    }

    pub(crate) fn file(&self) -> RawFd {
        self.stream.file()
    }

    /// Whether it waits to send, not to receive.
    pub(crate) fn sends(&self) -> bool {
        matches!(self.step, Step::Taking(..))
    }

    /// Whether nothing was asked yet.
    pub(crate) fn asks(&self) -> bool {
        matches!(self.step, Step::Asking)
    }

    /// When it is ended, whatever it waits for.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Goes on as far as it can without waiting; `false`: it is over. A whole request is given to `reply`.
    pub(crate) fn go_on(&mut self, now: Instant, reply: impl FnOnce(Result<Request<'_>, Refusal>) -> Answer) -> bool {
        if self.ask(now, reply).and_then(|()| self.send(now)).and_then(|()| self.end()).is_err() {
            self.step = Step::Over;
        }
        !matches!(self.step, Step::Over)
    }

    /// Reads until there is a request, and answers it.
    fn ask(&mut self, now: Instant, reply: impl FnOnce(Result<Request<'_>, Refusal>) -> Answer) -> io::Result<()> {
        while self.asks() {
            let mut room = [0; 1 << 10];
            let Some(count) = unless_waiting(self.stream.read(&mut room))? else { return Ok(()) };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let free = LONGEST_HEAD.saturating_sub(self.received.len());
            self.received.extend_from_slice(&room[..count.min(free)]);
            if let Some(request) = Request::read(&self.received) {
                let is_all = request.as_ref().is_ok_and(|request| request.is_all_of(&self.received) && count <= free);
                let then = if is_all { AndThen::Over } else { AndThen::Ending };
                self.step = Step::Taking(reply(request), 0, then);
                self.until = now + TO_TAKE;
                self.received = Vec::new();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends what is left of the answer, head first.
    fn send(&mut self, now: Instant) -> io::Result<()> {
        while let Step::Taking(answer, sent, then) = &mut self.step {
            let head = answer.head.get(*sent..).unwrap_or_default();
            let body = answer.body.get(sent.saturating_sub(answer.head.len())..).unwrap_or_default();
            if head.is_empty() && body.is_empty() {
                self.stream.end_writing()?;
                self.step = match then {
                    AndThen::Over => Step::Over,
                    AndThen::Ending => Step::Ending(LONGEST_BODY + LONGEST_HEAD),
                };
                self.until = now + TO_END;
                return Ok(());
            }
            // One call of the system for both; each costs about as much as all that is done between them.
            let parts = [IoSlice::new(head), IoSlice::new(body)];
            let Some(count) = unless_waiting(self.stream.write(&parts))? else { return Ok(()) };
            *sent += count;
        }
        Ok(())
    }

    /// Throws away what still comes in until the other side closes: RFC 9112, 9.6, *Tear-down*, says why an answer
    /// may be lost without this.
    fn end(&mut self) -> io::Result<()> {
        while let Step::Ending(more) = &mut self.step {
            let mut room = [0; 1 << 10];
            let Some(count) = unless_waiting(self.stream.read(&mut room))? else { return Ok(()) };
            *more = more.saturating_sub(count);
            if count == 0 || *more == 0 {
                self.step = Step::Over;
            }
        }
        Ok(())
    }
}

/// `None` where it would have to wait.
fn unless_waiting(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}
