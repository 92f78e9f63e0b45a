//! [`Build`]: a call of cargo that has everything compiled as planned.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    arguments::{Cargo, Tracking},
    calibration::Calibration,
    compiler::Compiler,
    config::Config,
    mirror,
    packages::{self, Packages},
    place::Place,
    plan::{PLAN, Package, Plan, Policy, hashed, variable},
    runtime::{Carried, ensure},
    source::function::Reason,
    state::State,
};
use crate::error::Error;

/// Whether a program is not this one, which a build inside of a measured program is told of.
fn is_other(program: &Path) -> bool {
    env::current_exe().ok().as_deref() != Some(program)
}

/// cargo's options that decide which packages there are.
const OF_METADATA: &[&str] = &["--manifest-path", "--features", "-F", "--config", "-Z", "--lockfile-path"];
const OF_METADATA_ALONE: &[&str] = &["--all-features", "--no-default-features", "--offline", "--locked", "--frozen"];

/// What is built, and how.
#[derive(Debug)]
pub(crate) struct Build {
    compiler: Compiler,
    pub(crate) plan: Plan,
    pub(crate) workspace: PathBuf,
    target: String,
    options: Vec<String>,
}

/// An error of this command's own.
pub(crate) fn failed(what: &str, error: &io::Error) -> Error {
    Error::File(format!("{what}: {error}"))
}

/// Where all of it goes: `--target-dir`, else `memprof` in the program's own folder of that kind.
fn folder(cargo: &Cargo, packages: &Packages) -> io::Result<PathBuf> {
    let given = cargo.value("--target-dir").map(PathBuf::from);
    let place = Place::at(&given.unwrap_or_else(|| packages.target_folder.join("memprof")))?;
    // Whoever saves or searches folders leaves this one out.
    place.write(Path::new("CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55\n")?;
    Ok(place.root().to_owned())
}

/// Where what an earlier build left is.
pub(crate) fn target_folder(cargo: &Cargo, here: &Path) -> Result<PathBuf, Error> {
    let rustc = Config::of(here).rustc.unwrap_or_else(|| "rustc".into());
    let compiler = Compiler::ask(&rustc, here).map_err(|error| failed("cannot ask the compiler", &error))?;
    let packages = packages::ask(&compiler, &of_metadata(cargo), &[], &Policy::default())?;
    folder(cargo, &packages).map_err(|error| failed("cannot make the folder for memprof's build", &error))
}

impl Build {
    /// Plans it.
    pub(crate) fn of(tracking: &Tracking, cargo: &Cargo, carried: Carried) -> Result<Self, Error> {
        let here = env::current_dir().map_err(|error| failed("cannot say which folder this is", &error))?;
        let config = Config::of(&here);
        let rustc = config.rustc.clone().unwrap_or_else(|| "rustc".into());
        let compiler = Compiler::ask(&rustc, &here).map_err(|error| failed("cannot ask the compiler", &error))?;
        let mut packages = packages::ask(&compiler, &of_metadata(cargo), &tracking.deps, &tracking.policy())?;
        let folder =
            folder(cargo, &packages).map_err(|error| failed("cannot make the folder for memprof's build", &error))?;
        if !tracking.no_calibrate {
            let calibration = Calibration::read(&folder);
            for package in &mut packages.tracked {
                package.policy.calibrated = calibration.of(package);
            }
        }
        let target = cargo.value("--target").map(str::to_owned).or(config.target).unwrap_or(compiler.host.clone());
        let runtime = if packages.has_memprof {
            None
        } else {
            let runtime = ensure(carried, &compiler, &target, &folder.join("runtime"));
            Some(runtime.map_err(|error| failed("cannot compile memprof", &error))?)
        };
        Ok(Self {
            plan: Plan {
                folder,
                runtime,
                packages: packages.tracked,
                wrapper: config.wrapper.filter(|program| is_other(program)),
                rustdoc: config.rustdoc.filter(|program| is_other(program)).unwrap_or_else(|| "rustdoc".into()),
            },
            compiler,
            workspace: packages.workspace.canonicalize().unwrap_or(packages.workspace),
            target,
            options: cargo.without(&["--target", "--target-dir"]),
        })
    }

    /// cargo with this verb, to be run: it calls this program in the compiler's place.
    pub(crate) fn command(&self, verb: &str, program: &[OsString]) -> Result<Command, Error> {
        let planned = self.written().map_err(|error| failed("cannot write the plan of the build", &error))?;
        let own = env::current_exe().map_err(|error| failed("cannot say where this program is", &error))?;
        let mut command = Command::new(self.compiler.cargo());
        command
            .arg(verb)
            .arg("--target-dir")
            .arg(&self.plan.folder)
            .args(["--target", &self.target])
            .args(&self.options);
        if !program.is_empty() {
            command.arg("--").args(program);
        }
        command.env(PLAN, planned).env("RUSTC_WRAPPER", &own).env("RUSTDOC", &own);
        for package in &self.plan.packages {
            command.env(variable(&package.manifest_dir), package.digest(self.plan.runtime.as_ref()));
        }
        Ok(command)
    }

    /// The file of the plan. Other builds at the same time have their own.
    fn written(&self) -> io::Result<PathBuf> {
        let text = serde_json::to_vec_pretty(&self.plan)?;
        let name = format!("plans/{}.json", hashed(Path::new(&*String::from_utf8_lossy(&text))));
        Place::at(&self.plan.folder)?.write(Path::new(&name), &text)
    }

    /// What becomes of each tracked package. Nothing is changed.
    pub(crate) fn states(&self) -> Result<Vec<(&Package, State)>, Error> {
        let state = |package| {
            let _lock = State::lock(&self.plan.folder, package)?;
            Ok((package, mirror::look(&self.plan, package)?))
        };
        let states: io::Result<Vec<_>> = self.plan.packages.iter().map(state).collect();
        states.map_err(|error| failed("cannot read the program's sources", &error))
    }

    /// What became of those that were built.
    pub(crate) fn built(&self) -> Vec<(&Package, State)> {
        let packages = self.plan.packages.iter();
        let states = packages.map(|package| (package, State::read(&self.plan.folder, package)));
        states.filter(|(_, state)| !state.entries.is_empty()).collect()
    }
}

/// How many functions of a package are tracked, and how many are not, by reason.
pub(crate) fn counted(state: &State) -> (usize, BTreeMap<Reason, usize>) {
    let mut left_out = BTreeMap::new();
    let mut tracked = 0;
    for (_, function) in state.functions() {
        match function.reason {
            Some(reason) => *left_out.entry(reason).or_default() += 1,
            None => tracked += 1,
        }
    }
    (tracked, left_out)
}

fn of_metadata(cargo: &Cargo) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = cargo.options.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        if OF_METADATA_ALONE.contains(&name) {
            kept.push(word.clone());
        } else if OF_METADATA.contains(&name) {
            kept.push(word.clone());
            if !word.contains('=') {
                kept.extend(words.next().cloned());
            }
        }
    }
    kept
}
