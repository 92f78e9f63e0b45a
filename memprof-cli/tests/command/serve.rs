use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::{PROFILE, folder, memprof_in};

/// The command while it serves; it is killed at the end.
struct Served {
    child: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path, arguments: &[&str]) -> Served {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let command = command.arg("serve").args(arguments).current_dir(folder).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut line).expect("it says where");
    let address = line.strip_prefix("memprof: at http://").and_then(|line| line.strip_suffix("/, until Ctrl-C\n"));
    Served { child, address: address.unwrap_or_else(|| panic!("{line}")).to_owned() }
}

impl Served {
    /// Status, head and body of an answer.
    fn ask(&self, method: &str, path: &str, host: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        self.ask("GET", path, &self.address)
    }

    fn version(&self, path: &str) -> String {
        let (status, head, body) = self.ask("HEAD", path, &self.address);
        assert_eq!((status, &*body), (200, ""));
        let tag = head.lines().find(|line| line.to_lowercase().starts_with("etag: ")).expect("a version");
        tag.to_owned()
    }
}

#[test]
fn files_are_served_as_they_are_now() {
    let folder = folder("serve");
    for name in ["a<b>.json", "b.json"] {
        fs::copy(PROFILE, folder.join(name)).expect("the profile");
    }
    let served = serve(&folder, &["a<b>.json", "b.json"]);
    let (status, head, view) = served.get("/");
    assert_eq!(status, 200);
    assert!(view.contains("<a href=\"#1\">a&lt;b&gt;.json</a>\n<a href=\"#2\">b.json</a>"), "{view}");
    assert!(head.contains("Content-Security-Policy: default-src 'none'; script-src 'self';"), "{head}");
    assert!(head.contains("Cross-Origin-Resource-Policy: same-origin") && !head.contains("Access-Control"), "{head}");
    for part in ["/view.css", "/view.js"] {
        assert_eq!(served.get(part).0, 200, "{part}");
    }
    let page = fs::read(folder.join("a<b>.json")).expect("the profile");
    assert_eq!(memprof_in(&folder, &["convert", "b.json", "-o", "b.html"]).code, Some(0));
    let converted = fs::read_to_string(folder.join("b.html")).expect("a page");
    assert!(served.get("/report/2").2 == converted);

    let before = served.version("/report/1");
    assert_eq!(served.version("/report/1"), before);
    fs::write(folder.join("a<b>.json"), "{").expect("a file");
    assert_ne!(served.version("/report/1"), before);
    let (status, _, said) = served.get("/report/1");
    assert_eq!(status, 500);
    assert!(said.starts_with("cannot read ‘a<b>.json’: it ends before the profile does, after 1 bytes; "), "{said}");
    fs::write(folder.join("a<b>.json"), page).expect("a file");
    assert!(served.get("/report/1").2 == converted);
}

#[test]
fn only_this_machine_s_own_name_is_answered_and_nothing_is_changed() {
    let folder = folder("serve_refuses");
    fs::copy(PROFILE, folder.join("profile.json")).expect("the profile");
    let served = serve(&folder, &["profile.json"]);
    assert!(served.address.starts_with("127.0.0.1:"));
    let (status, _, said) = served.ask("GET", "/report/1", "evil.example");
    assert_eq!((status, &*said), (403, "the Host of the request is not this address\n"));
    let (status, _, said) = served.ask("POST", "/", &served.address);
    assert_eq!((status, &*said), (405, "this is read with GET\n"));
    for path in ["/report/0", "/report/2", "/report/x", "/../profile.json", "/profile.json", "/report/"] {
        let (status, _, said) = served.get(path);
        let accepted = "there is: / and /report/1, /report/2 and so on, one for each file\n";
        assert_eq!((status, &*said), (404, accepted), "{path}");
    }
}

#[test]
fn what_cannot_be_served_is_one_line() {
    let folder = folder("serve_wrong");
    let ended = memprof_in(&folder, &["serve", "none.json"]);
    let expected = "memprof: cannot read ‘none.json’: No such file or directory (os error 2)\n";
    assert_eq!((ended.code, &*ended.err), (Some(2), expected));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let ended = memprof_in(&folder, &["serve", PROFILE, "--port", &port]);
    let expected = format!("memprof: cannot serve at 127.0.0.1:{port}: Address already in use (os error 98)\n");
    assert_eq!((ended.code, ended.err), (Some(2), expected));
}
