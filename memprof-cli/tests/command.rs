//! The built command on real files: what it prints, what it writes, how it ends, and what it says of a wrong call or file.
//!
//! `dataframe.json` was saved by the first example. Each test works in a folder of its own.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dataframe.json");

/// A folder for the test of this name, empty.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir_all(&folder).expect("a folder"),
    }
    folder
}

fn memprof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memprof")).args(arguments).output().expect("the command starts")
}

/// What it prints where all goes well.
fn printed(arguments: &[&str]) -> String {
    let output = memprof(arguments);
    let words = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), &*words), (Some(0), ""), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The one line that it says of a wrong call or file.
fn complaint(arguments: &[&str]) -> String {
    let output = memprof(arguments);
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{arguments:?}");
    let words = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(words.lines().count(), 1, "{words}");
    words.trim_end().strip_prefix("memprof: ").expect("who says it").to_owned()
}

#[test]
fn report_prints_what_the_program_would_have() {
    let text = printed(&["report", PROFILE]);
    assert!(text.starts_with("Memory Profiling\n================\n\nLegends:\n"), "{text}");
    assert!(text.contains("\n     1   1,363,170    1,970,678 examples/01_dataframe/main.rs:48(run)\n"), "{text}");
    assert!(text.contains("\nhost: peak 1,363,718 bytes, total 1,971,226 bytes, live 544 bytes; "), "{text}");
}

#[test]
fn report_orders_and_shows_what_is_asked_for() {
    let text = printed(&["report", PROFILE, "--order", "self_total", "--columns", "self_total,name", "--rows", "1"]);
    let (table, _held) = text.split_once("Held at the peak of host").expect("who held it stands below");
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("examples/")).collect();
    assert_eq!(rows, ["   725,226 examples/01_dataframe/reader.rs:12(read_csv)"]);
}

#[test]
fn a_cut_table_names_the_option_that_cut_it() {
    let text = printed(&["report", PROFILE, "--rows", "1"]);
    let line = text.lines().find(|line| line.contains("left out")).expect("rows are left out");
    assert!(line.ends_with(" more rows left out (--rows 1)"), "{line}");
}

#[test]
fn report_of_several_files_says_which_is_which() {
    let text = printed(&["report", PROFILE, PROFILE, "--rows", "1"]);
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("==>")).collect();
    assert_eq!(heads, [format!("==> {PROFILE} <=="), format!("==> {PROFILE} <==")]);
    assert_eq!(text.matches("Memory Profiling").count(), 2);
}

#[test]
fn convert_writes_every_format_and_prints_nothing() {
    let folder = folder("every_format");
    for ending in memprof_report::Format::ALL.iter().map(|format| format.ending()) {
        let path = folder.join(format!("out{ending}"));
        assert_eq!(printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8")]), "", "{ending}");
        assert_ne!(fs::metadata(&path).expect("a file").len(), 0, "{ending}");
    }
}

#[test]
fn convert_of_a_profile_to_a_profile_keeps_all_that_happened() {
    let path = folder("round").join("again.json");
    printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8")]);
    let read = |path: &str| -> memprof_report::Snapshot {
        serde_json::from_slice(&fs::read(path).expect("a file")).expect("a profile")
    };
    let (again, first) = (read(path.to_str().expect("UTF-8")), read(PROFILE));
    assert_eq!(again.to_string(), first.to_string());
    for space in first.spaces() {
        assert_eq!(again.records(space), first.records(space));
        assert_eq!((again.tree(space), again.totals(space)), (first.tree(space), first.totals(space)));
    }
}

#[test]
fn convert_shows_the_measure_that_is_asked_for() {
    let path = folder("measure").join("live.folded");
    printed(&["convert", PROFILE, "-o", path.to_str().expect("UTF-8"), "--measure", "live", "--space", "host"]);
    assert_eq!(fs::read_to_string(path).expect("a file"), "(outside any scope) 544\n");
}

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
    assert_eq!(
        complaint(&["convert", PROFILE, "-o", path]),
        format!("cannot write the report to ‘{path}’: No such file or directory (os error 2)")
    );
    let path = folder.join("out.doc");
    let path = path.to_str().expect("UTF-8");
    assert_eq!(
        complaint(&["convert", PROFILE, "-o", path]),
        format!("cannot write ‘{path}’: its ending names no format; accepted: {}", memprof_report::Format::endings())
    );
    assert_eq!(fs::read_dir(folder).expect("the folder").count(), 0);
}

/// `memprof report x.json | head -1` is no failure.
#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_memprof")).args(["report", PROFILE]).stdout(writer).output();
    let output = output.expect("the command starts");
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

/// The examples of each help run as they stand.
#[test]
fn each_example_of_the_help_runs() {
    let folder = folder("help");
    fs::copy(PROFILE, folder.join("profile.json")).expect("the profile");
    for verb in ["report", "convert"] {
        let help = printed(&[verb, "--help"]);
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let mut count = 0;
        for line in examples.filter_map(|line| line.trim().strip_prefix("memprof ")) {
            // Two spaces and more stand before what it is for. The profile has one space, the host.
            let call = line.split("  ").next().expect("a call").replace("cuda:0", "host");
            let output =
                Command::new(env!("CARGO_BIN_EXE_memprof")).args(call.split(' ')).current_dir(&folder).output();
            let output = output.expect("the command starts");
            assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{call}");
            count += 1;
        }
        assert!(count >= 3, "{help}");
    }
}
