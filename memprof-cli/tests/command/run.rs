use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    program,
    support::{Ended, folder, memprof_in},
    terminal::Terminal,
};

const ADD: &str = "add three lines to it:
  memprof = \"0.1\"                                                               # Cargo.toml, [dependencies]
  #[global_allocator] static ALLOC: memprof::Alloc = memprof::Alloc::system();  // main.rs
  #[memprof::track]                                                             // above a function\n";

/// `memprof run` with these options and the program that plays `part`.
fn command(folder: &Path, options: &[&str], part: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let (name, value) = program::part(part);
    command.current_dir(folder).arg("run").args(options).arg("--").args(program::call()).env(name, value);
    command
}

fn ended(mut command: Command) -> Ended {
    let output = command.output().expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Started, and its program waits.
fn waiting(mut command: Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    wait_for_ready(child.stdout.take().expect("a pipe"));
    child
}

fn wait_for_ready(out: impl io::Read) {
    let mut lines = BufReader::new(out).lines();
    assert!(lines.any(|line| line.expect("text").contains("ready")), "the program has started");
}

fn kill(signal: &str, target: &str) {
    assert!(Command::new("kill").args([signal, "--", target]).status().expect("kill starts").success());
}

/// Which signal it died of, and what it said.
fn died(mut child: Child) -> (Option<i32>, String) {
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
    (child.wait().expect("it ends").signal(), err)
}

#[test]
fn run_passes_on_output_and_status_and_shows_the_report() {
    let folder = folder("run");
    let shown = ended(command(&folder, &["--order", "live", "--rows", "1"], "ends with 7"));
    assert_eq!(shown.code, Some(7));
    assert!(shown.out.contains("running 1 test"), "stdout is the program's own: {}", shown.out);
    assert!(!shown.out.contains("Memory Profiling"), "{}", shown.out);
    assert!(shown.err.starts_with("Memory Profiling\n"), "{}", shown.err);
    assert!(shown.err.contains("\nOrdered by: live\n"), "{}", shown.err);
    assert!(
        shown.err.contains("     1     100,000      100,000 memprof-cli/tests/command/program.rs:"),
        "{}",
        shown.err
    );
    assert_eq!(fs::read_dir(folder).expect("a folder").count(), 0);
}

#[test]
fn run_writes_any_format_and_says_where() {
    let folder = folder("run_output");
    let written = ended(command(&folder, &["-o", "report.html"], "ends with 7"));
    assert_eq!((written.code, &*written.err), (Some(7), "memprof: the report is in ‘report.html’\n"));
    assert!(fs::read_to_string(folder.join("report.html")).expect("a file").starts_with("<!doctype html>"));
    let tree = ended(command(&folder, &["-o", "tree.txt", "--tree"], "ends with 7"));
    assert_eq!((tree.code, &*tree.err), (Some(7), "memprof: the report is in ‘tree.txt’\n"));
    // What happens while the program runs, nobody can say before; the status is still the program's.
    let (name, value) = program::part("ends with 7");
    let mut late = Command::new(env!("CARGO_BIN_EXE_memprof"));
    late.args(["run", "-o", "late.json", "--", "sh", "-c", "mkdir late.json && exec \"$@\"", "sh"]);
    late.args(program::call()).env(name, value).current_dir(&folder);
    let late = ended(late);
    let problem = "memprof: cannot write the report to ‘late.json’: Is a directory (os error 21)\n";
    assert_eq!((late.code, &*late.err), (Some(7), problem));
}

/// Elsewhere it is another program than `xdg-open`.
#[cfg(target_os = "linux")]
#[test]
fn run_opens_what_it_wrote() {
    let folder = folder("run_open");
    let opener = folder.join("xdg-open");
    fs::write(
        &opener,
        format!("#!/bin/sh\nprintf %s \"$1\" >{}/opened.tmp; mv {0}/opened.tmp {0}/opened\n", folder.display()),
    )
    .expect("a file");
    assert!(Command::new("chmod").arg("+x").arg(&opener).status().expect("chmod starts").success());
    let mut command = command(&folder, &["-o", "report.html", "--open"], "ends with 7");
    command.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path")));
    assert_eq!(ended(command).code, Some(7));
    // It runs on its own: what it does is waited for.
    while !folder.join("opened").exists() {
        std::thread::yield_now();
    }
    assert_eq!(fs::read_to_string(folder.join("opened")).expect("a file"), "report.html");
    // No opener.
    let mut command = self::command(&folder, &["-o", "report.html", "--open"], "ends with 7");
    command.env("PATH", folder.join("none"));
    let none = "memprof: the report is in ‘report.html’\nmemprof: cannot open ‘report.html’: no program is set up for it on this machine\n";
    let ended = ended(command);
    assert_eq!((ended.code, &*ended.err), (Some(7), none));
}

/// Each process has a file of its own: the program's is shown, those of others are named, or stand beside it.
#[test]
fn run_names_what_other_processes_left() {
    let folder = folder("run_child");
    let shown = ended(command(&folder, &[], "has a child"));
    assert_eq!(shown.code, Some(8));
    let last = shown.err.lines().last().expect("a line");
    assert!(last.starts_with("memprof: also measured: command-") && last.contains(", peak of host "), "{last}");
    assert!(last.ends_with(" bytes; -o FILE keeps the report of each"), "{last}");

    let written = ended(command(&folder, &["-o", "report.json"], "has a child"));
    assert_eq!(written.code, Some(8));
    let names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    let other = names.iter().find(|name| *name != "report.json").expect("another");
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(other.strip_suffix(".json").is_some_and(|name| name.starts_with("report.")), "{other}");
    assert!(written.err.ends_with(&format!(" bytes in ‘{other}’\n")), "{}", written.err);
}

#[test]
fn a_program_without_memprof_is_told_the_three_lines_to_add() {
    let folder = folder("run_without");
    let plain = memprof_in(&folder, &["run", "--", "sh", "-c", "echo out; exit 3"]);
    assert_eq!((plain.code, &*plain.out), (Some(3), "out\n"));
    assert_eq!(
        plain.err,
        format!(
            "memprof: ‘sh’ left no report: it has no memprof in it, or lost its settings on the way (sudo, `env -i`). To have one, {ADD}"
        )
    );
    // A report that came only from a descendant.
    let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let (name, value) = program::part("ends with 7");
    command.args(["run", "--", "sh", "-c", "\"$@\"; exit 5", "sh"]).args(program::call()).env(name, value);
    let through = ended(command);
    assert_eq!(through.code, Some(5));
    assert!(
        through.err.starts_with("memprof: ‘sh’ itself left no report; this is the one of command-"),
        "{}",
        through.err
    );
    assert!(
        through.err.contains("which it started. If ‘sh’ has no memprof in it, add three lines to it:\n"),
        "{}",
        through.err
    );
    assert!(through.err.contains("\nMemory Profiling\n"), "{}", through.err);
}

/// Nobody asks memprof where a program ends so: the line says why there is no report, and leaves the status alone.
#[test]
fn a_program_that_ends_without_its_exit_handlers_is_said() {
    const ENDED: &str = "it ended without its exit handlers (`_exit`), or became another program";
    const KEEPS: &str = "--interval 500ms keeps the last one written before";
    let folder = folder("run_at_once");
    let program = program::call()[0].display().to_string();
    for (part, status) in [("ends at once", 3), ("becomes another", 4)] {
        let run = ended(command(&folder, &[], part));
        let said = format!("memprof: ‘{program}’ left no report: {ENDED}; {KEEPS}\n");
        assert_eq!((run.code, run.err), (Some(status), said), "{part}");
    }
    // Of another process nobody knows how it ended.
    let child = ended(command(&folder, &["-o", "own.txt"], "has a child that ends at once"));
    assert_eq!(child.code, Some(4));
    let [report, line] = child.err.lines().collect::<Vec<_>>()[..] else { panic!("{}", child.err) };
    assert_eq!(report, "memprof: the report is in ‘own.txt’");
    let rest = format!("): it ended by `_exit` or was killed, became another program, or still runs; {KEEPS}");
    assert!(line.starts_with("memprof: no report of command-") && line.ends_with(&rest), "{line}");
    // No word of that where the others have a report, and their parent is the one that has none.
    let parent = ended(command(&folder, &["-o", "child.txt"], "has a child and ends at once"));
    assert_eq!(parent.code, Some(8));
    let [which, _, why] = parent.err.lines().collect::<Vec<_>>()[..] else { panic!("{}", parent.err) };
    assert!(
        which.starts_with(&format!("memprof: ‘{program}’ itself left no report; this is the one of command-"))
            && which.ends_with("), which it started"),
        "{which}"
    );
    assert_eq!(why, format!("memprof: ‘{program}’ left no report: {ENDED}; {KEEPS}"));
    // A command that has no memprof, and what it starts ends so.
    let mut through = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let (name, value) = program::part("ends at once");
    through.args(["run", "--", "sh", "-c", "\"$@\"; exit 5", "sh"]).args(program::call()).env(name, value);
    let through = ended(through);
    assert_eq!((through.code, through.err.lines().count()), (Some(5), 1), "{}", through.err);
    assert!(through.err.starts_with("memprof: no report of command-") && through.err.ends_with(&(rest + "\n")));
}

/// The report of a program that was killed is the last one that was written, and says so; one that ended well says nothing.
#[test]
fn a_report_of_before_the_end_says_so() {
    let folder = folder("run_before_the_end");
    let child = command(&folder, &["--interval", "1ms", "-o", "report.txt"], "leaves a report and is killed");
    let child = { child }.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let (signal, err) = died(child);
    let program = program::call()[0].display().to_string();
    let said = format!(
        "memprof: the report is in ‘report.txt’\nmemprof: this report is of before the end of ‘{program}’: it was killed by SIGKILL, at which a program cannot write one\n"
    );
    assert_eq!((signal, err), (Some(9), said));
    let well = ended(command(&folder, &["--interval", "1ms", "-o", "report.txt"], "ends with 7"));
    assert_eq!((well.code, &*well.err), (Some(7), "memprof: the report is in ‘report.txt’\n"));
}

#[test]
fn run_ends_by_the_signal_by_which_the_program_did() {
    let folder = folder("run_killed");
    let mut child = command(&folder, &[], "kills itself");
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let (signal, err) = died(child);
    assert_eq!(signal, Some(9));
    assert!(err.ends_with(" left no report: it was killed by SIGKILL, at which a program cannot write one; --interval 500ms keeps the last one written before\n"), "{err}");
}

/// Who signals the command alone means the program.
#[test]
fn a_signal_to_the_command_reaches_the_program() {
    let folder = folder("run_term");
    let child = waiting(command(&folder, &[], "waits"));
    kill("-TERM", &child.id().to_string());
    let (signal, err) = died(child);
    assert_eq!(signal, Some(15), "{err}");
    assert!(err.starts_with("Memory Profiling\n"), "{err}");
}

/// The whole group gets it, as by Ctrl-C: the program ends by its own, and is not told twice.
#[test]
fn a_signal_to_the_group_leaves_the_report() {
    let folder = folder("run_group");
    let direct = command(&folder, &[], "waits");
    // Tests that run in the background may have inherited that Ctrl-C is ignored.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(direct.get_program()).args(direct.get_args()).current_dir(&folder);
    let (name, value) = program::part("waits");
    command.env(name, value).process_group(0);
    let child = waiting(command);
    kill("-INT", &format!("-{}", child.id()));
    let (signal, err) = died(child);
    assert_eq!(signal, Some(2), "{err}");
    assert!(err.starts_with("Memory Profiling\n"), "{err}");
}

/// At a terminal of its own, from util-linux's `script`.
#[test]
fn ctrl_c_at_a_terminal_leaves_the_report() {
    let folder = folder("run_terminal");
    let call: Vec<String> = program::call().iter().map(|part| format!("'{}'", part.to_str().expect("UTF-8"))).collect();
    // As above.
    let line = format!("env --default-signal=INT '{}' run -- {}", env!("CARGO_BIN_EXE_memprof"), call.join(" "));
    let (name, value) = program::part("waits");
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&folder).env(name, value);
    let mut terminal = match terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(terminal) => terminal,
        Err(error) => {
            writeln!(io::stderr(), "SKIPPED: there is no script (util-linux): {error}").expect("stderr is read");
            return;
        }
    };
    let mut out = BufReader::new(terminal.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(out.read_line(&mut line).expect("text"), 0, "the program has started");
    }
    let mut keys = terminal.stdin.take().expect("a pipe");
    keys.write_all(b"\x03").expect("it is read");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(130), "{rest}");
    assert!(rest.contains("Memory Profiling\r\n") && rest.contains("program.rs:"), "{rest}");
}

