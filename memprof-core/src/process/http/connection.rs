//! [`Connection`]: requests and their answers, one after the other, in steps none of which waits.
//!
//! ```text
//!            ┌───────── all sent, and the request may have others behind it ────────────┐
//!            ▼                                                                          │
//! Asking ── a whole request, or what can never be one ──► Taking ── all sent, and more may come ──► Ending ── the other side has closed ──► Over
//!   │ 5 s; 30 s from one request to the next                │ 10 s, or all sent                       │ 1 s, or 72 KiB more
//!   └─────────────── time is up, or the connection broke ───┴─────────────────────────────────────────┴──────────────────────────────────► Over
//! ```
//!
//! A connection stays for the next request only after one that was answered with 200 and stood alone: whoever is refused, sends a
//! body, or asks again without having waited for the answer, is answered and let go.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::process::http::answer::Answer;
use crate::process::http::listener::Stream;
use crate::process::http::request::{LONGEST_BODY, LONGEST_HEAD, Refusal, Request};

/// How long a request may take to come in. Few bytes, so who needs longer is sending them slowly on purpose.
const TO_ASK: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request. It is the first to go where somebody else needs the place.
const TO_STAY: Duration = Duration::from_secs(30);
/// The most requests on a connection.
const MOST_REQUESTS: u32 = 1_000;
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
    /// The next request.
    Asking,
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
    /// Requests that were answered.
    answered: u32,
    step: Step,
    /// When its time is up, for the step that it is at.
    until: Instant,
}

impl Connection {
    pub(crate) fn new(stream: Stream, now: Instant) -> Self {
        Self { stream, received: Vec::new(), answered: 0, step: Step::Asking, until: now + TO_ASK }
    }

    pub(crate) fn file(&self) -> RawFd {
        self.stream.file()
    }

    /// Whether it waits to send, not to receive.
    pub(crate) fn sends(&self) -> bool {
        matches!(self.step, Step::Taking(..))
    }

    /// Whether nothing is asked now.
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
            if self.received.is_empty() {
                self.until = self.until.min(now + TO_ASK);
            }
            let free = LONGEST_HEAD.saturating_sub(self.received.len());
            self.received.extend_from_slice(&room[..count.min(free)]);
            if let Some(request) = Request::read(&self.received) {
                let is_all = request.as_ref().is_ok_and(|request| request.is_all_of(&self.received) && count <= free);
                let may_stay = is_all && request.as_ref().is_ok_and(Request::stays);
                let answer = reply(request);
                self.answered += 1;
                let stays = may_stay && answer.status == 200 && self.answered < MOST_REQUESTS;
                let then = match (stays, is_all) {
                    (true, _) => AndThen::Asking,
                    (false, true) => AndThen::Over,
                    (false, false) => AndThen::Ending,
                };
                self.step = Step::Taking(answer.finish(stays), 0, then);
                self.until = now + TO_TAKE;
                self.received.clear();
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
                let then = *then;
                if !matches!(then, AndThen::Asking) {
                    self.stream.end_writing()?;
                }
                (self.step, self.until) = match then {
                    AndThen::Asking => (Step::Asking, now + TO_STAY),
                    AndThen::Over => (Step::Over, now),
                    AndThen::Ending => (Step::Ending(LONGEST_BODY + LONGEST_HEAD), now + TO_END),
                };
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;
    use std::time::{Duration, Instant};

    use super::{Answer, Connection, TO_ASK, TO_STAY};
    use crate::process::http::listener::Stream;

    /// A connection that began at `now`, and whoever asks on it.
    fn connection(now: Instant) -> (UnixStream, Connection) {
        let (asks, answers) = UnixStream::pair().expect("a pair");
        answers.set_nonblocking(true).expect("a socket");
        (asks, Connection::new(Stream::Unix(answers), now))
    }

    fn go_on(connection: &mut Connection, now: Instant) -> bool {
        connection.go_on(now, |request| {
            assert!(request.is_ok());
            Answer::new(200, "text/plain", "", Rc::new(b"body".to_vec()))
        })
    }

    #[test]
    fn each_step_has_its_time() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let (mut asks, mut connection) = connection(begun);
        assert_eq!(connection.until(), begun + TO_ASK);
        // One byte a second does not make it longer.
        asks.write_all(b"G").expect("room");
        assert!(go_on(&mut connection, after(1)));
        assert_eq!(connection.until(), begun + TO_ASK);
        asks.write_all(b"ET / HTTP/1.1\r\n\r\n").expect("room");
        assert!(go_on(&mut connection, after(2)));
        let mut room = [0; 1 << 10];
        let count = asks.read(&mut room).expect("an answer");
        assert!(room[..count].ends_with(b"\r\n\r\nbody"));
        assert!(connection.asks() && connection.until() == after(2) + TO_STAY);
        // From the first byte of the next request on, it is as long as the first one's, and no longer than it had.
        asks.write_all(b"G").expect("room");
        assert!(go_on(&mut connection, after(10)));
        assert_eq!(connection.until(), after(10) + TO_ASK);
        asks.write_all(b"ET / HTTP/1.1\r\n\r\n").expect("room");
        assert!(go_on(&mut connection, after(11)));
        asks.write_all(b"G").expect("room");
        assert!(go_on(&mut connection, after(40)));
        assert_eq!(connection.until(), after(11) + TO_STAY);
        drop(asks);
        assert!(!go_on(&mut connection, after(41)), "the other side has ended");
    }
}
