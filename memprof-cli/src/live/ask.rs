//! One question over HTTP, and its answer.
//!
//! The question is written and the bytes are read with the standard library, since no client that is small knows unix sockets as a part of what it
//! promises (ureq does through an interface that it calls unversioned, hyper needs a runtime); the head of the answer is left to httparse.
//! HTTP/1.0 is asked for: then no answer comes in pieces, also from a proxy in front.

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer that is read: more than a profile of a million paths.
const LONGEST: usize = 1 << 30;
/// The most headers of an answer.
const MOST_HEADERS: usize = 64;

/// A connection that can be told how long to wait.
pub(crate) trait Connection: Read + Write {
    /// Reading and writing fail after so long.
    fn wait_at_most(&self, patience: Duration) -> io::Result<()>;
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Asks for `path` on `host`, with a token where there is one.
pub(crate) fn get(connection: &mut dyn Connection, host: &str, path: &str, token: Option<&str>) -> io::Result<Answer> {
    let until = Instant::now() + PATIENCE;
    connection.wait_at_most(PATIENCE)?;
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {host}\r\n{authorization}\r\n")?;
    connection.flush()?;
    let (mut received, mut room) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.wait_at_most(left)?;
        match connection.read(&mut room) {
            Ok(0) => return parse(received),
            Ok(count) if received.len() + count > LONGEST => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has more than 1 GiB"));
            }
            Ok(count) => received.extend_from_slice(&room[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What a socket says when its time is up.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error),
        }
    }
}

/// The answer that is all of `received`.
fn parse(mut received: Vec<u8>) -> io::Result<Answer> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let start = match response.parse(&received) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Err(invalid("the answer ends within its head")),
        Err(_) => return Err(invalid("the answer is no HTTP")),
    };
    let status = response.code.unwrap_or_default();
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
    let mut body = received.split_off(start);
    match length {
        Some(length) if body.len() < length => return Err(invalid("the answer ends before its end")),
        Some(length) => body.truncate(length),
        None => {}
    }
    Ok(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};

    use super::{Answer, Connection, Duration, get};

    /// Answers with these pieces, and keeps what it was asked.
    struct Script {
        asked: Vec<u8>,
        pieces: Vec<&'static [u8]>,
    }

    impl Read for Script {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let piece = if self.pieces.is_empty() { &b""[..] } else { self.pieces.remove(0) };
            room[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Connection for Script {
        fn wait_at_most(&self, _: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(pieces: Vec<&'static [u8]>) -> Result<Answer, String> {
        let mut script = Script { asked: Vec::new(), pieces };
        get(&mut script, "localhost:1", "/x", None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_question_is_asked_to_the_letter() {
        for (token, header) in [(None, ""), (Some("s3cret"), "Authorization: Bearer s3cret\r\n")] {
            let mut script = Script { asked: Vec::new(), pieces: vec![b"HTTP/1.1 200 OK\r\n\r\n"] };
            get(&mut script, "localhost:6060", "/snapshot.json", token).expect("an answer");
            let asked = format!("GET /snapshot.json HTTP/1.0\r\nHost: localhost:6060\r\n{header}\r\n");
            assert_eq!(String::from_utf8(script.asked).expect("text"), asked);
        }
    }

    #[test]
    fn an_answer_is_what_its_length_says_else_all_that_comes() {
        let body = |status, body: &[u8]| Ok(Answer { status, body: body.to_vec() });
        assert_eq!(answer(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n", b"\r\na", b"bcd"]), body(200, b"abc"));
        assert_eq!(answer(vec![b"HTTP/1.1 401 Unauthorized\r\n\r\n", b"no", b"!"]), body(401, b"no!"));
        assert_eq!(answer(vec![b"HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n"]), body(200, b""));
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        for (pieces, expected) in [
            (vec![], "the answer ends within its head"),
            (vec![&b"HTTP/1.1 200 OK\r\n"[..]], "the answer ends within its head"),
            (vec![b"SSH-2.0-OpenSSH_9.2\r\n"], "the answer is no HTTP"),
            (vec![b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"abc"], "the answer ends before its end"),
        ] {
            assert_eq!(answer(pieces), Err(expected.to_owned()));
        }
    }
}
