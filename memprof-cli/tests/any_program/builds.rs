//! What is built again, profiles, tests, and programs that use memprof themselves.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use crate::support::{Project, ended, has_row, host, same};

const ROOT: &str = "[package]\nname = \"two\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\nmembers = [\"part\"]\n[dependencies]\npart = { path = \"part\" }\n[profile.release]\nlto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"\nstrip = true\n";
const MAIN: &str =
    "fn main() {\n    let all: Vec<String> = (0..4).map(part::text).collect();\n    println!(\"{}\", all.len());\n}\n";
const PART: &str = "/// ```\n/// assert_eq!(part::text(3).len(), 300);\n/// ```\npub fn text(n: usize) -> String {\n    long(100 * n)\n}\n\nfn long(n: usize) -> String {\n    \"x\".repeat(n)\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn it_is_long() {\n        assert_eq!(super::text(2).len(), 200);\n    }\n}\n";

fn two(name: &str) -> Project {
    let part = "[package]\nname = \"part\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    Project::new(
        name,
        &[
            ("Cargo.toml", ROOT),
            ("src/main.rs", MAIN),
            ("part/Cargo.toml", part),
            ("part/src/lib.rs", PART),
            ("part/tests/other.rs", "#[test]\nfn another() { assert_eq!(part::text(1).len(), 100); }\n"),
        ],
    )
}

