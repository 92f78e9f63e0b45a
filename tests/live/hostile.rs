//! Whoever is slow, half open, huge, malformed or hostile: bounded, answered or dropped; never a panic, a thread or a file more.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};

use super::program::{Program, read_answer};

/// The same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        // The generator of Knuth's MMIX; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// Requests that are right, and pieces that are put into them.
const SEEDS: [&str; 6] = [
    "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "GET /snapshot.json HTTP/1.1\r\nHost: HOST\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
    "HEAD /metrics HTTP/1.0\r\nHost: HOST\r\n\r\n",
    "POST /reset HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhello",
    "GET /debug/pprof/heap?seconds=30 HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic dTpw\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];
const PIECES: [&[u8]; 16] = [
    b"\0",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\xff\xfe",
    b"/../../etc/passwd",
    b"%00%2e%2e",
    b"Host: evil.example\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Origin: null\r\n",
    b"Authorization: Bearer \xe9\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
];

fn mutated(numbers: &mut Numbers, host: &str) -> Vec<u8> {
    let mut bytes = SEEDS[numbers.below(SEEDS.len())].replace("HOST", host).into_bytes();
    for _ in 0..numbers.below(6) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, PIECES[numbers.below(PIECES.len())].iter().copied())),
            2 => drop(bytes.drain(at..(at + numbers.below(8)).min(bytes.len()))),
            3 if at < bytes.len() => bytes[at] = u8::try_from(numbers.below(256)).expect("a byte"),
            _ => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
        }
    }
    bytes
}

/// Statuses that it may answer with.
const STATUSES: [u16; 10] = [200, 400, 401, 403, 404, 405, 413, 431, 501, 505];

#[test]
fn two_thousand_broken_requests_are_answered_or_dropped() {
    let program = Program::start(&[]);
    let before = program.threads_and_files();
    let mut numbers = Numbers(20_260_613);
    for round in 0..2000 {
        let bytes = mutated(&mut numbers, &program.address);
        let mut stream = program.connect();
        let _may_be_refused = stream.write_all(&bytes);
        // Nothing more comes, so that whoever waits for more is told.
        let _may_be_gone = stream.shutdown(Shutdown::Write);
        if let Some(answer) = read_answer(&mut stream) {
            assert!(
                STATUSES.contains(&answer.status),
                "round {round}: {} to {:?}",
                answer.head,
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    assert_eq!(program.ask("GET /metrics", "").status, 200);
    wait_for(&program, before);
    let (status, said) = program.end();
    assert!(status.success() && !said.contains("panic"), "{said}");
}

/// Connections end a moment after whoever asked has gone.
fn wait_for(program: &Program, before: (usize, usize)) {
    let begun = std::time::Instant::now();
    while program.threads_and_files() != before {
        assert!(
            begun.elapsed().as_secs() < 60,
            "{:?} threads and files, {before:?} before",
            program.threads_and_files()
        );
        std::thread::yield_now();
    }
}

#[test]
fn the_silent_keep_nobody_waiting() {
    let program = Program::start(&[]);
    let before = program.threads_and_files();
    let silent: Vec<TcpStream> = (0..40).map(|_| program.connect()).collect();
    program.answers_beside_many(before);
    drop(silent);
    wait_for(&program, before);
}

#[test]
fn who_asks_byte_by_byte_is_answered() {
    let program = Program::start(&[]);
    let mut stream = program.connect();
    stream.set_nodelay(true).expect("a socket");
    for byte in format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", program.address).bytes() {
        stream.write_all(&[byte]).expect("it reads on");
    }
    assert_eq!(read_answer(&mut stream).expect("an answer").status, 200);
}

#[test]
fn who_does_not_take_the_answer_keeps_nobody_waiting() {
    let program = Program::start(&[]);
    let greedy: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut stream = program.connect();
            write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", program.address)
                .expect("it reads");
            stream
        })
        .collect();
    assert_eq!(program.ask("GET /snapshot.json", "").status, 200);
    for mut stream in greedy {
        assert_eq!(read_answer(&mut stream).expect("an answer").status, 200);
    }
}

#[test]
fn the_huge_are_cut_off() {
    let program = Program::start(&[]);
    let before = program.threads_and_files();
    let mut stream = program.connect();
    let _cut_off = stream.write_all(format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(1 << 22)).as_bytes());
    assert!(read_answer(&mut stream).is_none_or(|answer| answer.status == 431));
    let mut stream = program.connect();
    let head = format!("POST /reset HTTP/1.1\r\nHost: {}\r\nContent-Length: 4194304\r\n\r\n", program.address);
    let _cut_off = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; 1 << 22]));
    assert!(read_answer(&mut stream).is_none_or(|answer| answer.status == 413));
    wait_for(&program, before);
    assert_eq!(program.ask("GET /", "").status, 200);
}