#[test]
fn what_cannot_be_run_is_said_with_the_status_of_env() {
    let folder = folder("run_wrong");
    fs::write(folder.join("text"), "no program").expect("a file");
    fs::create_dir(folder.join("old.html")).expect("a folder");
    let is = [
        (&["run", "-o", "no/such/x.json", "--", "touch", "ran"][..], 125, "cannot write ‘no/such/x.json’: there is no folder ‘no/such’".to_owned()),
        (&["run", "-o", "text/x.json", "--", "touch", "ran"], 125, "cannot write ‘text/x.json’: there is no folder ‘text’".to_owned()),
        (&["run", "-o", "old.html", "--", "touch", "ran"], 125, "cannot write ‘old.html’: it is a folder".to_owned()),
        // Nobody makes a file there, root neither.
        (&["run", "-o", "/proc/x.json", "--", "touch", "ran"], 125, "cannot write ‘/proc/x.json’: No such file or directory (os error 2)".to_owned()),
        (&["run", "--", "./none"], 127, "cannot run ‘./none’: No such file or directory (os error 2)".to_owned()),
        (&["run", "--", "./text"], 126, "cannot run ‘./text’: Permission denied (os error 13)".to_owned()),
        (&["run", "-o", "x.doc", "--", "true"], 125, format!("cannot write ‘x.doc’: its ending names no format; accepted: {}", memprof_report::Format::endings())),
        (&["run"], 125, "the following required arguments were not provided: <PROGRAM>...; see memprof --help".to_owned()),
        (&["run", "--open", "--", "true"], 125, "the following required arguments were not provided: --output <FILE>; see memprof --help".to_owned()),
        (
            &["run", "--interval", "soon", "--", "true"],
            125,
            "invalid value 'soon' for '--interval <TIME>': accepted: a whole number from 1 and its unit, such as 500ms, 10s, 2m or 1h; see memprof --help".to_owned(),
        ),
    ];
    for (arguments, status, expected) in is {
        let ended = memprof_in(&folder, arguments);
        assert_eq!((ended.code, ended.err), (Some(status), format!("memprof: {expected}\n")), "{arguments:?}");
    }
    assert!(!folder.join("ran").exists(), "a file that cannot be written is said before the program runs");
    // To see whether it can be, nothing is left there, and what stood there stands.
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2);
}