/// Which packages a call compiled.
fn compiled(err: &str) -> Vec<&str> {
    let mut names: Vec<&str> =
        err.lines().filter_map(|line| line.trim().strip_prefix("Compiling ")?.split(' ').next()).collect();
    names.sort_unstable();
    names
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn exactly_what_must_be_is_built_again() {
    let two = two("again");
    let run = |arguments: &[&str]| two.memprof("", arguments);
    let first = run(&["run"]);
    assert_eq!((first.code, &*first.out), (Some(0), "4\n"), "{}", first.err);
    assert_eq!(compiled(&first.err), ["part", "two"]);
    assert!(compiled(&run(&["run"]).err).is_empty());
    // Another policy for one that nothing depends on, and for one on which the other does.
    assert_eq!(compiled(&run(&["run", "--skip", "two::main"]).err), ["two"]);
    let only = run(&["run", "--only", "part::text"]);
    assert_eq!(compiled(&only.err), ["part", "two"]);
    assert!(has_row(&only.err, "4 part/src/lib.rs:4(text)") && only.err.contains(": 1 function of"), "{}", only.err);
    // A new function that is not asked for, in what is not built.
    two.write("part/examples/more.rs", "fn main() { drop(more()) }\nfn more() -> String { \"x\".repeat(9) }\n");
    assert!(compiled(&run(&["build", "--only", "part::text"]).err).is_empty());
    assert_eq!(compiled(&run(&["run", "--skip", "part::long"]).err), ["part", "two"]);
    let skipped = run(&["run", "--skip", "part::long"]);
    assert!(compiled(&skipped.err).is_empty() && !skipped.err.contains("(long)"), "{}", skipped.err);
    // A file that changed, by cargo's own knowledge of what was read.
    two.write("src/main.rs", &MAIN.replace("0..4", "0..5"));
    let changed = run(&["run", "--skip", "part::long"]);
    assert_eq!((compiled(&changed.err), &*changed.out), (vec!["two"], "5\n"));
    // A module that went.
    two.write("part/src/lib.rs", &format!("mod more;\n{PART}"));
    two.write("part/src/more.rs", "#![allow(dead_code)]\npub fn more() -> String { String::from(\"more\") }\n");
    assert_eq!(compiled(&run(&["build"]).err), ["part", "two"]);
    fs::remove_file(two.root.join("part/src/more.rs")).expect("it was there");
    two.write("part/src/more/mod.rs", "#![allow(dead_code)]\npub fn more() -> String { String::from(\"more\") }\n");
    let moved = run(&["build"]);
    assert_eq!((moved.code, compiled(&moved.err)), (Some(0), vec!["part", "two"]), "{}", moved.err);
    // A mistake of the user's is told as without memprof.
    two.write("src/main.rs", "fn main() { let n: u8 = \"\"; }\n");
    let (plain, wrong) = (two.cargo("", &["build", "--quiet"]), run(&["build", "--quiet"]));
    assert_eq!((wrong.code, &wrong.err), (Some(101), &plain.err));
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_moved_checkout_is_another_one() {
    let two = two("moved_from");
    assert_eq!(two.memprof("", &["run", "--quiet"]).code, Some(0));
    let to = Project::new("moved_to", &[]);
    fs::remove_dir(&to.root).expect("it is empty");
    fs::rename(&two.root, &to.root).expect("it is moved");
    to.write("part/src/lib.rs", &PART.replace("100 * n", "10 * n"));
    let before = to.contents();
    let run = to.memprof("", &["run", "--quiet"]);
    assert_eq!(run.out, "4\n", "{}", run.err);
    assert!(run.err.contains("     60 "), "{}", run.err);
    assert_eq!(to.contents(), before);
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn fat_lto_abort_and_strip_are_measured() {
    let two = two("release");
    let plain = two.cargo("", &["run", "--quiet", "--release"]);
    let tracked = two.memprof("", &["run", "--quiet", "--release"]);
    same(&plain, &tracked);
    assert!(has_row(&tracked.err, "4 part/src/lib.rs:8(text › long (2 scopes))"), "{}", tracked.err);
}

/// Unit, integration and documentation tests.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn tests_are_measured_each_program_on_its_own() {
    let two = two("tests");
    let tested = two.memprof("", &["test", "--workspace", "-o", "tests.json"]);
    assert_eq!(tested.code, Some(0), "{}{}", tested.out, tested.err);
    for test in ["test tests::it_is_long ... ok", "test another ... ok", "test part/src/lib.rs - text (line 1) ... ok"]
    {
        assert!(tested.out.contains(test), "{}", tested.out);
    }
    assert!(tested.err.contains("also measured: other-"), "{}", tested.err);
    // Tests in documentation have no allocator of memprof's.
    assert!(!tested.err.contains("rust_out"), "{}", tested.err);
    let report = two.memprof("", &["report"]);
    assert!(
        has_row(&report.out, "1 part/src/lib.rs:8(it_is_long › text › long (3 scopes))"),
        "{}{}",
        report.out,
        report.err
    );
    let documented = two.memprof("", &["test", "--quiet", "--doc", "-p", "part"]);
    let none = "memprof: nothing was measured: no test program left a report (tests in documentation leave none)\n";
    assert_eq!((documented.code, &*documented.err), (Some(0), none), "{}", documented.out);
    let built = two.memprof("", &["test", "--quiet", "--no-run"]);
    assert!(built.code == Some(0) && built.err.contains("\nmemprof: the programs are below ‘"), "{}", built.err);
}

#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn two_builds_at_once_and_one_that_is_stopped_leave_no_trace() {
    let two = two("at_once");
    let before = two.contents();
    let start = |arguments: &[&str]| {
        let mut command = two.command("", arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let stopped = start(&["build", "--policy", "all"]);
    // As Ctrl-C does to each process of the group; wherever it is then.
    let killed = Command::new("kill").args(["-INT", &stopped.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    drop(stopped.wait_with_output());
    // In profiles of their own neither waits for the other.
    let release = ["run", "--quiet", "--release", "--config", "profile.release.lto=false", "--skip", "part::long"];
    let both = [start(&["run", "--quiet"]), start(&release)];
    let tracked = [
        "\nmemprof: 4 functions of 2 packages tracked\n",
        "\nmemprof: 3 functions of 2 packages tracked; left out: 1 not asked for (--only, --skip)\n",
    ];
    for ((child, tracked), row) in both.into_iter().zip(tracked).zip(["(text › long (2 scopes))", "(text)"]) {
        let output = child.wait_with_output().expect("it ends");
        let report = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "4\n", "{report}");
        assert!(report.contains(row) && report.ends_with(tracked), "{report}");
    }
    assert_eq!(two.contents(), before);
}

/// What else of memprof a tracked program names: an allocator, which says nothing here.
const OWN_MEMPROF: &str = "pub use marks::track;\npub mod __private { pub use core::prelude::v1::global_allocator; }\npub struct Alloc;\nimpl Alloc { pub const fn system() -> Self { Alloc } }\nunsafe impl std::alloc::GlobalAlloc for Alloc {\n    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 { unsafe { std::alloc::System.alloc(layout) } }\n    unsafe fn dealloc(&self, at: *mut u8, layout: std::alloc::Layout) { unsafe { std::alloc::System.dealloc(at, layout) } }\n}\n";

/// A crate of that name which says what it is called for. The real one takes longer to compile than all other programs here.
const MARKS: &str = "use proc_macro::{TokenStream, TokenTree};\n#[proc_macro_attribute]\npub fn track(arguments: TokenStream, item: TokenStream) -> TokenStream {\n    let mut tokens: Vec<TokenTree> = item.into_iter().collect();\n    let Some(TokenTree::Group(body)) = tokens.pop() else { panic!() };\n    let said: TokenStream = format!(\"println!(\\\"tracked {{}} {}\\\", line!());\", arguments.to_string().replace('\"', \"\")).parse().unwrap();\n    let body: TokenStream = said.into_iter().chain(body.stream()).collect();\n    tokens.push(TokenTree::Group(proc_macro::Group::new(proc_macro::Delimiter::Brace, body)));\n    tokens.into_iter().collect()\n}\n";

/// Its own memprof is used, and what is marked already stays so.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_program_with_memprof_in_it_keeps_its_own() {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let main = "fn main() {\n    println!(\"{} {}\", marked().len() + plain().len() + bare::bare().len(), std::env::var(\"MEMPROF_CUDA\").is_ok_and(|cuda| cuda == \"intercept\"));\n}\n\n#[memprof::track(name = \"by hand\")]\nfn marked() -> String {\n    \"x\".repeat(10)\n}\n\nfn plain() -> String {\n    \"x\".repeat(20)\n}\n";
    let own = Project::new(
        "own_memprof",
        &[
            (
                "Cargo.toml",
                &manifest(
                    "own",
                    "[workspace]\n[dependencies]\nmemprof = { path = \"memprof\" }\nbare = { path = \"bare\" }\n",
                ),
            ),
            // Which does without it, and stays as it is.
            ("bare/Cargo.toml", &manifest("bare", "")),
            ("bare/src/lib.rs", "pub fn bare() -> String { String::from(\"bare\") }\n"),
            ("src/main.rs", main),
            ("memprof/Cargo.toml", &manifest("memprof", "[dependencies]\nmarks = { path = \"../marks\" }\n")),
            ("memprof/src/lib.rs", OWN_MEMPROF),
            ("marks/Cargo.toml", &manifest("marks", "[lib]\nproc-macro = true\n")),
            ("marks/src/lib.rs", MARKS),
        ],
    );
    let run = own.memprof("", &["run", "--quiet"]);
    assert_eq!(run.out, "tracked 1 \ntracked 5 name = by hand\ntracked 10 \n34 false\n", "{}", run.err);
    assert!(run.err.starts_with("memprof: nothing was measured: "), "{}", run.err);
    assert!(compiled(&own.memprof("", &["run"]).err).is_empty());
    // What asks that memprof for more.
    let cuda = own.memprof("", &["run", "--quiet", "--cuda"]);
    assert!(cuda.out.ends_with("\n34 true\n"), "{}{}", cuda.out, cuda.err);
}

/// The real one, from this checkout, on which one member depends: it counts by its own allocator, and in the other member what `cargo memprof` brings
/// along does.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn the_real_memprof_measures_the_member_that_depends_on_it_alone() {
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let without =
        "fn main() {\n    println!(\"{}\", plain().len());\n}\n\nfn plain() -> String {\n    \"x\".repeat(5_000)\n}\n";
    let with = format!(
        "#[global_allocator]\nstatic ALLOC: memprof::Alloc = memprof::Alloc::system();\n\n#[memprof::track(name = \"by hand\")]\nfn marked() -> String {{\n    plain()\n}}\n\n{}",
        without.replace("plain().len()", "marked().len()")
    );
    let project = Project::new(
        "both",
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"with\", \"without\"]\nresolver = \"3\"\n"),
            ("with/Cargo.toml", &package("with", &format!("[dependencies]\nmemprof = {{ path = \"{checkout}\" }}\n"))),
            ("with/src/main.rs", &with),
            ("without/Cargo.toml", &package("without", "")),
            ("without/src/main.rs", without),
        ],
    );
    // Its dependencies in the versions that are on this machine.
    fs::copy(format!("{checkout}/Cargo.lock"), project.root.join("Cargo.lock")).expect("a file");
    for (name, row) in [
        ("with", "5,000 0 1 with/src/main.rs:13(by hand › plain (2 scopes))"),
        ("without", "5,000 0 1 without/src/main.rs:5(plain)"),
    ] {
        let run = project.memprof("", &["run", "--quiet", "-p", name, "--order", "self_total"]);
        assert_eq!((run.code, &*run.out), (Some(0), "5000\n"), "{name}: {}", run.err);
        let report: Vec<String> =
            run.err.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(report.iter().any(|line| line.ends_with(row)), "{name}: {}", run.err);
    }
}

