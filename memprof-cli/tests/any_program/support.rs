//! A program in a folder of its own, and how cargo and `cargo memprof` are called on it.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use pty_process::blocking::Command as InTerminal;

/// How a call ended: status, stdout and stderr.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The manifest of a package that is a workspace of its own.
pub(crate) fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}[workspace]\n")
}

/// A program's folder, made anew.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
}

/// The folder of all programs, in which little is optimised and nothing said for debuggers: what is asked is what they do.
fn temporary() -> PathBuf {
    static MADE: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("any_program");
        let configured = |folder: &str, text: &str| {
            let folder = root.join(folder).join(".cargo");
            fs::create_dir_all(&folder).expect("a folder");
            if fs::read_to_string(folder.join("config.toml")).ok().as_deref() != Some(text) {
                fs::write(folder.join("config.toml"), text).expect("a file");
            }
        };
        configured("", "[profile.dev]\ndebug = false\n[profile.release]\nopt-level = 1\n");
        // memprof, which is compiled there, and has its libraries beside it whatever this says.
        configured(
            "cache",
            "[build]\nbuild-dir = \"between\"\n[profile.release]\nopt-level = 0\n[profile.release.package.memprof-core]\nopt-level = 0\n[profile.release.package.memprof]\nopt-level = 0\n",
        );
        root
    });
    MADE.clone()
}

impl Project {
    /// The files of a program, by path and text.
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = temporary().join(name);
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(&root).expect("a folder"),
        }
        let project = Self { root };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// A dependency that stands for one of the registry: packages of such a folder are not tracked unless they are named.
    pub(crate) fn vendor(&self, manifest: &str, library: &str) {
        self.write("vendor/one/Cargo.toml", manifest);
        self.write("vendor/one/src/lib.rs", library);
        self.write("vendor/one/.cargo-checksum.json", "{\"files\":{},\"package\":null}");
        self.write(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n",
        );
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// cargo, without what a test inherits; what it builds is where `cargo memprof` would put it, so that both can share.
    pub(crate) fn cargo(&self, folder: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new("cargo");
        command.arg(arguments[0]).args(["--target-dir"]).arg(self.root.join("plain")).args(&arguments[1..]);
        ended(clean(&mut command).current_dir(self.root.join(folder)))
    }

    /// What cargo says of the program's packages.
    pub(crate) fn cargo_metadata(&self) -> serde_json::Value {
        let mut command = Command::new("cargo");
        command.args(["metadata", "--format-version", "1", "--quiet"]).current_dir(&self.root);
        let said = ended(clean(&mut command));
        serde_json::from_str(&said.out).expect("JSON")
    }

    /// `cargo memprof` in a folder of the program, not yet started.
    pub(crate) fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-memprof"));
        command.arg("memprof").args(arguments).current_dir(self.root.join(folder));
        clean(&mut command).env("XDG_CACHE_HOME", temporary().join("cache"));
        command
    }

    pub(crate) fn memprof(&self, folder: &str, arguments: &[&str]) -> Ended {
        ended(&mut self.command(folder, arguments))
    }

    /// Every file outside of the folders that are built into, with a hash of what it holds; of a link, where it leads.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, u64> {
        let mut found = BTreeMap::new();
        contents(&self.root, &mut found);
        found
    }
}

fn contents(folder: &Path, found: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        let kind = fs::symlink_metadata(&path).expect("it is there");
        let mut hasher = DefaultHasher::new();
        if kind.is_dir() {
            if name != "target" && name != "plain" {
                contents(&path, found);
            }
            continue;
        } else if kind.is_symlink() {
            fs::read_link(&path).expect("a link").hash(&mut hasher);
        } else if name == "Cargo.lock" || !kind.is_file() {
            // cargo's own, and what has no content.
            continue;
        } else {
            (fs::read(&path).expect("a file"), kind.modified().expect("a time")).hash(&mut hasher);
        }
        found.insert(path, hasher.finish());
    }
}

/// Without what the tests' own cargo set.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos = text.starts_with("CARGO") && !matches!(&*text, "CARGO_HOME" | "CARGO_TERM_COLOR");
        if is_cargos
            || text.starts_with("MEMPROF")
            || text.starts_with("RUSTC")
            || text.starts_with("RUSTDOC")
            || matches!(&*text, "RUSTFLAGS" | "RUST_BACKTRACE")
        {
            command.env_remove(&name);
        }
    }
    command.env("CARGO_TERM_COLOR", "never")
}

/// The same call in a terminal, which `start`, a call of `env`, becomes. Who started this test in the background may have it ignore
/// Ctrl-C, and then all that it starts: not this.
pub(crate) fn in_terminal(plain: &Command, start: InTerminal) -> InTerminal {
    let command = start.arg("--default-signal=INT").arg(plain.get_program()).args(plain.get_args());
    let command = command.current_dir(plain.get_current_dir().expect("a folder"));
    plain.get_envs().fold(command, |command, (name, value)| match value {
        Some(value) => command.env(name, value),
        None => command.env_remove(name),
    })
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// What `cargo run` printed of the program, by its own account: both runs say the same.
pub(crate) fn same(plain: &Ended, tracked: &Ended) {
    assert_eq!((tracked.code, &tracked.out), (plain.code, &plain.out), "{}\n--\n{}", plain.err, tracked.err);
}

/// The target of this machine, as the compiler names it.
pub(crate) fn host() -> String {
    let said = ended(Command::new("rustc").args(["--print", "host-tuple"]));
    said.out.trim().to_owned()
}

/// A row of the table ends so.
pub(crate) fn has_row(report: &str, name: &str) -> bool {
    report.lines().any(|line| line.trim_end().ends_with(&format!(" {name}")))
}