/// What the command says is lost then; the status is the program's.
#[test]
fn a_stderr_that_takes_nothing_changes_no_status() {
    let line = "\"$1\" run -- sh -c 'exit 7' 2>/dev/full";
    let status = Command::new("sh").args(["-c", line, "sh", env!("CARGO_BIN_EXE_memprof")]).status();
    assert_eq!(status.expect("it starts").code(), Some(7));
}

/// What is ignored when it starts stays so in the program: nohup, `&` in a script.
#[test]
fn a_signal_that_was_ignored_stays_ignored_in_the_program() {
    let folder = folder("run_ignored");
    let line = "trap '' HUP; \"$1\" run -- sh -c 'kill -HUP $$; echo lives' 2>/dev/null";
    let output =
        Command::new("sh").args(["-c", line, "sh", env!("CARGO_BIN_EXE_memprof")]).current_dir(folder).output();
    assert_eq!(String::from_utf8(output.expect("it starts").stdout).expect("UTF-8"), "lives\n");
}

/// `memprof run --live` in a terminal, of a program that waits.
fn live(folder: &Path) -> Terminal {
    let (name, value) = program::part("waits");
    let started = Terminal::start(|command| {
        command
            .args(["run", "-o", "report.txt", "--live", "--"])
            .args(program::call())
            .env(name, value)
            .current_dir(folder)
    });
    // How much of it came since the start depends on whether the first picture was taken before it.
    started.wait_for_text("97.7 KiB         1 load memprof-cli/tests");
    started
}

