use std::{fs, process::Command};

use crate::support::{PROFILE, complaint, folder, memprof};

#[test]
fn a_wrong_call_is_one_line_that_says_what_is_accepted() {
    let is_wrong = [
        (&["report"][..], "the following required arguments were not provided: <FILE>...; see memprof --help"),
        (&["frob"][..], "unrecognized subcommand 'frob'; see memprof --help"),
        (
            &["convert", PROFILE, "-o", "x.svg", "--measure", "peak"][..],
            "invalid value 'peak' for '--measure <MEASURE>': accepted: at_peak, live, self_total; see memprof --help",
        ),
    ];
    for (arguments, expected) in is_wrong {
        assert_eq!(complaint(arguments), expected);
    }
    assert!(
        complaint(&["report", PROFILE, "--order", "size"])
            .starts_with("invalid value 'size' for '--order <FIELD>': accepted: name, file, ")
    );
    assert_eq!(
        complaint(&["report", PROFILE, "--space", "cuda:9"]),
        format!("‘{PROFILE}’ has no space ‘cuda:9’ in which anything happened; accepted: host")
    );
}

#[test]
fn a_wrong_file_is_one_line_that_names_it() {
    let folder = folder("wrong_files");
    let whole = fs::read_to_string(PROFILE).expect("the profile");
    let newer = whole.replacen("\"schema_version\":1", "\"schema_version\":99", 1);
    let accepted = "accepted: a profile that memprof wrote, with MEMPROF=1 MEMPROF_OUTPUT=profile.json";
    let files = [
        ("empty", "", format!("it is empty; {accepted}")),
        ("truncated", &whole[..500], format!("it ends before the profile does, after 500 bytes; {accepted}")),
        ("text", "root:x:0:0", format!("it is no JSON: expected value at line 1 column 1; {accepted}")),
        (
            "foreign",
            "{\"a\":1}",
            format!("it is no profile: missing field `schema_version` at line 1 column 7; {accepted}"),
        ),
    ];
    for (name, content, expected) in files {
        let path = folder.join(name);
        fs::write(&path, content).expect("a file");
        let path = path.to_str().expect("UTF-8");
        assert_eq!(complaint(&["report", path]), format!("cannot read ‘{path}’: {expected}"));
    }
    let path = folder.join("newer");
    fs::write(&path, newer).expect("a file");
    let said = complaint(&["report", path.to_str().expect("UTF-8")]);
    assert!(said.contains("99"), "{said}");
    assert_eq!(
        complaint(&["report", "/no/such.json"]),
        "cannot read ‘/no/such.json’: No such file or directory (os error 2)"
    );
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing() {
    let folder = folder("unwritable");
    let path = folder.join("no/such/out.svg");
    let path = path.to_str().expect("UTF-8");
    // Before anything is read: there is no such profile.
    for call in [&["convert", "none.json"][..], &["diff", "none.json", "none.json"], &["merge", "@none.txt"]] {
        assert_eq!(
            complaint(&[call, &["-o", path]].concat()),
            format!("cannot write ‘{path}’: there is no folder ‘{}’", folder.join("no/such").display())
        );
    }
    let path = folder.join("out.doc");
    let path = path.to_str().expect("UTF-8");
    assert_eq!(
        complaint(&["convert", PROFILE, "-o", path]),
        format!("cannot write ‘{path}’: its ending names no format; accepted: {}", memprof_report::Format::endings())
    );
    assert_eq!(fs::read_dir(folder).expect("the folder").count(), 0);
}

/// Where `run` did not start the program its own status is 125, wherever in the call the verb stands.
#[test]
fn a_wrong_call_of_run_ends_with_125() {
    for call in [&["run", "--bogus"][..], &["--color", "never", "run", "--bogus"], &["--color=never", "run"]] {
        let output = memprof(call);
        assert_eq!((output.status.code(), &*output.stdout), (Some(125), &b""[..]), "{call:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{call:?}");
    }
    assert_eq!(memprof(&["--color", "run", "report"]).status.code(), Some(2));
}

/// The verbs of `cargo memprof` that end as the program, or as cargo, did: a wrong call, and a package that is not there.
#[test]
fn so_does_one_of_cargo_memprof() {
    for (verb, status) in [("run", 125), ("test", 125), ("bench", 125), ("build", 2), ("plan", 2)] {
        for call in [&[verb, "--policy", "bogus"][..], &[verb, "--manifest-path", "missing/Cargo.toml"]] {
            let output =
                Command::new(env!("CARGO_BIN_EXE_cargo-memprof")).args(call).output().expect("the command starts");
            assert_eq!((output.status.code(), &*output.stdout), (Some(status), &b""[..]), "{call:?}");
        }
    }
}

/// Every call that prints to stdout, of both commands.
const PRINTING: &[(&str, &[&str])] = &[
    (env!("CARGO_BIN_EXE_memprof"), &["report", PROFILE]),
    (env!("CARGO_BIN_EXE_memprof"), &["report", PROFILE, "--json"]),
    (env!("CARGO_BIN_EXE_memprof"), &["diff", PROFILE, PROFILE]),
    (env!("CARGO_BIN_EXE_memprof"), &["check", PROFILE, "--baseline", PROFILE]),
    (env!("CARGO_BIN_EXE_memprof"), &["check", PROFILE, "--baseline", PROFILE, "--json"]),
    (env!("CARGO_BIN_EXE_memprof"), &["completions", "bash"]),
    (env!("CARGO_BIN_EXE_memprof"), &["--version"]),
    (env!("CARGO_BIN_EXE_memprof"), &["report", "--help"]),
    (env!("CARGO_BIN_EXE_cargo-memprof"), &["report", PROFILE]),
    (env!("CARGO_BIN_EXE_cargo-memprof"), &["plan", "--help"]),
];

/// `memprof report x.json | head -1` is no failure.
#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for (command, call) in PRINTING {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(command).args(*call).stdout(writer).output().expect("the command starts");
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{call:?}");
    }
}

/// A file that is cut short is one.
#[cfg(target_os = "linux")]
#[test]
fn output_that_finds_no_room_is_an_error() {
    for (command, call) in PRINTING {
        let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = Command::new(command).args(*call).stdout(full).output().expect("the command starts");
        let expected = "memprof: cannot write to stdout: No space left on device (os error 28)\n";
        assert_eq!(
            (output.status.code(), &*String::from_utf8_lossy(&output.stderr)),
            (Some(2), expected),
            "{command} {call:?}"
        );
    }
}
