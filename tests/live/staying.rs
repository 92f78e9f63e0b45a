//! Connections that stay for the next request: how long, and whose do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::program::Program;

/// Asks on a connection, and reads one answer: status and head. The body has to be as long as is said.
fn ask(program: &Program, stream: &mut TcpStream, first: &str, headers: &str) -> (u16, String) {
    let request = format!("{first}\r\nHost: {}\r\n{headers}\r\n", program.address);
    stream.write_all(request.as_bytes()).expect("it takes the request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let mut body = vec![0; if first.starts_with("HEAD") { 0 } else { length.parse().expect("a number") }];
    stream.read_exact(&mut body).expect("all of it");
    (head[9..12].parse().expect("a status"), head)
}

fn has_ended(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0))
}

#[test]
fn a_connection_stays_for_the_next_request() {
    let program = Program::start(&[]);
    let before = program.threads_and_files();
    let mut stream = program.connect();
    for path in ["/metrics", "/snapshot.json", "/", "/debug/pprof/heap", "/metrics"] {
        for method in ["GET", "HEAD"] {
            let (status, head) = ask(&program, &mut stream, &format!("{method} {path} HTTP/1.1"), "");
            assert!(status == 200 && !head.contains("Connection:"), "{head}");
        }
    }
    let (threads, files) = program.threads_and_files();
    assert_eq!((threads, files), (before.0, before.1 + 1));
}

#[test]
fn it_ends_with_the_thousandth() {
    let program = Program::start(&[]);
    let mut stream = program.connect();
    for request in 1..=1000 {
        let (status, head) = ask(&program, &mut stream, "GET /metrics HTTP/1.1", "");
        assert_eq!((status, head.contains("\r\nConnection: close\r\n")), (200, request == 1000), "{request}: {head}");
    }
    assert!(has_ended(&mut stream));
}

#[test]
fn whoever_asks_for_the_end_is_refused_or_speaks_1_0_is_let_go() {
    let program = Program::start(&[]);
    for (first, headers, expected) in [
        ("GET /metrics HTTP/1.1", "Connection: close\r\n", 200),
        ("GET /metrics HTTP/1.1", "Connection: x, Close\r\n", 200),
        ("GET /metrics HTTP/1.1", "Connection: x\r\nConnection: close\r\n", 200),
        ("GET /metrics HTTP/1.0", "", 200),
        ("GET /metrics HTTP/1.0", "Connection: keep-alive\r\n", 200),
        ("GET /metrics HTTP/1.1", "Content-Length: 1\r\n", 200),
        ("GET /nothing HTTP/1.1", "", 404),
        ("POST /reset HTTP/1.1", "", 403),
        ("GET /metrics HTTP/1.1", "Transfer-Encoding: chunked\r\n", 501),
    ] {
        let mut stream = program.connect();
        let (status, head) = ask(&program, &mut stream, first, headers);
        assert_eq!(status, expected, "{first} {headers}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert!(has_ended(&mut stream), "{first} {headers}");
    }
}

/// A request behind another one that was not awaited: the first is answered, the rest is let go.
#[test]
fn two_requests_at_once_are_one_answer() {
    let program = Program::start(&[]);
    let mut stream = program.connect();
    let second = format!("\r\nGET /metrics HTTP/1.1\r\nHost: {}\r\n", program.address);
    let (status, head) = ask(&program, &mut stream, "GET /metrics HTTP/1.1", &second);
    assert!(status == 200 && head.contains("\r\nConnection: close\r\n"), "{head}");
    assert!(has_ended(&mut stream));
}

#[test]
fn those_that_stay_give_their_place_to_whoever_asks() {
    let program = Program::start(&[]);
    let before = program.threads_and_files();
    let asks = |_| {
        let mut stream = program.connect();
        assert_eq!(ask(&program, &mut stream, "GET /metrics HTTP/1.1", "").0, 200);
        stream
    };
    let mut staying: Vec<TcpStream> = (0..40).map(asks).collect();
    program.answers_beside_many(before);
    // The first ones were let go, and learn of it.
    assert!(has_ended(&mut staying[0]));
}
