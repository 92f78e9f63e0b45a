//! Where it listens, and who is told.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::program::{Program, command, end_parent, read_answer};

/// A new directory, gone with the value.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("memprof-live-{name}-{}", std::process::id()));
        let _left = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn text(&self, file: &str) -> String {
        self.0.join(file).to_str().expect("text").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn where_it_answers_is_in_the_runtime_directory_until_it_ends() {
    let directory = Directory::new("runtime");
    let program = Program::start(&[("XDG_RUNTIME_DIR", directory.0.to_str().expect("text"))]);
    assert_eq!(program.ask("GET /metrics", "").status, 200);
    let file = directory.0.join("memprof").join(program.pid().to_string());
    // It is written after the line that says so.
    let begun = std::time::Instant::now();
    while !file.exists() {
        assert!(begun.elapsed().as_secs() < 60, "no {}", file.display());
        std::thread::yield_now();
    }
    assert_eq!((mode(directory.0.join("memprof")), mode(&file)), (0o700, 0o600));
    assert!(
        fs::read_to_string(&file).is_ok_and(|text| text.is_empty() || text == format!("http://{}\n", program.address))
    );
    let (status, said) = program.end();
    assert!(status.success(), "{said}");
    assert!(!file.exists());
}

#[test]
fn a_unix_socket_is_this_users_and_gone_at_the_end() {
    let directory = Directory::new("unix");
    let path = directory.text("socket");
    // One that nobody answers at any more.
    drop(UnixListener::bind(&path).expect("a socket"));
    assert!(fs::symlink_metadata(&path).is_ok());
    let program = Program::start(&[("MEMPROF_HTTP", &format!("unix:{path}"))]);
    assert_eq!((program.address.as_str(), mode(&path)), (path.as_str(), 0o600));
    let mut stream = UnixStream::connect(&path).expect("it listens");
    stream.write_all(b"GET /snapshot.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it reads");
    assert_eq!(read_answer(&mut stream).expect("an answer").status, 200);

    // Another one does not take its place, and goes on without.
    let (_, said) = ends("idle", &[("MEMPROF_HTTP", &format!("unix:{path}"))]);
    assert!(said.contains("another process answers there; the program goes on without"), "{said}");
    let (status, said) = program.end();
    assert!(status.success(), "{said}");
    assert_eq!(fs::read_dir(&directory.0).expect("a directory").count(), 0);
}

#[test]
fn what_is_no_socket_is_not_replaced() {
    let directory = Directory::new("file");
    let path = directory.text("precious");
    fs::write(&path, "precious").expect("a file");
    let (success, said) = ends("idle", &[("MEMPROF_HTTP", &format!("unix:{path}"))]);
    assert!(success, "{said}");
    assert!(said.contains("something that is not a socket is there; the program goes on without"), "{said}");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "precious");
}

/// Runs it to its end: whether it went well, and what it said.
fn ends(part: &str, environment: &[(&str, &str)]) -> (bool, String) {
    let mut child = command(part, environment).spawn().expect("it runs");
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn a_bind_that_fails_is_one_line_and_the_program_goes_on() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (success, said) = ends("idle", &[("MEMPROF_HTTP", &address)]);
    assert!(success, "{said}");
    assert!(said.contains(&format!("memprof: cannot answer at http://{address}: ")), "{said}");
}

#[test]
fn other_machines_are_answered_only_with_a_token() {
    let (success, said) = ends("idle", &[("MEMPROF_HTTP", "0.0.0.0:0")]);
    assert!(success && said.contains("memprof: MEMPROF_HTTP=‘0.0.0.0:0’ is ignored; accepted: "), "{said}");
    let (success, said) = ends("idle", &[("MEMPROF_HTTP", "127.0.0.1:0"), ("MEMPROF_HTTP_TOKEN", "sec ret")]);
    assert!(success && said.contains("memprof: MEMPROF_HTTP_TOKEN=‘***’ is ignored; accepted: "), "{said}");
    assert!(!said.contains("sec ret") && !said.contains("answers at"), "{said}");
    let (success, said) = ends("idle", &[("MEMPROF_HTTP", "0.0.0.0:0"), ("MEMPROF_HTTP_TOKEN", "secret")]);
    assert!(success && said.contains(" answers at http://0.0.0.0:") && !said.contains("secret"), "{said}");
    let (success, said) = ends("idle", &[("MEMPROF_HTTP", "127.0.0.1:0"), ("MEMPROF", "0")]);
    assert!(success && said.contains("memprof: MEMPROF_HTTP has no effect without MEMPROF=1"), "{said}");
}

#[test]
fn a_forked_child_does_not_keep_the_port() {
    let mut program = Program::playing("forks", &[]);
    program.read_until("forked ");
    assert_eq!(program.ask("GET /metrics", "").status, 200);
    let child_goes_on = end_parent(&mut program);
    // Nobody listens any more, though the child is there.
    assert!(TcpStream::connect(&program.address).is_err());
    drop(child_goes_on);
}

/// What a program becomes has neither the listener nor a connection open, and nobody answers any more.
#[test]
fn a_program_that_becomes_another_one_takes_no_file_of_the_endpoint_along() {
    let mut program = Program::playing("executes", &[]);
    let silent = program.connect();
    assert_eq!(program.ask("GET /metrics", "").status, 200);
    let sockets = || {
        let files = fs::read_dir(format!("/proc/{}/fd", program.pid())).expect("it runs").flatten();
        let is_socket = |path: &PathBuf| path.to_string_lossy().starts_with("socket:");
        files.filter_map(|file| fs::read_link(file.path()).ok()).filter(is_socket).count()
    };
    assert!(sockets() >= 2, "the listener and a connection");
    program.go_on();
    program.read_until("end");
    let files: Vec<&str> = program.said.lines().filter(|line| line.starts_with("file ")).collect();
    assert!(files.len() >= 3 && !files.iter().any(|file| file.contains("socket:")), "{files:?}");
    assert!(TcpStream::connect(&program.address).is_err(), "nobody listens");
    drop(silent);
}
