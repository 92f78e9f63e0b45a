//! Where the files of a program stand, and what becomes of them between builds.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
};

use crate::support::{Ended, Project, ended, host, manifest, same};

fn package(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
}

/// A row with at least its own 5,000 bytes.
fn has_bytes(run: &Ended, row: &str) -> bool {
    run.err.lines().any(|line| line.contains(" 5,000 ") && line.ends_with(&format!(" {row}")))
}

/// The package in the workspace's own folder has the others inside it: whichever is compiled last, each stays tracked.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn packages_inside_of_another_ones_folder_stay_tracked() {
    let library = "pub fn made() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let main = "fn main() {\n    println!(\"{}\", kept().len() + outer::made().len());\n}\n\nfn kept() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let project = Project::new(
        "inside",
        &[
            ("Cargo.toml", &package("outer", "[workspace]\nmembers = [\"crates/*\"]\n")),
            ("src/lib.rs", library),
            ("crates/cli/Cargo.toml", &package("cli", "[dependencies]\nouter = { path = \"../..\" }\n")),
            (
                "crates/cli/src/main.rs",
                &format!("{main}const _: &str = include_str!(concat!(\"../../../\", \"assets/text.txt\"));\n"),
            ),
            ("assets/text.txt", "text"),
            // A target of the one in the folder of the other, and what is read from there by a path that is put together.
            (
                "crates/cli/shown.rs",
                "const TEXT: &str = include_str!(concat!(\"../../\", \"assets/text.txt\"));\nfn main() {\n    println!(\"{TEXT} {}\", kept().len());\n}\n\nfn kept() -> String {\n    \"x\".repeat(5_000)\n}\n",
            ),
        ],
    );
    project.write(
        "Cargo.toml",
        &package(
            "outer",
            "[workspace]\nmembers = [\"crates/*\"]\n[[example]]\nname = \"shown\"\npath = \"crates/cli/shown.rs\"\n",
        ),
    );
    let is_tracked = |run: &Ended| {
        assert_eq!(run.out, "10000\n", "{}", run.err);
        for row in ["1 crates/cli/src/main.rs:5(kept)", "1 src/lib.rs:1(made)"] {
            assert!(has_bytes(run, row), "{row}\n{}", run.err);
        }
    };
    is_tracked(&project.memprof("", &["run", "--quiet", "-p", "cli"]));
    project.write("src/lib.rs", &format!("{library}// It changed.\n"));
    is_tracked(&project.memprof("", &["run", "--quiet", "-p", "cli"]));
    is_tracked(&project.memprof("", &["run", "--quiet", "--release", "-p", "cli"]));
    // Another policy meanwhile is another mirror, and the first one still holds.
    let skipped = project.memprof("", &["run", "--quiet", "-p", "cli", "--release", "--skip", "kept"]);
    assert!(!skipped.err.contains("(kept)") && has_bytes(&skipped, "1 src/lib.rs:1(made)"), "{}", skipped.err);
    let again = project.memprof("", &["run", "--quiet", "-p", "cli"]);
    is_tracked(&again);
    assert!(again.err.ends_with("\nmemprof: 3 functions of 2 packages tracked\n"), "{}", again.err);
    let shown = project.memprof("", &["run", "--quiet", "--example", "shown"]);
    assert!(shown.out == "text 5000\n" && has_bytes(&shown, "1 crates/cli/shown.rs:6(kept)"), "{}", shown.err);
}

/// What stands outside: a target, a module of it, and what it reads by a path that is put together.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_target_outside_of_its_package_is_tracked() {
    let main = "mod inner;\nmod util;\nconst TEXT: &str = include_str!(concat!(\"te\", \"xt.txt\"));\nfn main() {\n    println!(\"{} {}\", kept().len(), inner::inner() + util::HELP + TEXT);\n}\n\nfn kept() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let project = Project::new(
        "outside",
        &[
            (
                "app/Cargo.toml",
                &package("app", "[workspace]\n[[bin]]\nname = \"shown\"\npath = \"../shown/main.rs\"\n"),
            ),
            ("shown/main.rs", main),
            ("shown/inner.rs", "pub fn inner() -> String { \"inner\".to_owned() }\n"),
            ("shown/text.txt", " and text"),
            ("shown/util/mod.rs", "pub const HELP: &str = \"\";\n"),
            ("shown/util/help.txt", " and help"),
        ],
    );
    project.write("shown/main.rs", &main.replace("util::HELP", "include_str!(\"util/help.txt\") + util::HELP"));
    let before = project.contents();
    let plain = project.cargo("app", &["run", "--quiet"]);
    let tracked = project.memprof("app", &["run", "--quiet"]);
    same(&plain, &tracked);
    assert_eq!(plain.out, "5000 inner and help and text\n");
    let row = |line: &str| line.contains(" 5,000 ") && line.ends_with("shown/main.rs:8(kept)");
    assert!(tracked.err.lines().any(row), "{}", tracked.err);
    assert_eq!(project.contents(), before);
    // A module that is new, of one that is not the package's own.
    project.write("shown/inner.rs", "mod more;\npub fn inner() -> String { more::more() }\n");
    project.write("shown/inner/more.rs", "pub fn more() -> String { \"more\".to_owned() }\n");
    let more = project.memprof("app", &["run", "--quiet"]);
    assert!(more.out.starts_with("5000 more and help") && more.err.lines().any(row), "{}{}", more.out, more.err);
}

