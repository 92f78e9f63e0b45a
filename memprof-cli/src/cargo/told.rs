//! [`plan`]: what a report is told of a build: which packages were tracked, which functions were left out because runs before showed them to be
//! called often for few bytes, and which dependencies were not tracked.
//!
//! That of the last build is kept, for profiles that its program writes where no `cargo memprof` is.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use memprof_report::{Plan, TrackedPackage};

use super::{
    build::{Build, counted},
    packages::Untracked,
    place::Place,
    plan::Package,
    state::State,
};

/// Where that of the last build is, in the folder of memprof's build.
const FILE: &str = "built.json";

/// What starts a thread or a task, in a source file.
const STARTS: &[&str] =
    &["thread::spawn(", "thread::Builder", "task::spawn", "tokio::spawn(", "spawn_blocking(", "thread::scope("];

/// What a report is told.
pub(crate) fn plan(build: &Build) -> Plan {
    let mut plan = Plan::default();
    let built = build.built();
    let mut compiled = HashMap::<&Path, usize>::new();
    for file in built.iter().flat_map(|(_, state)| state.files()) {
        *compiled.entry(file).or_default() += 1;
    }
    let workspace = &build.plan.workspace;
    plan.packages = built.iter().map(|(package, state)| tracked(package, state, workspace, &compiled)).collect();
    let (starting, others): (Vec<&Untracked>, Vec<_>) =
        build.untracked.iter().partition(|dependency| starts_threads(&dependency.folder.join("src"), 0));
    plan.starting = starting.len() as u64;
    // What the program itself calls, before what works for that.
    let (direct, indirect): (Vec<_>, Vec<_>) = starting.into_iter().partition(|dependency| dependency.is_direct);
    // One that starts nothing is worth a word where the program itself calls it.
    let others = others.into_iter().filter(|dependency| dependency.is_direct);
    plan.untracked =
        direct.into_iter().chain(indirect).chain(others).map(|dependency| dependency.name.clone()).collect();
    plan
}

/// Keeps what was told of the last build in `folder`.
pub(crate) fn keep(folder: &Path, plan: &Plan) -> io::Result<()> {
    Place::at(folder)?.write(Path::new(FILE), &serde_json::to_vec(plan)?).map(|_| ())
}

/// What was told of the last build; `None` where none is kept.
pub(crate) fn kept(folder: &Path) -> Option<Plan> {
    serde_json::from_slice(&fs::read(folder.join(FILE)).ok()?).ok()
}

/// `compiled` says of how many packages each file is.
fn tracked(package: &Package, state: &State, workspace: &Path, compiled: &HashMap<&Path, usize>) -> TrackedPackage {
    let mut tracked = TrackedPackage::default();
    tracked.name.clone_from(&package.name);
    tracked.version.clone_from(&package.version);
    tracked.folders = folders(package, state, workspace, compiled);
    tracked.tracked = counted(state, state.compiled_functions()).0 as u64;
    tracked.policy = package.policy.said();
    let calibrated = package.policy.calibrated.iter();
    tracked.calibrated = calibrated.map(|(file, name)| format!("{}({name})", file.display())).collect();
    tracked
}

/// How the files of its rows begin: in its folder, and each outside of that of which no other package is. The rows of one that two are of have
/// that name in the one whose folder it is in; in the other one, by `#[path = ".."]`, a name that begins in its own.
fn folders(package: &Package, state: &State, workspace: &Path, compiled: &HashMap<&Path, usize>) -> Vec<String> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let within = |folder: String| if folder.is_empty() || folder.ends_with('/') { folder } else { folder + "/" };
    let is_alone = |file: &Path| compiled.get(file).is_some_and(|packages| *packages == 1);
    let files = state.files().into_iter();
    let outside = files.filter(|file| package.is_outside(file) && state.is_written(file) && is_alone(file));
    let outside = outside.flat_map(|file| package.shown(file, workspace).map(text));
    package.shown(&package.root, workspace).map(|folder| within(text(folder))).chain(outside).collect()
}

