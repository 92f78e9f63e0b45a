//! What stands around a program: a terminal, a server's clients, a cargo that it starts itself, crates of a registry, and the package that
//! memprof's own sources come in.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{Command, Stdio},
};

use pty_process::blocking::{Command as InTerminal, open};

use crate::support::{Project, ended, has_row, in_terminal, manifest, same};

/// Ctrl-C reaches cargo, the compiler and this command; all of them end, and the next build goes on.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn ctrl_c_at_a_terminal_in_the_midst_of_a_build_ends_it_and_leaves_nothing() {
    // The build script says that it has begun, and waits for somebody who never comes.
    let build = "fn main() {\n    println!(\"cargo::rerun-if-env-changed=WAITS\");\n    if std::env::var_os(\"WAITS\").is_some() {\n        std::fs::write(std::env::var(\"BEGUN\").unwrap(), \"\").unwrap();\n        std::thread::park();\n    }\n}\n";
    let main = "fn main() {\n    println!(\"{}\", \"x\".repeat(3).len());\n}\n";
    let project = Project::new(
        "interrupted",
        &[("Cargo.toml", &manifest("interrupted", "")), ("build.rs", build), ("src/main.rs", main)],
    );
    // So that memprof itself is there.
    let whole = project.memprof("", &["run", "--quiet"]);
    assert_eq!(whole.out, "3\n");
    // The build script is no part of the program.
    assert!(whole.err.ends_with("\nmemprof: 1 function of 1 package tracked\n"), "{}", whole.err);
    let before = project.contents();
    let begun = project.root.join("target/begun");
    let status = Command::new("mkfifo").arg(&begun).status().expect("mkfifo starts");
    assert!(status.success());

    let command = in_terminal(&project.command("", &["run"]), InTerminal::new("env"));
    let (mut pty, terminal) = open().expect("a terminal");
    let mut child = command.env("WAITS", "1").env("BEGUN", &begun).spawn(terminal).expect("it starts");
    // Opened once the build script writes.
    fs::File::open(&begun).expect("a pipe");
    pty.write_all(b"\x03").expect("keys are read");
    let mut said = String::new();
    // It fails when nobody has the terminal open any more: nobody does, the build script included.
    let _ = BufReader::new(&mut pty).read_to_string(&mut said);
    let status = child.wait().expect("it ends");
    assert!(status.signal() == Some(2) || status.code() == Some(130), "{status} {said}");
    fs::remove_file(&begun).expect("a pipe");
    let again = project.memprof("", &["run", "--quiet"]);
    assert_eq!((again.code, &*again.out), (Some(0), "3\n"), "{}", again.err);
    assert_eq!(project.contents(), before);
}

/// A cargo that the program starts compiles as without memprof, and finds nothing in its environment that would say otherwise.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_cargo_that_the_program_starts_is_an_ordinary_one() {
    let main = "use std::{env, process::Command};\nfn main() {\n    for (name, value) in env::vars() {\n        if name.contains(\"WRAPPER\") || name.contains(\"RUSTDOC\") || value.contains(\"memprof-rustc\") {\n            println!(\"{name}={value}\");\n        }\n    }\n    let cargo = Command::new(\"cargo\").args([\"rustc\", \"--quiet\", \"--manifest-path\", \"inner/Cargo.toml\", \"--target-dir\", \"plain\", \"--\", \"--print=native-static-libs\"]).status();\n    println!(\"{}\", cargo.unwrap());\n}\n";
    let project = Project::new(
        "starts_cargo",
        &[
            ("Cargo.toml", &manifest("starts_cargo", "")),
            ("src/main.rs", main),
            ("inner/Cargo.toml", &manifest("inner", "")),
            ("inner/src/lib.rs", "pub fn f() -> String { String::from(\"f\") }\n"),
        ],
    );
    let run = project.memprof("", &["run", "--quiet"]);
    assert_eq!((run.code, &*run.out), (Some(0), "exit status: 0\n"), "{}", run.err);
    let library = fs::read_dir(project.root.join("plain/debug/deps"))
        .expect("it was built")
        .flatten()
        .find(|entry| entry.path().extension().is_some_and(|ending| ending == "rlib"));
    let library = fs::read(library.expect("a library").path()).expect("a file");
    assert!(!library.windows(7).any(|bytes| bytes == b"memprof"), "it was compiled with memprof");
}

