use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;

use crate::{
    program::{call, part},
    support::{PROFILE, folder, memprof_in},
    terminal::Terminal,
};

/// The first example's profile, as process 7 would write it after so many seconds with so much live in `read_csv`.
fn profile(path: &Path, seconds: u32, live: u64) {
    let mut profile: Value = serde_json::from_slice(&fs::read(PROFILE).expect("the profile")).expect("JSON");
    profile["schema_version"] = 2.into();
    profile["process"] = serde_json::json!({"program": "server", "pid": 7, "seconds": seconds});
    profile["spaces"][0]["records"][2]["live"] = live.into();
    let aside = path.with_extension("new");
    fs::write(&aside, profile.to_string()).expect("a file");
    fs::rename(aside, path).expect("a file");
}

fn top(arguments: &[&str], folder: &Path) -> Terminal {
    Terminal::start(|command| command.arg("top").args(arguments).current_dir(folder).env("XDG_RUNTIME_DIR", folder))
}

/// The line of the screen with this text.
fn line<'a>(screen: &'a str, text: &str) -> &'a str {
    screen.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text} in\n{screen}"))
}

#[test]
fn a_file_that_is_rewritten_is_shown_anew_ordered_filtered_and_paused() {
    let folder = folder("top_file");
    let file = folder.join("profile.json");
    profile(&file, 1, 1_000);
    let terminal = top(&["profile.json", "--interval", "20ms"], &folder);
    let screen = terminal.wait_for_text("server (pid 7) at profile.json, after 1 s");
    assert_eq!(
        line(&screen, "read_csv"),
        " 1.0 KiB        0        0  679 KiB         3 read_csv examples/01_dataframe/rea"
    );
    profile(&file, 2, 3_048);
    let screen = terminal.wait_for_text("after 2 s");
    assert_eq!(
        line(&screen, "read_csv"),
        " 3.0 KiB +2.0 KiB +2.0 KiB  679 KiB         3 read_csv examples/01_dataframe/rea"
    );

    // The last column is the function.
    terminal.press(">>>>>");
    let screen = terminal.wait_for_text("▼function");
    assert_eq!(
        screen.lines().nth(3),
        Some("   544 B        0        0                    (outside any scope)               ")
    );
    terminal.press("/take\r");
    let screen = terminal.wait_for_text("/take (Esc: all)");
    let rows = screen.lines().skip(3).take_while(|line| !line.is_empty());
    assert_eq!(rows.filter(|row| row.to_lowercase().contains("take")).count(), 2, "{screen}");
    terminal.press("\u{1b}");
    terminal.wait_for_text("read_csv");

    terminal.press(" ");
    terminal.wait_for_text("PAUSED");
    profile(&file, 3, 4_000);
    terminal.press("r");
    assert!(terminal.wait_for_text("▲function").contains("after 2 s"));
    terminal.press(" ");
    terminal.wait_for_text("after 3 s");

    fs::remove_file(&file).expect("it was there");
    let gone = "cannot read ‘profile.json’: No such file or directory (os error 2): this is";
    assert!(terminal.wait_for_text(gone).contains("read_csv"));
    profile(&file, 4, 5_000);
    assert!(!terminal.wait_for_text("after 4 s").contains("this is the last picture"));
    terminal.press("q");
    let (status, left) = terminal.end();
    assert_eq!((status.code(), left.trim()), (Some(0), ""));
}

/// In a shell: stopped by Ctrl-Z, it leaves the terminal as the shell needs it, and goes on where it was.
#[test]
fn it_can_be_stopped_and_goes_on() {
    let folder = folder("top_stopped");
    profile(&folder.join("profile.json"), 1, 1_000);
    let shell = Terminal::start_program("bash", |command| {
        command.args(["--norc", "--noprofile", "--noediting", "-i"]).env("PS1", "shell> ").current_dir(&folder)
    });
    shell.wait_for_text("shell> ");
    shell.press(&format!("{} top profile.json\r", env!("CARGO_BIN_EXE_memprof")));
    shell.wait_for_text("after 1 s");
    shell.press("\u{1a}");
    shell.wait_for_text("Stopped");
    shell.press("stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo -e isig | sort | tr '\\n' ' '; echo set\r");
    shell.wait_for_text("echo icanon isig set");
    profile(&folder.join("profile.json"), 2, 3_048);
    shell.press("fg\r");
    shell.wait_for_text("after 2 s");
    shell.press("q");
    shell.wait_for("the shell again", |screen| screen.trim_end().ends_with("shell>"));
    shell.press("exit 7\r");
    assert_eq!(shell.end().0.code(), Some(7));
}

/// A program that answers, and grows when it is told to.
struct Program {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Program {
    fn start(folder: &Path, token: Option<&str>) -> Self {
        let [this, arguments @ ..] = &call()[..] else { unreachable!("a call has a program") };
        let mut command = Command::new(this);
        command.args(arguments).envs([part("grows"), ("MEMPROF", "1"), ("MEMPROF_HTTP", "127.0.0.1:0")]);
        command.envs(token.map(|token| ("MEMPROF_HTTP_TOKEN", token))).env("XDG_RUNTIME_DIR", folder);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut program = Self { child, said };
        program.wait_for("ready");
        program
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while line.trim() != word {
            line.clear();
            assert_ne!(self.said.read_line(&mut line).expect("text"), 0, "it says {word}");
        }
    }

    fn grow(&mut self, bytes: usize) {
        writeln!(self.child.stdin.as_mut().expect("a pipe"), "{bytes}").expect("it reads");
        self.wait_for("grown");
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("it ends").success());
    }

    fn address(&self, folder: &Path) -> String {
        let said = fs::read_to_string(folder.join("memprof").join(self.child.id().to_string()));
        said.expect("it says where").trim().to_owned()
    }
}

