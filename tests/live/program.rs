//! The program that answers: this test binary once more, with one test alone, which goes on until its stdin ends.
#![allow(clippy::print_stderr, reason = "what the program says")]
#![expect(unsafe_code, reason = "one of its parts forks")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

const PART: &str = "MEMPROF_TEST_PART";

/// A program that runs, and where it answers.
pub(crate) struct Program {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// What it has said so far.
    pub(crate) said: String,
    /// `127.0.0.1:PORT`, or a socket's path.
    pub(crate) address: String,
}

/// A status, the head, and the body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// How it is started: which part it plays, and with what in its environment.
pub(crate) fn command(part: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command.args(["--exact", "program::plays_its_part", "--nocapture", "--test-threads=1"]);
    command.env(PART, part).env("MEMPROF", "1").env("MEMPROF_OUTPUT", "/dev/null.txt").env_remove("XDG_RUNTIME_DIR");
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Program {
    /// Starts it, and waits until it says where it answers.
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        Self::playing("idle", environment)
    }

    pub(crate) fn playing(part: &str, environment: &[(&str, &str)]) -> Self {
        let mut child =
            command(part, &[&[("MEMPROF_HTTP", "127.0.0.1:0")], environment].concat()).spawn().expect("it runs");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut program = Self { child, stderr, said: String::new(), address: String::new() };
        let line = program.read_until("memprof: process ");
        if part == "idle" {
            // Nothing more happens in it.
            program.read_until("ready");
        }
        let address = line.trim().rsplit(' ').next().expect("an address");
        program.address.push_str(address.trim_start_matches("http://").trim_start_matches("unix:"));
        program
    }

    /// Reads what it says up to a line that begins so, and gives that.
    pub(crate) fn read_until(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.stderr.read_line(&mut line).expect("text");
            assert!(count > 0, "it ended without saying {begin:?}; it said: {}", self.said);
            self.said.push_str(&line);
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    /// Has it go on that waits for a line.
    pub(crate) fn go_on(&mut self) {
        self.child.stdin.as_mut().expect("piped").write_all(b"\n").expect("it reads");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    /// A request with the right `Host`, on a connection of its own.
    pub(crate) fn ask(&self, first: &str, headers: &str) -> Answer {
        let mut stream = self.connect();
        let request = format!("{first} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("it takes the request");
        read_answer(&mut stream).expect("an answer")
    }

    /// How many threads and open files it has.
    pub(crate) fn threads_and_files(&self) -> (usize, usize) {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", self.pid())).expect("it runs").count();
        (count("task"), count("fd"))
    }

    /// That it answers others at once while forty connections are open, with no thread more than `before` and sixteen files at most.
    #[track_caller]
    pub(crate) fn answers_beside_many(&self, before: (usize, usize)) {
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            assert_eq!(self.ask("GET /metrics", "").status, 200);
        }
        // None of them was waited for: a request may take 5 s to come in.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
        let (threads, files) = self.threads_and_files();
        assert!(threads == before.0 && files <= before.1 + 16, "{threads} threads, {files} files");
    }

    /// Lets it end, and gives all that it said.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        drop(self.child.stdin.take());
        self.stderr.read_to_string(&mut self.said).expect("text");
        (self.child.wait().expect("it ends"), std::mem::take(&mut self.said))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Reads an answer to the end of the connection; `None` where there is none.
pub(crate) fn read_answer(stream: &mut impl Read) -> Option<Answer> {
    let mut all = Vec::new();
    // Whoever goes on sending is cut off after the answer.
    let _may_be_reset = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = String::from_utf8(all[..end].to_vec()).expect("text");
    let body = all[end + 4..].to_vec();
    let status = head.strip_prefix("HTTP/1.1 ").expect("HTTP").get(..3).expect("a status").parse().expect("a number");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    assert!(body.is_empty() || body.len().to_string() == length, "{head}");
    Some(Answer { status, head, body })
}

#[test]
fn plays_its_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let held = holds();
    match part.as_str() {
        "idle" => until_stdin_ends(),
        "forks" => forks(),
        "executes" => executes(),
        _ => panic!("no part of this name: {part}"),
    }
    drop(held);
    // Not by the harness, which would say how the test went.
    std::process::exit(0);
}

#[memprof::track]
fn holds() -> Vec<Vec<u8>> {
    (0..10).map(|_| vec![0; 1000]).collect()
}

fn until_stdin_ends() {
    // The first one to ask for it has its buffer made.
    drop(std::io::stdin().lock());
    eprintln!("ready");
    let mut room = [0; 16];
    while std::io::stdin().read(&mut room).is_ok_and(|count| count > 0) {}
}

/// Becomes another program, which says of each of its open files what it is.
fn executes() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("stdin");
    let list = "for file in /proc/$$/fd/*; do echo \"file $(readlink $file)\" >&2; done; echo end >&2; read wait";
    let error = std::os::unix::process::CommandExt::exec(Command::new("sh").args(["-c", list]));
    panic!("{error}");
}

/// A child goes on after the parent: until the parent's stdin is gone too, which both hold.
fn forks() {
    // SAFETY: the child calls nothing but `poll` and `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // It takes no byte of its parent's: it waits until nobody can write any more.
        let mut stdin = libc::pollfd { fd: 0, events: 0, revents: 0 };
        // SAFETY: one file.
        unsafe { libc::poll(&raw mut stdin, 1, -1) };
        // SAFETY: it ends the child.
        unsafe { libc::_exit(0) };
    }
    eprintln!("forked {child}");
    let mut line = String::new();
    // The parent ends at the first line, the child at the end of all.
    std::io::stdin().read_line(&mut line).expect("stdin");
}

/// Has a program that [`forks`] end, and its child go on.
pub(crate) fn end_parent(program: &mut Program) -> std::process::ChildStdin {
    let mut stdin = program.child.stdin.take().expect("piped");
    stdin.write_all(b"\n").expect("it reads");
    program.child.wait().expect("it ends");
    stdin
}
