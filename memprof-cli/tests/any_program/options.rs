//! What the options do to a run, and what becomes of a program that is only built.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::Command,
};

use crate::{
    support::{Project, ended, has_row, in_terminal, manifest},
    terminal::Terminal,
};

/// The view shows the program's own rows while it runs; Ctrl-C reaches the program, whose report is written.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_run_is_shown_while_it_runs() {
    let main = "fn main() {\n    let kept = load();\n    println!(\"ready {}\", kept.len());\n    loop {\n        std::thread::park();\n    }\n}\n\nfn load() -> Vec<u8> {\n    vec![0; 100_000]\n}\n";
    let project = Project::new("live", &[("Cargo.toml", &manifest("live", "")), ("src/main.rs", main)]);
    // So that memprof itself is there.
    assert_eq!(project.memprof("", &["build", "--quiet"]).code, Some(0));
    let plain = project.command("", &["run", "--quiet", "--live", "-o", "report.txt"]);
    let terminal = Terminal::start_program("env", |command| in_terminal(&plain, command));
    terminal.wait_for_text("97.7 KiB        0        0 97.7 KiB         1 load src/main.rs");
    terminal.press("\u{3}");
    let (status, screen) = terminal.end();
    assert_eq!(status.signal(), Some(2), "as the program ended:\n{screen}");
    let printed = screen.find("ready 100000").expect("what the program printed");
    let report = screen.find("memprof: the report is in ‘report.txt’").expect("the report");
    assert!(printed < report, "{screen}");
    let report = fs::read_to_string(project.root.join("report.txt")).expect("a file");
    assert!(has_row(&report, "1 src/main.rs:9(load)"), "{report}");
    let refused = project.memprof("", &["test", "--live"]);
    assert_eq!((refused.code, &*refused.err), (Some(125), "memprof: --live goes with run alone\n"));
}

/// A program that the system kills, as where memory is short, leaves no report: the last line says why, and what helps.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_killed_program_is_said() {
    let main = "fn main() {\n    let own = std::process::id().to_string();\n    let _ = std::process::Command::new(\"kill\").args([\"-9\", &own]).status();\n}\n";
    let project = Project::new("killed", &[("Cargo.toml", &manifest("killed", "")), ("src/main.rs", main)]);
    let run = project.command("", &["run", "--quiet"]).output().expect("it starts");
    let said = "memprof: nothing was measured: the program left no report: it was killed by SIGKILL, at which a program cannot write one; --interval 500ms keeps the last one written before\n";
    assert_eq!((run.status.signal(), String::from_utf8_lossy(&run.stderr)), (Some(9), said.into()));
}

/// So does one that ends where nobody asks memprof, whatever its status; a test program that does is named.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_program_that_ends_without_its_exit_handlers_is_said() {
    let main = "unsafe extern \"C\" {\n    fn _exit(status: i32) -> !;\n}\n\nfn main() {\n    let kept = load();\n    println!(\"{}\", kept.len());\n    unsafe { _exit(4) }\n}\n\nfn load() -> Vec<u8> {\n    vec![0; 100_000]\n}\n\n#[test]\nfn ends() {\n    assert_eq!(load().len(), 100_000);\n    unsafe { _exit(0) }\n}\n";
    let project = Project::new("ends_at_once", &[("Cargo.toml", &manifest("ends_at_once", "")), ("src/main.rs", main)]);
    let run = project.memprof("", &["run", "--quiet"]);
    let said = "memprof: nothing was measured: the program left no report: it ended without its exit handlers (`_exit`), or became another program; --interval 500ms keeps the last one written before\n";
    assert_eq!((run.code, &*run.out, &*run.err), (Some(4), "100000\n", said));
    let test = project.memprof("", &["test", "--quiet"]);
    let last = test.err.lines().last().expect("a line");
    let rest = "): it ended by `_exit` or was killed, became another program, or still runs; --interval 500ms keeps the last one written before";
    assert!(
        last.starts_with("memprof: nothing was measured: no report of ends_at_once-") && last.ends_with(rest),
        "{last}"
    );
}