/// A crate as it lies in the registry's folder, which is only read.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_crate_of_a_registry_is_tracked_where_it_is_named() {
    let main = "use smallvec::SmallVec;\n\nfn main() {\n    let mut all: SmallVec<[u64; 4]> = SmallVec::new();\n    (0..100).for_each(|n| all.push(n));\n    println!(\"{}\", all.len());\n}\n";
    let project = Project::new(
        "registry",
        &[("Cargo.toml", &manifest("registry", "[dependencies]\nsmallvec = \"1\"\n")), ("src/main.rs", main)],
    );
    let own = project.memprof("", &["run", "--quiet", "-o", "own.json"]);
    assert_eq!(own.out, "100\n", "{}", own.err);
    let source = registry_folder(&project, "smallvec");
    let before = contents(&source);
    let tracked = project.memprof("", &["run", "--quiet", "--deps", "smallvec"]);
    assert_eq!(tracked.out, "100\n", "{}", tracked.err);
    let version = source.file_name().expect("a name").to_string_lossy().into_owned();
    let row = |line: &str| line.contains(&format!(" {version}/src/lib.rs:")) && line.contains("try_grow");
    assert!(tracked.err.lines().any(row), "{}", tracked.err);
    let all = project.memprof("", &["run", "--quiet", "--deps", "all"]);
    assert!(all.out == "100\n" && all.err.lines().any(row), "{}", all.err);
    // The level above functions.
    let crates = tracked.err.split("bytes), by crate:").nth(1).expect("a table of crates");
    assert!(has_row(crates, "smallvec") && has_row(crates, "registry"), "{crates}");
    assert_eq!(contents(&source), before);
    // Two runs that did not track the same say so.
    assert_eq!(project.memprof("", &["report", "-o", "with.json"]).code, Some(0));
    let mut diff = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let diff = ended(diff.args(["diff", "own.json", "with.json"]).current_dir(&project.root));
    assert!(
        diff.out.contains("\nthe plans differ, so rows may: smallvec was tracked only after\n"),
        "{}{}",
        diff.out,
        diff.err
    );
}

/// What happens outside any scope, as on the thread that a dependency starts, names that one; tracked, it has a row.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_dependency_is_suggested_by_name_where_it_works_outside_any_scope() {
    let main = "fn main() {\n    println!(\"{}\", worker::start().join().unwrap().len());\n}\n";
    let dependency = "[dependencies]\nworker = \"0.1\"\n";
    let project = Project::new("suggested", &[("Cargo.toml", &manifest("own", dependency)), ("src/main.rs", main)]);
    project.vendor(
        "[package]\nname = \"worker\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        "pub fn start() -> std::thread::JoinHandle<Vec<u8>> {\n    std::thread::spawn(work)\n}\n\nfn work() -> Vec<u8> {\n    vec![0; 1 << 20]\n}\n",
    );
    let own = project.memprof("", &["run", "--quiet"]);
    let said = "outside any scope is what dependencies do on threads and tasks of their own; not tracked: worker starts threads or tasks; --deps worker tracks it, --deps all every one\n";
    assert!(own.out == "1048576\n" && own.err.contains(said), "{}", own.err);
    let tracked = project.memprof("", &["run", "--quiet", "--deps", "worker"]);
    assert!(tracked.err.lines().any(|line| line.ends_with("/vendor/one/src/lib.rs:5(work)")), "{}", tracked.err);
    assert!(!tracked.err.contains(said), "{}", tracked.err);
}

