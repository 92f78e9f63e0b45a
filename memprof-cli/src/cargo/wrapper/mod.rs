//! In the compiler's place: cargo calls this program with each of the compiler's calls.
//!
//! A crate of a tracked package is compiled from its [mirror](super::mirror), in the mirror of the folder that cargo chose, with the
//! arguments that cargo gave; what is added is memprof, and the setting that takes the mirror's folder off all paths. If it does not
//! compile so, it is compiled as it is: errors of that are the user's own. Where there are none, the functions that the
//! errors point to are left out and it is tried again, [`TRIES`] times at most, and in the end it stays as it is. Where
//! cargo was told of its types before it failed, cargo goes on with these: that call fails, and the next one leaves out
//! those functions, or the whole crate. Every other crate of the program learns where memprof's libraries are, since what
//! it depends on may name them. What is no crate of the program (build scripts, macros, questions) is handed on untouched.

mod call;
mod dep_info;
mod diagnostics;
mod compile;

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

use self::{
    call::Call,
    compile::{Other, Ran},
};
use super::{
    mirror::{inside, normal, sync},
    plan::{Package, Plan, variable},
    state::{Crate, State},
};

/// How often a crate is tried with fewer functions tracked.
const TRIES: usize = 6;

/// Does the compiler's work, or rustdoc's, and ends as it does.
pub(crate) fn run(plan: &Plan) -> io::Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let Some(first) = arguments.next() else {
        return Err(io::Error::other("called without a compiler"));
    };
    // cargo calls a wrapper with the compiler first, and a documentation tool with its options.
    if first.to_string_lossy().starts_with('-') {
        return rustdoc(plan, &first, arguments);
    }
    let call = Call::of(first.clone(), arguments)?;
    if !call.compiles_program(&plan.target) {
        return Ok(ended(command(plan, &call).args(&call.arguments).status()?));
    }
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    // A build script's question to the compiler, by way of the wrapper that cargo names, has a root of its own.
    let package = plan.package(&manifest_dir);
    let from = env::current_dir()?;
    if package.is_some_and(|package| !package.targets.contains(&root(&call, &from))) {
        return Ok(ended(command(plan, &call).args(&call.arguments).status()?));
    }
    // As `cargo memprof` sets it, whatever becomes of this crate.
    let (variable, value) = (variable(&manifest_dir), package.map(|package| plan.digest(package)));
    let tracked_package = package.filter(|_| plan.runtime.is_some() || call.has_memprof);
    let (status, how) = match tracked_package {
        Some(package) => tracked(plan, package, &call, &from)?,
        None => (as_is(plan, &call)?, How::AsItIs),
    };
    if status.success() {
        let mirror = tracked_package.map(|package| plan.folder.join(plan.mirror(package)));
        dep_info::mend(&call.dep_info(), mirror.as_deref(), &variable, value.as_deref())?;
        if let Some(package) = tracked_package {
            remember(plan, package, &call, &from, how)?;
        }
    }
    Ok(ended(status))
}

/// The tests in documentation are compiled with the libraries of the program, and so with memprof's. They have no allocator of memprof's,
/// and a process for each test that cargo runs alone: they are not measured.
fn rustdoc(plan: &Plan, first: &OsStr, rest: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let mut command = Command::new(&plan.rustdoc);
    command.arg(first).args(rest).args(folders(plan));
    if plan.runtime.is_some() {
        command.env_remove("MEMPROF");
    }
    Ok(ended(command.status()?))
}

/// The root of a crate that is compiled in the folder `from`.
fn root(call: &Call, from: &Path) -> PathBuf {
    normal(&from.join(call.source()))
}

/// Keeps how a crate was compiled, for what is said of the build.
fn remember(plan: &Plan, package: &Package, call: &Call, from: &Path, how: How) -> io::Result<()> {
    let root = root(call, from);
    let mut files = dep_info::files(&call.dep_info(), from);
    files.insert(root.clone());
    let is_tracked = how != How::AsItIs;
    let is_unmeasured = how == How::Unmeasured;
    let compiled = Crate { root, is_test: call.is_test, title: call.title(), is_tracked, is_unmeasured, files };
    let _lock = State::lock(plan, package)?;
    let mut state = State::read(plan, package);
    if state.compiled(compiled) { state.write(plan, package) } else { Ok(()) }
}

/// How a crate was compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Tracked,
    /// Tracked, in a program with a global allocator that memprof's is not around, or without memprof's.
    Unmeasured,
    AsItIs,
}

/// Whether the allocator that stands in the way of memprof's is one that the sources show, so that memprof's is around it.
fn is_seen(plan: &Plan, other: &Other, here: &State) -> bool {
    match other {
        Other::Here => here.has_allocator,
        Other::Dependency(of) => {
            let mut packages = plan.packages.iter().filter(|package| package.library == *of);
            packages.any(|package| State::read(plan, package).has_allocator)
        }
    }
}