/// Two versions of a package in one program are two, in the report and by name.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn each_version_of_a_dependency_is_a_row_and_can_be_named() {
    let map = |version: &str| format!("[package]\nname = \"map\"\nversion = \"{version}\"\nedition = \"2024\"\n");
    let make = |bytes: &str| format!("pub fn make() -> Vec<u8> {{\n    vec![0; {bytes}]\n}}\n");
    let dependencies =
        "[dependencies]\nmap1 = { path = \"a\", package = \"map\" }\nmap2 = { path = \"b\", package = \"map\" }\n";
    let project = Project::new(
        "versions",
        &[
            ("Cargo.toml", &format!("{}exclude = [\"a\", \"b\"]\n", manifest("versions", dependencies))),
            (
                "src/main.rs",
                "fn main() {\n    let kept = (map1::make(), map2::make());\n    println!(\"{}\", kept.0.len() + kept.1.len());\n}\n",
            ),
            ("a/Cargo.toml", &map("1.2.0")),
            ("a/src/lib.rs", &make("10_000")),
            ("b/Cargo.toml", &map("2.0.0")),
            ("b/src/lib.rs", &make("30_000")),
        ],
    );
    let run = project.memprof("", &["run", "--quiet", "--deps", "map"]);
    assert_eq!(run.out, "40000\n", "{}", run.err);
    let crates = run.err.split("bytes), by crate:").nth(1).expect("a table of crates");
    let squeezed: Vec<String> =
        crates.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in ["30,000 30,000 0 1 map 2.0.0", "10,000 10,000 0 1 map 1.2.0"] {
        assert!(squeezed.iter().any(|line| line == row), "{row}\n{crates}");
    }
    let refused = project.memprof("", &["run", "--deps", "map@3"]);
    let said = "memprof: --deps map@3: the program has map in other versions; accepted: map, map@1.2.0, map@2.0.0\n";
    assert_eq!((refused.code, &*refused.err), (Some(125), said), "below are the program's own");
    // There cargo would say it.
    let refused = project.memprof("", &["plan", "-p", "map@3"]);
    let said = "memprof: -p map@3: the program has map in other versions; accepted: map, map@1.2.0, map@2.0.0\n";
    assert_eq!((refused.code, &*refused.err), (Some(2), said));
    let planned = project.memprof("", &["plan", "-qp", "versions", "--deps", "map@1,map@2.0"]);
    let lines: Vec<&str> = planned.out.lines().collect();
    assert_eq!(
        lines,
        [
            "map 1.2.0: 1 function tracked, 0 left out",
            "map 2.0.0: 1 function tracked, 0 left out",
            "versions 0.1.0: 1 function tracked, 0 left out"
        ],
        "{}",
        planned.err
    );
}