/// Where cargo's configuration says what is linked with, what is compiled with, and where all of it goes; and what is no program by default.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn what_cargo_is_configured_to_do_is_done() {
    let host = host();
    let example = "fn main() {\n    println!(\"{} {}\", cfg!(told), made().len());\n}\n\nfn made() -> String {\n    \"x\".repeat(2_000)\n}\n";
    let manifest = "[package]\nname = \"configured\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lints.rust]\nunexpected_cfgs = \"allow\"\n[workspace]\n";
    let config = format!(
        "[build]\ntarget-dir = \"target/out\"\nbuild-dir = \"between\"\n[target.{host}]\nlinker = \"tools/linking\"\nrustflags = [\"--cfg\", \"told\"]\n"
    );
    let project = Project::new(
        "configured",
        &[
            ("Cargo.toml", manifest),
            ("src/lib.rs", ""),
            ("examples/shown.rs", example),
            (".cargo/config.toml", &config),
            ("tools/linking", "#!/bin/sh\nmkdir -p \"${0%/*}/../target/linked\" && exec cc \"$@\"\n"),
        ],
    );
    let link = project.root.join("tools/linking");
    fs::set_permissions(&link, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let run = project.memprof("", &["run", "-q", "--example", "shown"]);
    assert_eq!((run.code, &*run.out), (Some(0), "true 2000\n"), "{}", run.err);
    assert!(has_row(&run.err, "1 examples/shown.rs:5(made)"), "{}", run.err);
    let is_there = |path: &str| project.root.join(path).exists();
    assert_eq!(["target/linked", "target/out/memprof", "between"].map(is_there), [true, true, false]);
    // As for cargo itself, whose environment comes before its files.
    let mut elsewhere = project.command("", &["run", "-q", "--example=shown"]);
    let elsewhere = ended(elsewhere.env("CARGO_TARGET_DIR", "target/else").env("CARGO_BUILD_BUILD_DIR", "between"));
    assert_eq!(elsewhere.out, "true 2000\n", "{}", elsewhere.err);
    assert_eq!(["target/else/memprof", "between"].map(is_there), [true, false]);
}

