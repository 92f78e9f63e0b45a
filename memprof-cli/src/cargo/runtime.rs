//! [`ensure`]: memprof, compiled with the user's compiler.
//!
//! The command carries the sources. They are compiled once for each compiler and target, in release, into a folder of the user's cache, and
//! serve every program from then on, in dev and release, with LTO and without, whether panics unwind or abort. A setting of the compiler
//! (`-Cmetadata`) tells their crates from those of the same names in a program. The first time their few dependencies come from where
//! cargo has them; from then on nothing is fetched.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::Message;
use toml::{Table, Value};

use super::{
    compiler::Compiler,
    place::Place,
    plan::{Runtime, hashed},
};
use crate::error::say;

/// The sources that the command carries: path, content.
pub type Carried = &'static [(&'static str, &'static [u8])];

/// The crates of the runtime.
const CRATES: &[&str] = &["memprof", "memprof-core", "memprof-macros", "memprof-report"];

/// What records runs with the program. What writes the report runs once, and what it needs takes most of the time of compiling; macros, for which
/// nothing is set, are left as cargo has them.
const PROFILE: &str = "[release]\nopt-level = 1\n[release.package.memprof-core]\nopt-level = 3\n[release.package.memprof]\nopt-level = 3\n\
    [release.package.memprof-report]\nopt-level = 2\n";

/// The oldest compiler for it.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Bitcode for programs with LTO; names of its own for crates that a program may have too; and entering and leaving by calls, as it is used in many
/// functions.
const FLAGS: &[&str] =
    &["-Cembed-bitcode=yes", "-Cmetadata=memprof-runtime", "--cfg=memprof_by_calls", "--cap-lints=allow"];

/// The runtime for `target`, which is compiled if it is not there. `folder` is where it goes if the user has no cache.
pub(crate) fn ensure(carried: Carried, compiler: &Compiler, target: &str, folder: &Path) -> io::Result<Runtime> {
    let key = named(carried, compiler, target).key;
    let place = Place::at(&cache().unwrap_or(folder.to_owned()).join(format!("runtime-{key}")))?;
    let done = place.root().join("runtime.json");
    if let Some(runtime) = read(&done) {
        return Ok(runtime);
    }
    compiler.at_least(OLDEST)?;
    let _lock = place.lock(Path::new("lock"))?;
    // Another process built it meanwhile.
    if let Some(runtime) = read(&done) {
        return Ok(runtime);
    }
    say(&format_args!("compiling memprof itself, once for this compiler and {target}"));
    unpack(carried, &place)?;
    let runtime = Runtime { key, ..build(compiler, target, &place)? };
    place.write(Path::new("runtime.json"), &serde_json::to_vec(&runtime)?)?;
    Ok(runtime)
}

/// The runtime for `target` by its key alone, to say what a build would do.
pub(crate) fn named(carried: Carried, compiler: &Compiler, target: &str) -> Runtime {
    Runtime { key: hashed((carried, PROFILE, FLAGS, &compiler.version, target)), ..Runtime::default() }
}

/// What was built before, as long as it is there.
fn read(done: &Path) -> Option<Runtime> {
    let runtime: Runtime = serde_json::from_slice(&fs::read(done).ok()?).ok()?;
    runtime.library.exists().then_some(runtime)
}

/// The user's cache of memprof.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let caches = caches.or_else(|| set("LOCALAPPDATA")).or_else(|| Some(env::home_dir()?.join(".cache")));
    Some(caches?.join("memprof"))
}

/// A workspace of the runtime's crates and nothing else, with the versions of the lock file.
fn unpack(carried: Carried, place: &Place) -> io::Result<()> {
    let text = |name: &str| {
        let found = carried.iter().find(|(path, _)| *path == name);
        let (_, content) = found.ok_or_else(|| io::Error::other(format!("the command carries no {name}")))?;
        std::str::from_utf8(content).map_err(io::Error::other)
    };
    let table = |name: &str| text(name)?.parse::<Table>().map_err(io::Error::other);
    let sources = Path::new("sources");
    let workspace = table("workspace.toml")?;
    place.write(&sources.join("Cargo.toml"), root(&workspace).to_string().as_bytes())?;
    place.write(&sources.join("Cargo.lock"), text("workspace.lock")?.as_bytes())?;
    for name in CRATES {
        let folder = sources.join(name);
        let manifest = if *name == "memprof" { workspace.clone() } else { table(&format!("{name}/manifest.toml"))? };
        place.write(&folder.join("Cargo.toml"), member(manifest).to_string().as_bytes())?;
    }
    // What cargo and the documentation want to be there.
    place.write(&sources.join("memprof/README.md"), b"")?;
    place.write(&sources.join("memprof-core/build.rs"), b"//! Nothing.\nfn main() {}\n")?;
    for (path, content) in carried.iter().filter(|(path, _)| path.contains("/src/")) {
        place.write(&sources.join(path), content)?;
    }
    Ok(())
}