/// Folders deeper than this are not looked into: what leads in circles ends there.
const DEEPEST: usize = 16;

/// Whether any Rust file in `folder` starts threads or tasks, as far as its words tell; its tests aside.
fn starts_threads(folder: &Path, depth: usize) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let path = entry.path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            return false;
        }
        if path.is_dir() {
            return depth < DEEPEST && starts_threads(&path, depth + 1);
        }
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        is_rust && path.is_file() && fs::read_to_string(&path).is_ok_and(|text| starts(&text))
    })
}

/// Whether the code does; examples in comments do not count, nor what stands behind the beginning of a module of tests.
fn starts(text: &str) -> bool {
    let mut is_for_tests = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_for_tests |= line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
        } else if is_for_tests && line.starts_with("mod ") && line.ends_with('{') {
            return false;
        } else if !line.starts_with("//") {
            is_for_tests = false;
            if STARTS.iter().any(|words| line.contains(words)) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::state::{Crate, Entry, Stamp};

    #[test]
    fn threads_and_tasks_are_seen_in_code_and_not_in_comments() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).expect("a folder");
        fs::write(inner.join("x.rs"), "fn f() {\n    /// tokio::spawn(g())\n}\n").expect("a file");
        assert!(!starts_threads(folder.path(), 0));
        let tests = "#[cfg(test)]\nuse x;\n#[cfg(all(test, not(loom)))]\n#[allow(x)]\nmod tests {\n    fn f() { std::thread::spawn(g) }\n}\n";
        fs::write(inner.join("y.rs"), tests).expect("a file");
        fs::write(inner.join("tests.rs"), "fn f() { std::thread::spawn(g) }\n").expect("a file");
        assert!(!starts_threads(folder.path(), 0));
        // What is only for tests may stand in the midst.
        fs::write(inner.join("y.rs"), "#[cfg(test)]\nuse x;\nfn f() {\n    let task = tokio::spawn(g());\n}\n")
            .expect("a file");
        assert!(starts_threads(folder.path(), 0));
    }

    #[test]
    fn rows_of_a_package_are_told_by_the_beginning_of_their_file() {
        let package = |root: &str| Package::fixture("part", "1.2.3", root);
        let of = |root: &str, state: &State, others: &[&str]| {
            let of_others = others.iter().map(|file| (Path::new(file), 1));
            let mut compiled: HashMap<&Path, usize> = of_others.collect();
            state.files().into_iter().for_each(|file| *compiled.entry(file).or_default() += 1);
            folders(&package(root), state, Path::new("/w"), &compiled)
        };
        let nothing = State::default();
        assert_eq!(of("/w", &nothing, &[]), ["", "part-1.2.3/", "/w/"]);
        assert_eq!(of("/w/crates/part", &nothing, &[]), ["crates/part/", "part-1.2.3/", "/w/crates/part/"]);
        assert_eq!(of("/home/registry/part-1.2.3", &nothing, &[]), ["part-1.2.3/", "/home/registry/part-1.2.3/"]);
        // A target that stands elsewhere, and a file that another package is compiled of as well.
        let files = ["/w/crates/part/src/lib.rs", "/w/other/src/util.rs", "/w/shown/main.rs"].map(PathBuf::from);
        let mut state = State::default();
        let written =
            |path: &PathBuf| (path.clone(), Entry::Written { stamp: Stamp::default(), functions: Vec::new() });
        state.entries = files.iter().map(written).collect();
        state.compiled(Crate {
            root: files[2].clone(),
            is_test: false,
            title: "main".to_owned(),
            is_tracked: true,
            is_unmeasured: false,
            files: files.into(),
        });
        let elsewhere = ["crates/part/", "part-1.2.3/", "/w/crates/part/", "shown/main.rs", "/w/shown/main.rs"];
        assert_eq!(of("/w/crates/part", &state, &["/w/other/src/util.rs"]), elsewhere);
    }
}