/// A folder with a Rust file in it is one of the mirror, and without one a link.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_folder_that_loses_its_last_rust_file_and_has_one_again_is_there() {
    let main = "const TEXT: &str = include_str!(concat!(\"../data/\", \"text.txt\"));\nfn main() {\n    println!(\"{} {TEXT}\", kept().len());\n}\n\nfn kept() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let project = Project::new(
        "folders",
        &[
            ("Cargo.toml", &manifest("folders", "")),
            ("src/main.rs", main),
            ("data/text.txt", "text"),
            ("data/more.rs", ""),
        ],
    );
    let is_tracked = || {
        let run = project.memprof("", &["run", "--quiet"]);
        assert_eq!(run.out, "5000 text\n", "{}", run.err);
        assert!(has_bytes(&run, "1 src/main.rs:6(kept)"), "{}", run.err);
    };
    let changed = |how: &str| project.write("src/main.rs", &format!("{main}// {how}\n"));
    is_tracked();
    fs::remove_file(project.root.join("data/more.rs")).expect("it was there");
    changed("once");
    is_tracked();
    project.write("data/more.rs", "");
    changed("twice");
    is_tracked();
}

/// A root that is read as text has no place for memprof's allocator, which is said.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_root_that_is_read_as_text_is_said() {
    let main = "mod made;\nconst SOURCE: &str = include_str!(\"main.rs\");\nfn main() {\n    println!(\"{} {}\", made::made().len(), SOURCE.len() > 100);\n}\n";
    let project = Project::new(
        "quine",
        &[
            ("Cargo.toml", &manifest("quine", "")),
            ("src/main.rs", main),
            ("src/made.rs", "pub fn made() -> String {\n    \"x\".repeat(5_000)\n}\n"),
        ],
    );
    let run = project.memprof("", &["run", "--quiet"]);
    assert_eq!(run.out, "5000 true\n", "{}", run.err);
    let said = "\nmemprof: quine of quine 0.1.0 has its calls counted, and no bytes: ";
    assert!(run.err.contains(said), "{}", run.err);
    assert!(run.err.contains("measuring, but the program’s allocator does not report to memprof\n"), "{}", run.err);
}

/// Errors of the user's are theirs alone: nothing is left out for them once they are mended.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_mistake_leaves_nothing_out_once_it_is_mended() {
    let main = "mod other;\nfn main() {\n    println!(\"{}\", other::made(5_000, env!(\"TOKEN\")).len());\n}\n";
    let other = "pub fn made(n: usize, token: &str) -> String {\n    token.repeat(n)\n}\n";
    let wrong = main.replace("5_000, ", "");
    let project = Project::new(
        "mistaken",
        &[("Cargo.toml", &manifest("mistaken", "")), ("src/main.rs", &wrong), ("src/other.rs", other)],
    );
    // An argument that lacks, of which a note points to the function; then a variable that does.
    let run = |token: Option<&str>| {
        let mut command = project.command("", &["run", "--quiet"]);
        ended(command.envs(token.map(|token| ("TOKEN", token))))
    };
    for (text, said) in [(&*wrong, "takes 2 arguments but 1"), (main, "`TOKEN` not defined")] {
        project.write("src/main.rs", text);
        let failed = run(None);
        assert!(failed.code == Some(101) && failed.err.contains(said), "{}", failed.err);
        assert_eq!(failed.err.matches("error: could not compile").count(), 1, "{}", failed.err);
    }
    let mended = run(Some("x"));
    assert_eq!(mended.out, "5000\n", "{}", mended.err);
    assert!(has_bytes(&mended, "1 src/other.rs:1(made)"), "{}", mended.err);
    assert!(mended.err.ends_with("\nmemprof: 2 functions of 1 package tracked\n"), "{}", mended.err);
}

/// cargo goes on with a library as soon as its types are known, so an error behind that is the last word.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_library_that_fails_when_cargo_has_gone_on_with_it_fails() {
    let library = "pub fn made() -> String {\n    checked::<0>().to_string()\n}\n\nfn checked<const N: usize>() -> usize {\n    const { assert!(N > 0) };\n    N\n}\n";
    let project = Project::new(
        "late",
        &[
            ("Cargo.toml", &manifest("late", "[dependencies]\nlibrary = { path = \"library\" }\n")),
            ("src/main.rs", "fn main() {\n    println!(\"{}\", library::made());\n}\n"),
            ("library/Cargo.toml", &package("library", "")),
            ("library/src/lib.rs", library),
        ],
    );
    let (plain, tracked) = (project.cargo("", &["build", "--quiet"]), project.memprof("", &["build", "--quiet"]));
    assert_eq!(plain.code, Some(101), "{}", plain.err);
    same(&plain, &tracked);
    assert!(
        tracked.err.contains("assertion failed: N > 0") && !tracked.err.contains("thread 'main'"),
        "{}",
        tracked.err
    );
}