/// A package that is published with a toolchain of its choice means that for nobody else, where a proxy like rustup's stands before the compiler and
/// nothing but the folder tells it which one it is.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn a_dependency_that_asks_for_a_toolchain_has_the_programs() {
    let project = Project::new(
        "choosy",
        &[
            ("Cargo.toml", &manifest("choosy", "[dependencies]\none = \"1\"\n")),
            ("src/main.rs", "fn main() {\n    println!(\"{}\", one::made().len());\n}\n"),
        ],
    );
    let one = "[package]\nname = \"one\"\nversion = \"1.0.0\"\nedition = \"2024\"\n";
    project.vendor(one, "pub fn made() -> String {\n    \"x\".repeat(5_000)\n}\n");
    project.write("vendor/one/rust-toolchain", "1.0.0\n");
    let sysroot = ended(Command::new("rustc").args(["--print", "sysroot"])).out;
    let proxy = format!(
        "#!/bin/sh\nif [ -e rust-toolchain ]; then\n    echo 'another toolchain' >&2\n    exit 1\nfi\nexec '{}/bin/rustc' \"$@\"\n",
        sysroot.trim()
    );
    project.write("proxy/rustc", &proxy);
    let proxy = project.root.join("proxy/rustc");
    fs::set_permissions(&proxy, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let path = env::var_os("PATH").expect("there is one");
    let path = env::join_paths([project.root.join("proxy")].into_iter().chain(env::split_paths(&path)));
    let mut command = project.command("", &["run", "--quiet", "--deps", "one"]);
    let run = ended(command.env("PATH", path.expect("a list")));
    assert_eq!((run.code, &*run.out), (Some(0), "5000\n"), "{}", run.err);
    assert!(run.err.lines().any(|line| line.ends_with("/vendor/one/src/lib.rs:1(made)")), "{}", run.err);
}

/// Where cargo has the sources of a dependency.
fn registry_folder(project: &Project, name: &str) -> std::path::PathBuf {
    let metadata = project.cargo_metadata();
    let package = metadata["packages"].as_array().and_then(|all| all.iter().find(|package| package["name"] == name));
    let manifest = package.and_then(|package| package["manifest_path"].as_str()).expect("a dependency");
    Path::new(manifest).parent().expect("a folder").to_owned()
}

/// Each file below a folder with its text.
fn contents(folder: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).expect("a file"));
        }
    }
    found
}

const SERVER: &str = r#"use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (stream, _) = listener.accept().await.unwrap();
        tasks.push(tokio::spawn(answer(stream)));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn answer(mut stream: TcpStream) {
    let mut name = [0; 4];
    stream.read_exact(&mut name).await.unwrap();
    let text = spell(&name).await;
    stream.write_all(&text).await.unwrap();
}

async fn spell(name: &[u8]) -> Vec<u8> {
    tokio::task::yield_now().await;
    made(name)
}

fn made(name: &[u8]) -> Vec<u8> {
    name.repeat(1_000)
}
"#;