/// The workspace's manifest: what its members take from it.
fn root(workspace: &Table) -> Table {
    let mut root = Table::new();
    let mut inner = Table::new();
    inner.insert("members".to_owned(), Value::Array(CRATES.iter().map(|name| Value::from(*name)).collect()));
    inner.insert("resolver".to_owned(), Value::from("3"));
    let theirs = workspace.get("workspace").and_then(Value::as_table);
    for key in ["package", "dependencies", "lints"] {
        if let Some(value) = theirs.and_then(|theirs| theirs.get(key)) {
            inner.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(dependencies) = inner.get_mut("dependencies").and_then(Value::as_table_mut) {
        dependencies.retain(|name, _| CRATES.contains(&name));
    }
    root.insert("workspace".to_owned(), Value::Table(inner));
    root.insert("profile".to_owned(), Value::Table(PROFILE.parse().unwrap_or_default()));
    root
}

/// A member's manifest without what only its tests need, and without CUDA.
fn member(mut manifest: Table) -> Table {
    manifest.retain(|key, _| ["package", "lib", "features", "dependencies", "lints"].contains(&key));
    if let Some(features) = manifest.get_mut("features").and_then(Value::as_table_mut) {
        features.remove("cuda");
        for needed in features.iter_mut().filter_map(|(_, needed)| needed.as_array_mut()) {
            needed.retain(|feature| !feature.as_str().is_some_and(|feature| feature.starts_with("memprof-cuda")));
        }
    }
    if let Some(dependencies) = manifest.get_mut("dependencies").and_then(Value::as_table_mut) {
        dependencies.remove("memprof-cuda");
    }
    manifest
}

/// Compiles it, and says where the library is.
fn build(compiler: &Compiler, target: &str, place: &Place) -> io::Result<Runtime> {
    let mut command = Command::new(compiler.cargo());
    command.args([
        "build",
        "--release",
        "--package",
        "memprof",
        "--message-format=json-render-diagnostics",
        "--target",
        target,
    ]);
    // A user's own settings may say otherwise for their programs.
    for setting in ["profile.release.panic=\"unwind\"", "profile.release.lto=\"off\""] {
        command.args(["--config", setting]);
    }
    let folder = place.root().join("target");
    // The libraries that it needs are beside it, wherever the user's own go (`build.build-dir`).
    let beside = Value::from(folder.to_string_lossy().into_owned());
    command.arg("--config").arg(format!("build.build-dir={beside}"));
    command.arg("--target-dir").arg(folder).current_dir(place.root().join("sources"));
    // What is set for the program does not hold here.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_ENCODED_"].iter().any(|head| text.starts_with(head)) {
            command.env_remove(&name);
        }
    }
    for name in ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL"] {
        command.env_remove(name);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    if let Some(rustc) = compiler.rustc() {
        command.env("RUSTC", rustc);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut library = None;
    let mut folders = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(io::BufReader::new(stdout)) {
            let Message::CompilerArtifact(artifact) = message? else { continue };
            for file in artifact.filenames.iter().map(|file| file.as_std_path()) {
                let folder = file.parent().unwrap_or(file).to_owned();
                if artifact.target.name == "memprof" && file.extension().is_some_and(|ending| ending == "rlib") {
                    library = Some(file.to_owned());
                    folders.push(folder.join("deps"));
                } else if artifact.target.is_proc_macro() {
                    folders.push(folder);
                }
            }
        }
    }
    let status = child.wait()?;
    let library = library.filter(|_| status.success());
    let library =
        library.ok_or_else(|| io::Error::other("memprof itself could not be compiled, for the reason above"))?;
    folders.sort();
    folders.dedup();
    let _ = io::stderr().flush();
    Ok(Runtime { library, folders, ..Runtime::default() })
}
