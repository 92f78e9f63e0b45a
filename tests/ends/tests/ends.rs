//! However a program ends, its report is there, and its status is the one that it has without memprof.
#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "signals are sent by the C library")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

mod files;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_memprof-ends");
const TITLE: &str = "Memory Profiling\n================\n";

struct Program {
    child: Child,
    /// The process to send signals to; the child itself, or one that it started.
    process: i32,
    stdout: BufReader<std::process::ChildStdout>,
}

struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

fn program(what: &str, settings: &[(&str, &str)]) -> Command {
    started_by(&[], what, settings)
}

/// By a command that runs another one.
fn started_by(by: &[&str], what: &str, settings: &[(&str, &str)]) -> Command {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        // Tests that run in the background may ignore it, and what they start would inherit that.
        // SAFETY: the default is no handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let line: Vec<&str> = by.iter().copied().chain([PROGRAM, what]).collect();
    let mut command = Command::new(line[0]);
    command.args(&line[1..]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEMPROF")) {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it, and waits until it is ready.
fn start(mut command: Command) -> Program {
    let mut child = command.spawn().expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let process = i32::try_from(child.id()).expect("small");
    let mut program = Program { child, process, stdout };
    program.hear("ready");
    program
}

impl Program {
    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        assert_eq!(line.trim_end(), word);
    }

    fn send(&mut self, signal: i32) -> &mut Self {
        // SAFETY: the process was started here, and nobody has waited for it.
        assert_eq!(unsafe { libc::kill(self.process, signal) }, 0);
        self
    }

    /// Whether it answers.
    fn is_alive(&mut self) -> &mut Self {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin).expect("it reads");
        self.hear("alive");
        self
    }

    fn end(mut self) -> Ended {
        drop(self.child.stdin.take());
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("text");
        let output = self.child.wait_with_output().expect("it ends");
        Ended { status: output.status, stdout, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
    }
}

impl Ended {
    #[track_caller]
    fn reports(&self, times: usize) -> &Self {
        assert_eq!(self.stderr.matches(TITLE).count(), times, "{}", self.stderr);
        if times > 0 {
            let holds = self.stderr.lines().any(|line| line.ends_with("(holds)") && line.contains(" 1,000 "));
            assert!(holds, "{}", self.stderr);
        }
        self
    }

    #[track_caller]
    fn by(&self, signal: i32) -> &Self {
        assert_eq!(self.status.signal(), Some(signal), "{}: {}", self.status, self.stderr);
        self
    }

    #[track_caller]
    fn well(&self) -> &Self {
        assert!(self.status.success(), "{}: {}", self.status, self.stderr);
        self
    }
}

fn run(what: &str, settings: &[(&str, &str)]) -> Ended {
    let output = program(what, settings).stdin(Stdio::null()).output().expect("it runs");
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const ON: [(&str, &str); 1] = [("MEMPROF", "1")];

/// Reads on until a report has been written.
fn hear_report(error: &mut impl std::io::BufRead) {
    let mut line = String::new();
    while !line.starts_with("host: ") {
        line.clear();
        assert!(error.read_line(&mut line).expect("text") > 0, "a report comes");
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

#[test]
fn a_signal_that_ends_a_server_leaves_its_report_and_its_status() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGABRT] {
        let mut server = start(program("serve", &ON));
        server.send(signal);
        server.end().by(signal).reports(1);
        let mut server = start(program("serve", &[]));
        server.send(signal);
        server.end().by(signal).reports(0);
    }
}

#[test]
fn a_program_that_aborts_leaves_its_report() {
    for what in ["panic where it aborts", "handle_alloc_error", "abort"] {
        run(what, &ON).by(libc::SIGABRT).reports(1);
        run(what, &[]).by(libc::SIGABRT).reports(0);
    }
}

#[test]
fn a_program_that_dies_of_too_little_memory_leaves_its_report() {
    let ended = run("fill until it dies", &ON);
    ended.by(libc::SIGABRT);
    assert_eq!(ended.stderr.matches(TITLE).count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("(fills_until_it_dies)"), "{}", ended.stderr);
    run("fill until it dies", &[]).by(libc::SIGABRT).reports(0);
}

#[test]
fn a_refused_allocation_says_who_holds_the_memory_and_what_is_open() {
    let ended = run("fill until it dies", &ON);
    ended.by(libc::SIGABRT);
    // What the standard library says of it may stand before, between the two, or behind.
    let at = ended.stderr.find("memprof: out of memory").unwrap_or_else(|| panic!("{}", ended.stderr));
    let mut lines = ended.stderr[at..].lines();
    assert_eq!(lines.next(), Some("memprof: out of memory in host: 1,048,576 bytes requested"));
    assert_eq!(lines.next(), Some("largest owners of host, live bytes:"));
    let first = lines.next().expect("an owner");
    assert!(first.starts_with("    ") && first.ends_with("(holds)"), "{first}");
    let scopes = lines.skip_while(|line| *line != "open scopes, innermost first:").nth(1).expect("open scopes");
    assert!(scopes.contains("(holds) < ") && scopes.ends_with("(fills_until_it_dies)"), "{scopes}");
    assert_eq!(ended.stderr[at..].matches(TITLE).count(), 1, "{}", ended.stderr);
    // Once a minute.
    assert_eq!(run("fill and go on", &ON).well().stderr.matches("out of memory").count(), 1);
    assert!(!run("fill until it dies", &[]).stderr.contains("out of memory"));
}

#[test]
fn a_request_for_more_than_the_machine_has_is_no_shortage() {
    let ended = run("ask for more than there is", &ON);
    assert!(!ended.well().reports(1).stderr.contains("out of memory"), "{}", ended.stderr);
}

/// A control group that may have so many bytes, until it is dropped.
struct Group(PathBuf);

impl Group {
    /// `None` where this user may not make one.
    fn new(most: u64) -> Option<Group> {
        let limits = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        limits.into_iter().find_map(|(folder, limit)| {
            let group = Group(Path::new(folder).join(format!("memprof-ends-{}", std::process::id())));
            std::fs::create_dir(&group.0).ok()?;
            std::fs::write(group.0.join(limit), most.to_string()).ok()?;
            // Version 2 has this; what is swapped out does not count as used.
            let _none_in_version_1 = std::fs::write(group.0.join("memory.swap.max"), "0");
            Some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_control_group_that_is_nearly_full_says_who_holds_it_before_the_system_kills() {
    const MOST: u64 = 128 << 20;
    let Some(group) = Group::new(MOST) else { return println!("SKIPPED: no control group can be made here") };
    let folder = group.0.to_str().expect("text");
    let joins = format!("echo $$ > {folder}/cgroup.procs && exec \"$@\"");
    let mut command = started_by(&["sh", "-c", &joins, "sh"], "fill a group", &ON);
    command.args([folder, &MOST.to_string()]);
    let mut program = start(command);
    let mut stderr = BufReader::new(program.child.stderr.take().expect("piped"));
    let mut lines = String::new();
    while !lines.contains("(fills_its_group)\n") {
        assert!(stderr.read_line(&mut lines).expect("text") > 0, "{lines}");
    }
    let first = lines.lines().next().expect("a line");
    let used = first
        .strip_prefix("memprof: ")
        .and_then(|rest| rest.strip_suffix(" of the 134,217,728 bytes that its control group may have are used"));
    let used: u64 = used.unwrap_or_else(|| panic!("{lines}")).replace(',', "").parse().expect("a number");
    assert!(used >= MOST - MOST / 50, "{used}");
    assert!(lines.contains("\nlargest owners of host, live bytes:\n") && lines.contains("(holds)\n"), "{lines}");
    program.end().by(libc::SIGKILL);
}

#[test]
fn a_program_that_has_used_up_its_memory_ends_as_it_would() {
    let ended = run("fill and go on", &ON);
    ended.well();
    assert_eq!(ended.stderr.matches(TITLE).count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("(fills_and_goes_on)"), "{}", ended.stderr);
    run("fill and go on", &[]).well().reports(0);
}

#[test]
fn a_second_signal_takes_its_course_at_once() {
    let mut server = start(program("a report that takes forever", &ON));
    server.send(libc::SIGTERM).hear("stuck");
    server.send(libc::SIGINT);
    server.end().by(libc::SIGINT).reports(0);
}

#[test]
fn a_report_that_takes_forever_is_not_waited_for() {
    let mut server = start(program("a report that takes forever", &ON));
    server.send(libc::SIGTERM).hear("stuck");
    server.end().by(libc::SIGTERM).reports(0);
}

#[test]
fn a_handler_of_the_program_has_the_signal_for_itself() {
    for (what, signal) in [("tokio", libc::SIGINT), ("signal-hook", libc::SIGTERM), ("ctrlc", libc::SIGINT)] {
        for (settings, reports) in [(&ON[..], 1), (&[], 0)] {
            let mut program = start(program(what, settings));
            program.send(signal);
            let ended = program.end();
            assert_eq!(ended.well().reports(reports).stdout, "graceful\n", "{what}");
        }
    }
}

#[test]
fn a_program_that_restores_the_default_and_ends_by_it_leaves_its_report() {
    let mut program = start(program("signal-hook, then the default", &ON));
    program.send(libc::SIGTERM);
    program.end().by(libc::SIGTERM).reports(1);
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    // As nohup does, and a shell for what it runs in the background.
    for (name, signal) in [("HUP", libc::SIGHUP), ("INT", libc::SIGINT)] {
        let ignore = format!("trap '' {name}; exec \"$0\" \"$@\"");
        let mut server = start(started_by(&["sh", "-c", &ignore], "serve", &ON));
        server.send(signal).is_alive().send(libc::SIGTERM);
        server.end().by(libc::SIGTERM).reports(1);
    }
    let mut server = start(started_by(&["nohup"], "serve", &ON));
    server.send(libc::SIGHUP).is_alive();
    server.end().well().reports(1);
}

#[test]
fn a_program_in_the_background_of_a_shell_does_not_hear_ctrl_c() {
    // The program answers on a descriptor of its own, as the shell takes stdin from it.
    let line = "exec 3<&0; \"$0\" \"$@\" <&3 & exec 3<&-; wait $!";
    let mut command = started_by(&["sh", "-c", line], "serve", &ON);
    command.process_group(0);
    let mut server = start(command);
    server.process = -server.process;
    // To all of them, as a terminal does: the shell itself is waiting, and ends.
    server.send(libc::SIGINT).is_alive().send(libc::SIGTERM);
    server.end().reports(1);
}

#[test]
fn a_report_on_stdout_is_no_memory_of_the_scope_that_asks_for_it() {
    assert_eq!(run("report in a scope", &ON).well().stdout.matches(TITLE).count(), 1);
}

#[test]
fn a_forked_child_ends_by_its_signal_at_once_and_reports_nothing() {
    run("fork", &ON).well().reports(1);
    run("fork", &[]).well().reports(0);
}

#[test]
fn what_a_program_executes_has_the_default() {
    run("exec", &ON).well().reports(1);
}

#[test]
fn the_first_process_of_a_namespace_goes_on() {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child"];
    if !Command::new("unshare").args(["--pid", "--fork", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: no namespaces here");
        return;
    }
    let mut server = start(started_by(&unshare, "serve", &ON));
    let children = format!("/proc/{0}/task/{0}/children", server.process);
    server.process = std::fs::read_to_string(children).expect("Linux").trim().parse().expect("one child");
    server.send(libc::SIGTERM);
    // One that is sent before the other one was dealt with would be the second.
    let mut error = BufReader::new(server.child.stderr.take().expect("piped"));
    hear_report(&mut error);
    server.is_alive();
    server.end().well();
    let mut rest = String::new();
    error.read_to_string(&mut rest).expect("text");
    assert_eq!(rest.matches(TITLE).count(), 1, "and one more at its end: {rest}");
}

#[test]
fn a_signal_of_the_programs_choice_has_the_report_written_and_the_program_goes_on() {
    for name in ["USR2", "SIGUSR1"] {
        let mut server = start(program("serve", &[("MEMPROF", "1"), ("MEMPROF_SIGNAL", name)]));
        let mut error = BufReader::new(server.child.stderr.take().expect("piped"));
        server.send(if name == "USR2" { libc::SIGUSR2 } else { libc::SIGUSR1 });
        hear_report(&mut error);
        server.is_alive();
        server.end().well();
    }
    let bad = run("abort", &[("MEMPROF", "1"), ("MEMPROF_SIGNAL", "KILL")]);
    let expected = "memprof: MEMPROF_SIGNAL=‘KILL’ is ignored; accepted: USR1 or USR2\n";
    assert!(bad.stderr.starts_with(expected), "{}", bad.stderr);
}

#[test]
fn a_rise_has_the_file_written() {
    let file = file("risen").with_extension("json");
    let settings = [("MEMPROF", "1"), ("MEMPROF_OUTPUT", file.to_str().expect("text")), ("MEMPROF_RISE", "10MB")];
    let mut server = start(program("rise", &settings));
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"live\":50000000,")) {
        std::thread::yield_now();
    }
    // Nothing is written by this one.
    server.send(libc::SIGKILL);
    server.end().by(libc::SIGKILL);
    std::fs::remove_file(file).expect("removed");
}

#[test]
fn a_program_with_raised_privileges_does_not_follow_its_user() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let raised = file("raised");
    std::fs::copy(PROGRAM, &raised).expect("copied");
    let is_raised = chown(&raised, None, Some(65_534)).is_ok()
        && std::fs::set_permissions(&raised, std::fs::Permissions::from_mode(0o2755)).is_ok();
    let output = Command::new(&raised).arg("secure").envs(ON).stdin(Stdio::null()).output().expect("it runs");
    // The file system may not heed the bit.
    if is_raised && String::from_utf8_lossy(&output.stdout) == "true\n" {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    } else {
        println!("skipped: no raised privileges here");
    }
    std::fs::remove_file(raised).expect("removed");
}