/// A tracked crate, from its mirror; else from its own files. With how it ended, which it is.
fn tracked(plan: &Plan, package: &Package, call: &Call, from: &Path) -> io::Result<(ExitStatus, How)> {
    let mut failing = Vec::new();
    let mut allocator = call.is_executable();
    let mut how = How::Tracked;
    let mut compiles_as_is = false;
    for _ in 0..TRIES {
        let state = {
            let _lock = State::lock(plan, package)?;
            sync(plan, package, &failing)?
        };
        if state.is_lost(&call.unit()) {
            break;
        }
        // A root that stays as it is has no place for it.
        if allocator && !state.is_written(&root(call, from)) {
            allocator = false;
            if plan.runtime.is_some() && !state.has_allocator {
                how = How::Unmeasured;
            }
        }
        let mut command = command(plan, call);
        mirrored(&mut command, plan, package, call, from, allocator);
        let ran = compile::run(&mut command, false)?;
        if ran.is_final() {
            return Ok((ran.told()?, how));
        }
        match ran.other_allocator().filter(|_| allocator) {
            Some(Other::Dependency(of)) if !plan.packages.iter().any(|package| package.library == of) => {
                let name = plan.untracked.get(&of).unwrap_or(&of);
                return Ok((compile::conflict(name, ran.status)?, how));
            }
            Some(other) => {
                allocator = false;
                // A program with a memprof of its own says itself what it measures.
                if plan.runtime.is_some() && !is_seen(plan, &other, &state) {
                    how = How::Unmeasured;
                }
                continue;
            }
            None => {}
        }
        failing = ran.functions(&state, from);
        let trial = if compiles_as_is { None } else { Some(tried(plan, package, call, ran.has_told)?) };
        compiles_as_is |= trial.as_ref().is_some_and(|own| own.status.success());
        if ran.has_told {
            // No other try may change what cargo has gone on with: the next call leaves them out, or the whole crate.
            if compiles_as_is {
                let _lock = State::lock(plan, package)?;
                let mut now = sync(plan, package, &failing)?;
                if failing.is_empty() {
                    // The sources may have changed since.
                    now.lost.insert(call.unit(), state.sources());
                    now.write(plan, package)?;
                }
            }
            return Ok((ran.told()?, how));
        }
        match trial {
            Some(own) if !compiles_as_is || failing.is_empty() => return Ok((own.told()?, How::AsItIs)),
            _ if failing.is_empty() => break,
            _ => {}
        }
    }
    Ok((as_is(plan, call)?, How::AsItIs))
}

/// What makes a call one of the mirror.
fn mirrored(command: &mut Command, plan: &Plan, package: &Package, call: &Call, from: &Path, allocator: bool) {
    let mirror = plan.folder.join(plan.mirror(package));
    let mirrored = |original: &Path| plan.folder.join(inside(plan, package, original));
    let source = call.source();
    let (source, folder) = if source.is_absolute() {
        (mirrored(source), mirrored(&package.root))
    } else {
        (source.to_owned(), mirrored(from))
    };
    command.current_dir(folder).args(call.with_source(&source)).args(folders(plan));
    if !call.has_memprof
        && let Some(runtime) = &plan.runtime
    {
        command.arg("--extern").arg(prefixed("memprof=", &runtime.library));
    }
    // The last one that fits is taken, so what the user's own settings make of a path comes after it.
    command.arg(prefixed("--remap-path-prefix=", &mirror).with("=/"));
    for remap in &call.remaps {
        command.arg(prefixed("--remap-path-prefix=", &mirror).with(remap));
    }
    if !call.has_cap_lints {
        command.arg("--cap-lints=allow");
    }
    command.args(["--check-cfg=cfg(memprof_root,values(any()))", "--check-cfg=cfg(memprof_crate,values(any()))"]);
    let root = root(call, from).to_string_lossy().into_owned();
    let cfg = |name: &str| format!("{name}={root:?}");
    if allocator {
        command.args(["--cfg", &cfg("memprof_root")]);
    }
    if call.edition == "2015" {
        command.args(["--cfg", &cfg("memprof_crate")]);
    }
}

/// Whether a crate compiles from its own files. Where cargo goes on with the types of the try that failed, what comes of this one is put elsewhere:
/// into the mirror, which is removed once nothing uses it.
fn tried(plan: &Plan, package: &Package, call: &Call, has_told: bool) -> io::Result<Ran> {
    if !has_told {
        return compile::run(&mut original(plan, call), true);
    }
    let elsewhere = tempfile::tempdir_in(plan.folder.join(plan.mirror(package)))?;
    compile::run(command(plan, call).args(call.with_out_dir(elsewhere.path())).args(folders(plan)), true)
}

/// A crate from its own files.
fn as_is(plan: &Plan, call: &Call) -> io::Result<ExitStatus> {
    original(plan, call).status()
}

/// The call that compiles it so.
fn original(plan: &Plan, call: &Call) -> Command {
    let mut command = command(plan, call);
    command.args(&call.arguments).args(folders(plan));
    command
}

/// The compiler, behind the user's own wrapper if there is one.
fn command(plan: &Plan, call: &Call) -> Command {
    match &plan.wrapper {
        Some(wrapper) => {
            let mut command = Command::new(wrapper);
            command.arg(&call.program);
            command
        }
        None => Command::new(&call.program),
    }
}

/// Where memprof's libraries are.
fn folders(plan: &Plan) -> Vec<OsString> {
    let folders = plan.runtime.iter().flat_map(|runtime| &runtime.folders);
    folders.map(|folder| prefixed("-Ldependency=", folder).0).collect()
}

/// An argument made of a word and a path.
struct Prefixed(OsString);

fn prefixed(word: &str, path: &Path) -> Prefixed {
    let mut argument = OsString::from(word);
    argument.push(path);
    Prefixed(argument)
}

impl Prefixed {
    fn with(mut self, rest: &str) -> OsString {
        self.0.push(rest);
        self.0
    }
}

impl AsRef<OsStr> for Prefixed {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

/// As it ended. By a signal: 101, as where the compiler panics.
fn ended(status: ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101))
}