/// Its rows are right on whatever thread its tasks go on, and the profile knows which dependency starts those.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn an_async_server_is_measured() {
    let dependency = "[dependencies]\ntokio = { version = \"1\", features = [\"io-util\", \"macros\", \"net\", \"rt-multi-thread\"] }\n";
    let project = Project::new("server", &[("Cargo.toml", &manifest("server", dependency)), ("src/main.rs", SERVER)]);
    let mut command = project.command("", &["run", "--quiet", "--chains", "whole"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut address = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut address).expect("text");
    let clients: Vec<TcpStream> = (0..4)
        .map(|number: u8| {
            let mut stream = TcpStream::connect(address.trim()).expect("it listens");
            stream.write_all(&[b'a' + number; 4]).expect("it reads");
            stream
        })
        .collect();
    for (number, mut stream) in (0..).zip(clients) {
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("it answers");
        assert_eq!(text, vec![b'a' + number; 4_000]);
    }
    let output = child.wait_with_output().expect("it ends");
    let report = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{report}");
    let made = report.lines().find(|line| line.ends_with("4 src/main.rs:32(made)"));
    assert!(made.is_some_and(|line| line.contains(" 16,000 ")), "{report}");
    for row in ["4 src/main.rs:27(spell)", "4 src/main.rs:20(answer)", "1 src/main.rs:7(main)"] {
        assert!(has_row(&report, row), "{row}\n{report}");
    }
    assert_eq!(project.memprof("", &["report", "-o", "server.json"]).code, Some(0));
    let saved = fs::read_to_string(project.root.join("server.json")).expect("a profile");
    let plan = &serde_json::from_str::<serde_json::Value>(&saved).expect("JSON")["plan"];
    let starting = plan["starting"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a number");
    let untracked = plan["untracked"].as_array().expect("names");
    assert!(untracked[..starting].contains(&"tokio".into()), "{plan}");
}

/// A benchmark without the compiler's own harness.
#[test]
#[ignore = "compiles memprof once more: a step of .ci/run of its own"]
fn benchmarks_are_measured() {
    let rest = "[[bench]]\nname = \"words\"\nharness = false\n";
    let bench = "fn main() {\n    let made: usize = (0..10).map(|n| words(n).len()).sum();\n    println!(\"{made}\");\n}\n\nfn words(n: usize) -> Vec<String> {\n    vec![String::from(\"word\"); n]\n}\n";
    let project = Project::new(
        "benchmarks",
        &[
            ("Cargo.toml", &manifest("benchmarks", rest)),
            ("src/lib.rs", "pub fn f() -> String { String::from(\"f\") }\n"),
            ("benches/words.rs", bench),
        ],
    );
    let plain = project.cargo("", &["bench", "--quiet", "--bench", "words"]);
    let tracked = project.memprof("", &["bench", "--quiet", "--bench", "words", "--interval", "10s"]);
    same(&plain, &tracked);
    assert!(has_row(&tracked.err, "10 benches/words.rs:6(words)"), "{}", tracked.err);
    // That of the library has no function to show, and more bytes: those of the test harness.
    let all = project.memprof("", &["bench", "--quiet"]);
    assert!(has_row(&all.err, "10 benches/words.rs:6(words)"), "{}", all.err);
    assert!(all.err.contains("memprof: also measured: benchmarks-"), "{}", all.err);
}

/// A package of memprof-cli, which `cargo install` compiles, carries what the checkout does.
#[test]
#[ignore = "asks cargo for the package's files: a step of .ci/run of its own"]
fn the_package_carries_the_same_memprof() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Project::new("packed", &[]);
    let mut list = Command::new("cargo");
    let list = ended(list.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(folder));
    assert_eq!(list.code, Some(0), "{}", list.err);
    for file in list.out.lines().filter(|file| file.starts_with("runtime/") || *file == "build.rs") {
        let to = project.root.join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::write(to, fs::read(folder.join(file)).expect("a file")).expect("a file");
    }
    let mut rustc = Command::new("rustc");
    let built = ended(rustc.args(["--edition=2024", "build.rs", "-o", "build"]).current_dir(&project.root));
    assert_eq!(built.code, Some(0), "{}", built.err);
    // What it packs, with the content of each file in place of its path.
    let packed = |root: &Path, out: &str| {
        let out = project.root.join(out);
        fs::create_dir_all(&out).expect("a folder");
        let mut build = Command::new(project.root.join("build"));
        let ran = ended(build.env("CARGO_MANIFEST_DIR", root).env("OUT_DIR", &out));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let table = fs::read_to_string(out.join("runtime.rs")).expect("a table");
        let line = |line: &str| {
            let mut words = line.split('"');
            let (inside, path) = (words.nth(1)?.to_owned(), words.nth(1)?.to_owned());
            Some((inside, fs::read(path).expect("a file")))
        };
        table.lines().filter_map(line).collect::<BTreeMap<String, Vec<u8>>>()
    };
    let (here, there) = (packed(folder, "here"), packed(&project.root, "there"));
    assert!(here.len() > 100 && here.contains_key("memprof-core/src/lib.rs"), "{:?}", here.keys());
    assert!(here.keys().eq(there.keys()) && here == there, "{:?}\n{:?}", here.keys(), there.keys());
}