#[test]
fn run_shows_a_program_while_it_runs_and_then_what_it_printed_and_its_report() {
    let folder = folder("run_live");
    let terminal = live(&folder);
    terminal.press("\u{3}");
    let (status, screen) = terminal.end();
    assert_eq!(status.signal(), Some(2), "as the program ended:\n{screen}");
    let printed = screen.find("ready").expect("what the program printed");
    let report = screen.find("memprof: the report is in ‘report.txt’").expect("the report");
    assert!(printed < report, "{screen}");
    assert!(fs::read_to_string(folder.join("report.txt")).expect("a file").contains("(load)"));
}

#[test]
fn a_view_that_is_left_lets_the_program_go_on() {
    let terminal = live(&folder("run_live_left"));
    terminal.press("q");
    // On the first screen, not the view's.
    let screen = terminal.wait_for_text("ready");
    assert!(!screen.contains("q quit"), "{screen}");
    terminal.press("\u{3}");
    let (status, screen) = terminal.end();
    assert_eq!((status.signal(), screen.contains("the report is in")), (Some(2), true), "{screen}");
}

#[test]
fn a_live_view_needs_a_terminal() {
    let refused = ended(command(&folder("run_live_none"), &["--live"], "ends with 7"));
    assert_eq!((refused.code, &*refused.err), (Some(125), "memprof: --live needs a terminal for stdin and stdout\n"));
}