/// A library that fails so only as it is tracked, with no function at fault: from the next call on it is compiled as it is, until it
/// changes. Here it is the user's wrapper that fails.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_library_that_fails_late_without_a_function_at_fault_is_compiled_as_it_is() {
    let error = r#"{"$message_type":"diagnostic","message":"late","code":null,"level":"error","spans":[],"children":[],"rendered":"error: late\n"}"#;
    let wrap = format!(
        "#!/bin/sh\n\"$@\" || exit\ncase \"$*\" in *'--crate-name library '*' memprof='*)\n    printf '%s\\n' '{error}' >&2\n    exit 1 ;;\nesac\n"
    );
    let library = "pub fn made() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let project = Project::new(
        "lost",
        &[
            ("Cargo.toml", &manifest("lost", "[dependencies]\nlibrary = { path = \"library\" }\n")),
            ("src/main.rs", "fn main() {\n    println!(\"{}\", library::made().len());\n}\n"),
            ("library/Cargo.toml", &package("library", "")),
            ("library/src/lib.rs", library),
            ("wrap", &wrap),
        ],
    );
    let wrapper = project.root.join("wrap");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let run = |more: &[&str]| {
        let mut command = project.command("", &[&["run", "--quiet"], more].concat());
        ended(command.env("RUSTC_WRAPPER", &wrapper))
    };
    let is_lost = |done: &Ended| {
        let said =
            "memprof: library of library 0.1.0 was compiled as it is, untracked: it does not compile otherwise\n";
        assert_eq!((done.code, done.out.len()), (Some(0), 5), "{}", done.err);
        assert!(done.err.contains(said), "{}", done.err);
    };
    // It names the crates that it needs.
    let is_tracked = |deps: &Path| {
        let mut types = fs::read_dir(deps).expect("a folder").flatten().map(|entry| entry.path()).filter(|path| {
            path.extension().is_some_and(|ending| ending == "rmeta") && path.to_string_lossy().contains("liblibrary")
        });
        let types = types.next().map(|path| fs::read(path).expect("a file")).unwrap_or_default();
        types.windows(12).any(|bytes| bytes == b"memprof_core")
    };
    let built = project.root.join("target/memprof").join(host());
    let fails_and_is_lost = |profile: &str| {
        let failed = run(&["--profile", profile]);
        assert!(failed.code == Some(101) && failed.err.contains("error: late\n"), "{}", failed.err);
        // Types that cargo went on with stay those of the try that failed.
        let folder = if profile == "dev" { "debug" } else { profile };
        assert!(is_tracked(&built.join(folder).join("deps")), "{}", failed.err);
        is_lost(&run(&["--profile", profile]));
    };
    fails_and_is_lost("dev");
    // Neither a new file that is none of Rust's nor another policy changes that.
    project.write("library/notes.txt", "");
    for more in [&[][..], &["--skip", "made"]] {
        fs::remove_dir_all(built.join("debug/.fingerprint")).expect("a folder");
        is_lost(&run(more));
    }
    // Another profile is another crate, and so is another source.
    fails_and_is_lost("release");
    project.write("library/src/lib.rs", &library.replace("5_000", "6_000"));
    fails_and_is_lost("dev");
}

/// Names that are no UTF-8, a folder that may not be read (root may), and a root whose name does not end as a Rust file's.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn what_no_source_can_name_stands_in_nobodys_way() {
    let main = "const TEXT: &str = include_str!(concat!(\"te\", \"xt\"));\nfn main() {\n    println!(\"{TEXT} {}\", kept().len());\n}\n\nfn kept() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let project = Project::new(
        "unnamed",
        &[
            ("Cargo.toml", &manifest("unnamed", "[[bin]]\nname = \"unnamed\"\npath = \"src/root.txt\"\n")),
            ("src/root.txt", main),
            ("src/text", "text"),
            ("src/closed/kept.rs", ""),
        ],
    );
    let bytes = |name: &'static [u8]| project.root.join("src").join(OsStr::from_bytes(name));
    fs::write(bytes(b"\xff.rs"), "").expect("a file");
    fs::create_dir(bytes(b"\xfe")).expect("a folder");
    fs::write(bytes(b"\xfe/inner.rs"), "").expect("a file");
    let closed = project.root.join("src/closed");
    let may = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).expect("its owner may");
    may(0o000);
    let (plain, tracked) = (project.cargo("", &["run", "--quiet"]), project.memprof("", &["run", "--quiet"]));
    // So that it can be removed.
    may(0o755);
    assert_eq!(plain.out, "text 5000\n", "{}", plain.err);
    same(&plain, &tracked);
    assert!(has_bytes(&tracked, "1 src/root.txt:6(kept)"), "{}", tracked.err);
}