/// What a program writes that `cargo memprof build` left, wherever it runs, is read with what that build tracked.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_profile_of_a_program_that_was_built_is_shown_as_a_run() {
    let main = "fn main() {\n    let kept = load();\n    println!(\"{:?} {}\", std::env::args().skip(1).collect::<Vec<_>>(), kept.len());\n}\n\nfn load() -> Vec<u8> {\n    many()\n}\n\nfn many() -> Vec<u8> {\n    vec![0; 100_000]\n}\n";
    let other = "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let project = Project::new(
        "by_hand",
        &[
            ("Cargo.toml", &format!("{}members = [\"other\"]\n", manifest("by_hand", ""))),
            ("src/main.rs", main),
            ("other/Cargo.toml", other),
            ("other/src/lib.rs", "pub fn other() -> String { String::from(\"other\") }\n"),
        ],
    );
    // Another package of the workspace that is built already is none of the program's.
    let whole = project.memprof("", &["build", "--quiet", "--workspace"]);
    assert!(whole.err.contains("memprof: 4 functions of 2 packages tracked\n"), "{}", whole.err);
    // Nor is one that is left out, or that no name and no pattern means.
    for asked in [&["--workspace", "--exclude", "oth*"][..], &["-p", "by_*"], &["-pby_hand"], &["-p", "by_hand@0.1"]] {
        let one = project.memprof("", &[&["build", "--quiet"], asked].concat());
        assert!(one.err.starts_with("memprof: 3 functions of 1 package tracked\n"), "{asked:?} {}", one.err);
    }
    // Arguments of the program's begin as cargo has it, and its options come before.
    let run = project.memprof("", &["run", "--quiet", "in.txt", "--rows", "1"]);
    assert_eq!(run.out, "[\"in.txt\", \"--rows\", \"1\"] 100000\n", "{}", run.err);
    assert!(run.err.ends_with("\nmemprof: 3 functions of 1 package tracked\n"), "{}", run.err);
    let built = project.memprof("", &["build", "--quiet", "--skip", "many"]);
    let said = "memprof: 2 functions of 1 package tracked; left out: 1 not asked for (--only, --skip)\nmemprof: the programs are below ‘";
    assert!(built.code == Some(0) && built.err.starts_with(said), "{}", built.err);
    let folder = built.err.split(['‘', '’']).nth(1).expect("a folder");
    let mut by_hand = Command::new(Path::new(folder).join("debug/by_hand"));
    let by_hand = by_hand.env("MEMPROF", "1").env("MEMPROF_OUTPUT", project.root.join("hand.json"));
    assert_eq!(ended(by_hand).code, Some(0));
    let report = project.memprof("", &["report", "hand.json"]);
    assert!(has_row(&report.out, "1 src/main.rs:6(load)"), "{}{}", report.out, report.err);
    // Beside a run of another plan.
    assert_eq!(project.memprof("", &["report", "hand.json", "-o", "built.json"]).code, Some(0));
    assert_eq!(project.memprof("", &["report", "-o", "run.json"]).code, Some(0));
    let mut diff = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let diff = ended(diff.args(["diff", "run.json", "built.json"]).current_dir(&project.root));
    let differ = "\nthe plans differ, so rows may: other functions of by_hand were tracked: by ‘lean’ before, by ‘lean, without many’ after\n";
    assert!(diff.out.contains(differ), "{}{}", diff.out, diff.err);
}

/// What `memprof run` does with a report, this does.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_report_is_written_and_opened_and_shown_as_a_tree() {
    let main = "fn main() {\n    let kept = load();\n    println!(\"{}\", kept.len());\n}\n\nfn load() -> Vec<u8> {\n    vec![0; 100_000]\n}\n";
    let project = Project::new("opened", &[("Cargo.toml", &manifest("opened", "")), ("src/main.rs", main)]);
    // The program reads it; a pipe ends when the last who can write it is gone.
    let opened = project.root.join("opened");
    let opener = format!("#!/bin/sh\nprintf %s \"$1\" >'{}'\n", opened.display());
    project.write("bin/xdg-open", &opener);
    fs::set_permissions(project.root.join("bin/xdg-open"), fs::Permissions::from_mode(0o755)).expect("it may be run");
    assert!(Command::new("mkfifo").arg(&opened).status().is_ok_and(|status| status.success()));
    let path = format!("{}:{}", project.root.join("bin").display(), std::env::var("PATH").expect("a path"));
    let run = ended(project.command("", &["run", "--quiet", "-o", "report.html", "--open"]).env("PATH", path));
    let said = "memprof: the report is in ‘report.html’\nmemprof: 2 functions of 1 package tracked\n";
    assert_eq!((run.code, &*run.out, &*run.err), (Some(0), "100000\n", said));
    assert_eq!(fs::read_to_string(opened).expect("a pipe"), "report.html");
    let page = fs::read_to_string(project.root.join("report.html")).expect("a page");
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let tree = project.memprof("", &["run", "--quiet", "--tree"]);
    assert!(has_row(&tree.err, "100,000   src/main.rs:6(load)"), "it stands in: {}", tree.err);
}