#[test]
fn a_running_program_is_shown_by_its_id_until_it_is_gone_and_a_signal_leaves_the_terminal_as_it_was() {
    let folder = folder("top_program");
    let mut program = Program::start(&folder, None);
    let terminal = top(&[&program.child.id().to_string(), "--interval", "20ms"], &folder);
    terminal.wait_for_text("97.7 KiB        0        0 97.7 KiB         1 load memprof-cli/tests");
    program.grow(2_000_000);
    terminal.wait_for_text(" 1.9 MiB        0 +1.9 MiB  1.9 MiB         1 grow memprof-cli/tests");
    program.grow(1_000_000);
    terminal.wait_for_text("2.9 MiB        0 +2.9 MiB  1.9 MiB         2 grow memprof-cli/tests");
    let address = program.address(&folder);
    program.end();
    let gone = terminal.wait_for_text(&format!("nobody answers at {address}: this is the last picture"));
    assert!(gone.contains("2 grow memprof-cli"), "{gone}");
    let killed = Command::new("kill").args(["-TERM", &terminal.id().to_string()]).status();
    assert!(killed.expect("kill starts").success());
    let (status, left) = terminal.end();
    assert_eq!((status.signal(), left.trim()), (Some(15), ""));
}

/// Of one program that answers, no name is needed; its token is.
#[test]
fn the_only_program_is_found_and_its_token_asked_for() {
    let folder = folder("top_only");
    let refused = |arguments: &[&str], token: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
        command.arg("top").args(arguments).env("XDG_RUNTIME_DIR", &folder).env("MEMPROF_HTTP_TOKEN", token);
        let output = command.output().expect("the command starts");
        assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]));
        String::from_utf8(output.stderr).expect("UTF-8").trim_end().to_owned()
    };
    let start = "start one with MEMPROF=1 MEMPROF_HTTP=127.0.0.1:0";
    assert_eq!(refused(&[], ""), format!("memprof: no program answers here; {start}"));
    let first = Program::start(&folder, Some("s3cret"));
    let address = first.address(&folder);
    assert_eq!(refused(&[], ""), format!("memprof: {address} needs the program's MEMPROF_HTTP_TOKEN; set it here too"));
    let wrong = format!("memprof: {address} refuses the token, which is not the program's MEMPROF_HTTP_TOKEN");
    assert_eq!(refused(&[], "other"), wrong);
    let no_terminal =
        "memprof: top needs a terminal for stdin and stdout; without one, memprof report prints a saved profile";
    assert_eq!(refused(&[], "s3cret"), no_terminal);
    let with_token = address.replace("http://", "http://x:s3cret@");
    assert_eq!(refused(&[&with_token], ""), no_terminal);

    let second = Program::start(&folder, None);
    let mut those = [(first.child.id(), address), (second.child.id(), second.address(&folder))];
    those.sort();
    let those = those.map(|(id, address)| format!("{id} ({address})")).join(", ");
    assert_eq!(refused(&[], ""), format!("memprof: which one is meant? these do: {those}"));
    assert_eq!(refused(&["1"], ""), format!("memprof: process 1 does not answer; these do: {those}"));
    first.end();
    second.end();
}

#[test]
fn what_cannot_be_looked_at_is_one_line() {
    let folder = folder("top_wrong");
    fs::write(folder.join("text.json"), "root:x:0:0").expect("a file");
    // Nobody listens at a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let accepted = "accepted: a profile that memprof wrote, with MEMPROF=1 MEMPROF_OUTPUT=profile.json";
    for (asked, expected) in [
        ("none.json".to_owned(), "there is no ‘none.json’; accepted: the id of a process, an address (http://HOST:PORT, unix:PATH), or a saved profile".to_owned()),
        ("text.json".to_owned(), format!("cannot read ‘text.json’: it is no JSON: expected value at line 1 column 1; {accepted}")),
        (format!("http://{free}"), format!("nobody answers at http://{free}")),
        ("unix:/no/such".to_owned(), "nobody answers at unix:/no/such".to_owned()),
        ("https://host".to_owned(), "‘https’ is not spoken here; accepted: http://HOST:PORT or unix:PATH, as the program says it on stderr; a program behind TLS is reached with ssh -L".to_owned()),
    ] {
        let ended = memprof_in(&folder, &["top", &asked]);
        assert_eq!((ended.code, &*ended.out, ended.err), (Some(2), "", format!("memprof: {expected}\n")), "{asked}");
    }
}

/// Whoever answers there is not memprof.
#[test]
fn an_answer_that_is_not_memprofs_is_said() {
    let folder = folder("top_other");
    let socket = PathBuf::from(format!("/tmp/memprof-top-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let answers = ["HTTP/1.1 404 Not Found\r\n\r\nnot here\r\nmore", "HTTP/1.1 200 OK\r\n\r\n<html>", "+OK POP3"];
    let server = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("it asks");
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| !line.expect("text").is_empty()) {}
            stream.write_all(answer.as_bytes()).expect("it reads");
        }
    });
    let address = format!("unix:{}", socket.display());
    for expected in [
        format!("{address} answers with 404: not here"),
        format!(
            "what {address} answers is no profile (it is no JSON: expected value at line 1 column 1); accepted: http://HOST:PORT or unix:PATH, as the program says it on stderr"
        ),
        format!("no answer from {address}: the answer is no HTTP"),
    ] {
        let ended = memprof_in(&folder, &["top", &address]);
        assert_eq!((ended.code, &*ended.err), (Some(2), &*format!("memprof: {expected}\n")));
    }
    server.join().expect("it ended");
    fs::remove_file(socket).expect("it was there");
}