/// A wrapper of the user's own is called as ever.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_wrapper_of_the_users_own_is_chained() {
    let two = two("wrapped");
    two.write("wrap", "#!/bin/sh\necho \"$@\" >>\"$WRAPPED\"\nexec \"$@\"\n");
    assert!(Command::new("chmod").arg("+x").arg(two.root.join("wrap")).status().is_ok_and(|status| status.success()));
    let log = two.root.join("target/log");
    fs::create_dir_all(two.root.join("target")).expect("a folder");
    // As cargo has it: the variable before the setting, and that before the setting's own variable.
    let (mut command, none) =
        (two.command("", &["run", "--quiet", "--config", "build.rustc-wrapper='/none'"]), "/none");
    command.env("RUSTC_WRAPPER", two.root.join("wrap")).env("CARGO_BUILD_RUSTC_WRAPPER", none);
    let run = ended(command.env("WRAPPED", &log));
    assert_eq!(run.out, "4\n", "{}", run.err);
    let is_called = |how: &str| {
        let text = fs::read_to_string(&log).expect("it was called");
        assert!(text.contains("--crate-name part") && text.contains("--extern memprof="), "{how}: {text}");
        fs::remove_file(&log).expect("a file");
    };
    is_called("RUSTC_WRAPPER");
    // Which is no setting in place of memprof's.
    let setting = format!("build.rustc-wrapper='{}'", two.root.join("wrap").display());
    let mut command = two.command("", &["run", "--quiet", "--release", "--config", &setting]);
    let run = ended(command.env("CARGO_BUILD_RUSTC_WRAPPER", none).env("WRAPPED", &log));
    assert!(run.out == "4\n" && run.err.contains(" tracked"), "{}", run.err);
    is_called("--config");
    // That of the workspace's own crates stands between.
    let mut command = two.command("", &["run", "--quiet"]);
    let run = ended(command.env("RUSTC_WORKSPACE_WRAPPER", two.root.join("wrap")).env("WRAPPED", &log));
    assert!(run.out == "4\n" && run.err.contains(" tracked"), "{}", run.err);
    is_called("RUSTC_WORKSPACE_WRAPPER");
}