/// A name of `--deps` by which nothing would be tracked is refused, and no other.
#[test]
#[ignore = "asks cargo for a crate of the registry: a step of .ci/run of its own"]
fn a_dependency_that_is_no_part_of_the_program_is_refused() {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let path = |name: &str| format!("{name} = {{ path = \"../{name}\" }}\n");
    let folder = |name: &str| (format!("{name}/Cargo.toml"), format!("{name}/src/lib.rs"));
    let all = [
        (
            "app",
            format!(
                "build = \"build.rs\"\n[dependencies]\nsmallvec = \"1\"\n{}{}[build-dependencies]\n{}{}[dev-dependencies]\n{}",
                path("mac"),
                path("both"),
                path("maker"),
                path("both"),
                path("tester")
            ),
        ),
        ("mac", format!("[lib]\nproc-macro = true\n[dependencies]\n{}", path("brought"))),
        ("brought", String::new()),
        ("both", String::new()),
        ("maker", String::new()),
        ("tester", String::new()),
        // One that another member depends on, after whose tests its own are looked at.
        ("zoo", format!("[dependencies]\n{}", path("app"))),
    ];
    let mut files = vec![
        ("Cargo.toml".to_owned(), "[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"zoo\"]\nexclude = [\"mac\", \"brought\", \"both\", \"maker\", \"tester\"]\n".to_owned()),
        ("app/build.rs".to_owned(), "fn main() {}\n".to_owned()),
    ];
    for (name, rest) in &all {
        let (manifest, root) = folder(name);
        files.extend([(manifest, package(name, rest)), (root, String::new())]);
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let project = Project::new("no_part", &files);
    let metadata = project.cargo_metadata();
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let smallvec = packages.find(|package| package["name"] == "smallvec").expect("it is there");
    let other = project.memprof("", &["build", "--deps", "smallvec@0.1"]);
    let version = smallvec["version"].as_str().expect("text");
    let said = format!(
        "memprof: --deps smallvec@0.1: the program has smallvec in another version; accepted: smallvec, smallvec@{version}\n"
    );
    assert_eq!((other.code, other.err), (Some(2), said));
    let accepted = "accepted: all, smallvec\n";
    let other = "only what this call does not build has that dependency: tests, benchmarks, examples, or other packages of the workspace";
    for (arguments, why) in [
        (&["build", "--deps", "none"][..], "the program has no such dependency"),
        (&["build", "--deps", "mac"], "it is a procedural macro, which the compiler loads, and no part of the program"),
        (
            &["build", "--deps", "maker"],
            "only build scripts and procedural macros have that dependency, so it is no part of the program",
        ),
        (
            &["test", "--deps", "brought"],
            "only build scripts and procedural macros have that dependency, so it is no part of the program",
        ),
        (&["build", "--deps", "tester"], other),
        (&["build", "-p", "app", "--deps", "zoo"], other),
    ] {
        let refused = project.memprof("", arguments);
        let (verb, name) = (arguments[0], arguments[arguments.len() - 1]);
        let code = if verb == "test" { 125 } else { 2 };
        assert_eq!((refused.code, refused.err), (Some(code), format!("memprof: --deps {name}: {why}; {accepted}")));
    }
    // Nothing of it is built, as it is before a build.
    for arguments in [&["--deps", "both,smallvec,tester,all"][..], &["-p", "app", "--deps", "smallvec@1"]] {
        let planned = project.memprof("", &[&["plan"], arguments].concat());
        assert!(
            planned.code == Some(0) && planned.out.contains("smallvec 1."),
            "{arguments:?} {}{}",
            planned.out,
            planned.err
        );
    }
    // cargo builds a dependency for its own sake, too.
    let named = project.memprof("", &["plan", "-p", "maker", "--deps", "maker"]);
    assert_eq!((named.code, &*named.out), (Some(0), "maker 0.1.0: 0 functions tracked, 0 left out\n"), "{}", named.err);
}
