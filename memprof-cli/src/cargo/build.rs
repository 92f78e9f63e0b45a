//! [`Build`]: a call of cargo that has everything compiled as planned.
//!
//! Everything goes into one folder: that of `--target-dir`, else `memprof` in the program's own target folder, so a
//! plain `cargo build` finds its own results as it left them. cargo gets the user's options as they stand, but for
//! folder and target, and behind them, where they hold, the links by which it calls this program. A pattern that no
//! function matches is refused before anything of the program is built.
//!
//! Which packages are tracked is left to [`packages`], what becomes of their functions to [`mirror`], and what is said
//! of it to [`verbs`](super::verbs).

use std::{
    collections::{BTreeMap, BTreeSet},
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
    packages::{self, Packages, Untracked},
    place::Place,
    plan::{Package, Plan, Policy, RUSTC, RUSTDOC, Runtime, variable},
    runtime::{Carried, ensure, named},
    source::function::Reason,
    state::{Known, State},
};
use crate::{error::Error, glob::Glob};

/// cargo's options that decide which packages there are.
const OF_METADATA: &[&str] = &[
    "--all-features",
    "--config",
    "--features",
    "--frozen",
    "--locked",
    "--lockfile-path",
    "--manifest-path",
    "--no-default-features",
    "--offline",
    "-F",
    "-Z",
];

/// What is built, and how.
#[derive(Debug)]
pub(crate) struct Build {
    compiler: Compiler,
    pub(crate) plan: Plan,
    pub(crate) untracked: Vec<Untracked>,
    of_call: BTreeSet<PathBuf>,
    /// The user's settings (`--config`), and the other options but those of target and folder.
    settings: Vec<String>,
    options: Vec<String>,
    has_build_folder: bool,
    unmatched: Option<String>,
}

/// An error of this command's own.
pub(crate) fn failed(what: &str, error: &io::Error) -> Error {
    Error::File(format!("{what}: {error}"))
}

/// Dependencies that are not tracked, by the names of their libraries.
fn by_library(untracked: &[Untracked]) -> BTreeMap<String, String> {
    let mut libraries = BTreeMap::<String, Vec<&str>>::new();
    for package in untracked {
        libraries.entry(package.library.clone()).or_default().push(&package.name);
    }
    libraries.into_iter().map(|(library, names)| (library, names.join(","))).collect()
}

/// Where all of it goes: `--target-dir`, else `memprof` in the program's own folder of that kind.
fn folder(cargo: &Cargo, packages: &Packages) -> Result<PathBuf, Error> {
    let given = cargo.value("--target-dir").map(PathBuf::from);
    let around = Some(&packages.target_folder).filter(|around| given.is_none() && !around.exists());
    // Whoever saves or searches folders leaves these out. cargo says so of its own only where it makes it.
    let made = |folder: &Path| {
        let place = Place::at(folder)?;
        place.write(Path::new("CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55\n")?;
        Ok(place.root().to_owned())
    };
    let folder = given.unwrap_or_else(|| packages.target_folder.join("memprof"));
    let place = around.map_or(Ok(PathBuf::new()), |around| made(around)).and_then(|_| made(&folder));
    place.map_err(|error| failed(&format!("cannot write memprof’s build into ‘{}’", folder.display()), &error))
}

/// Where what an earlier build left is.
pub(crate) fn target_folder(cargo: &Cargo, here: &Path) -> Result<PathBuf, Error> {
    let rustc = Config::of(here, cargo.values("--config")).rustc.unwrap_or_else(|| "rustc".into());
    let compiler = Compiler::ask(&rustc, here).map_err(|error| failed("cannot ask the compiler", &error))?;
    let packages = packages::ask(&compiler, &of_metadata(cargo, &[&compiler.host]), cargo, &[], &Policy::default())?;
    folder(cargo, &packages)
}

impl Build {
    /// Plans it, and has memprof compiled, which is there from then on.
    pub(crate) fn of(tracking: &Tracking, cargo: &Cargo, carried: Carried) -> Result<Self, Error> {
        Self::planned(tracking, cargo, |compiler, target, folder| ensure(carried, compiler, target, folder))
    }

    /// Plans it, to be looked at: no cargo is called that would refuse a package that is not there.
    pub(crate) fn to_look_at(tracking: &Tracking, cargo: &Cargo, carried: Carried) -> Result<Self, Error> {
        let build = Self::planned(tracking, cargo, |compiler, target, _| Ok(named(carried, compiler, target)))?;
        build.unmatched.clone().map_or(Ok(build), |wrong| Err(Error::File(wrong)))
    }

    fn planned(
        tracking: &Tracking,
        cargo: &Cargo,
        runtime: impl FnOnce(&Compiler, &str, &Path) -> io::Result<Runtime>,
    ) -> Result<Self, Error> {
        let here = env::current_dir().map_err(|error| failed("cannot say which folder this is", &error))?;
        let config = Config::of(&here, cargo.values("--config"));
        let rustc = config.rustc.clone().unwrap_or_else(|| "rustc".into());
        let compiler = Compiler::ask(&rustc, &here).map_err(|error| failed("cannot ask the compiler", &error))?;
        let target = config.target(cargo.values("--target"), &compiler.host).map_err(Error::File)?;
        let asked = of_metadata(cargo, &[&compiler.host, &target]);
        let mut packages = packages::ask(&compiler, &asked, cargo, &tracking.deps, &tracking.policy())?;
        let folder = folder(cargo, &packages)?;
        if !tracking.no_calibrate {
            let calibration = Calibration::read(&folder);
            for package in &mut packages.tracked {
                package.policy.calibrated = calibration.of(package);
            }
        }
        let runtime = if packages.has_memprof {
            None
        } else {
            let runtime = runtime(&compiler, &target, &folder.join("runtime"));
            Some(runtime.map_err(|error| failed("cannot compile memprof", &error))?)
        };
        let mut settings = cargo.words(|name| name == "--config");
        // Where cargo itself did not call, nothing tells a proxy such as rustup's which compiler it is, and it would ask each package's folder.
        if let (None, None, Some(rustc)) = (&config.rustc, env::var_os("CARGO"), compiler.rustc()) {
            settings.extend(["--config".to_owned(), setting("build.rustc", &rustc)]);
        }
        let workspace = packages.workspace.canonicalize().unwrap_or(packages.workspace);
        let mut build = Self {
            plan: Plan {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                folder,
                runtime,
                untracked: by_library(&packages.untracked),
                packages: packages.tracked,
                wrapper: config.wrapper,
                rustdoc: config.rustdoc.unwrap_or_else(|| "rustdoc".into()),
                target,
                workspace,
            },
            compiler,
            untracked: packages.untracked,
            of_call: packages.of_call,
            has_build_folder: packages.has_build_folder,
            unmatched: packages.unmatched,
            settings,
            options: cargo.words(|name| !matches!(name, "--target" | "--target-dir" | "--config")),
        };
        build.match_globs(tracking)?;
        Ok(build)
    }

    /// Notes for each package which patterns of functions mean any of its own, and refuses one that means none at all.
    fn match_globs(&mut self, tracking: &Tracking) -> Result<(), Error> {
        let globs: Vec<(&str, &String)> = tracking.globs().collect();
        if globs.is_empty() {
            return Ok(());
        }
        let states = self.states()?;
        let mut matched = BTreeMap::<PathBuf, BTreeSet<String>>::new();
        for (option, text) in globs {
            let glob = Glob::scope(option, text.clone()).map_err(Error::File)?;
            let is_matched = |(package, state): &&(&Package, State)| {
                state.functions().any(|(_, function)| package.has(&glob, &function.name))
            };
            let mut packages = states.iter().filter(is_matched).peekable();
            if packages.peek().is_none() {
                let packages = states.iter().map(|(package, _)| package.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Error::File(format!(
                    "{option} ‘{text}’: no function of {packages} has such a name; `cargo memprof plan --functions` shows them"
                )));
            }
            for (package, _) in packages {
                matched.entry(package.root.clone()).or_default().insert(format!("{option} {text}"));
            }
        }
        drop(states);
        for package in &mut self.plan.packages {
            package.matched = matched.remove(&package.root).unwrap_or_default();
        }
        Ok(())
    }

    /// cargo with this verb, to be run: it calls this program in the compiler's place.
    pub(crate) fn command(&self, verb: &str, program: &[OsString]) -> Result<Command, Error> {
        let links = self.plan.write().map_err(|error| failed("cannot write the plan of the build", &error))?;
        let mut command = Command::new(self.compiler.cargo());
        command
            .arg(verb)
            .arg("--target-dir")
            .arg(&self.plan.folder)
            .args(["--target", &self.plan.target])
            .args(&self.settings);
        // Behind the user's own settings: the last one holds.
        for (name, link) in [("build.rustc-wrapper", RUSTC), ("build.rustdoc", RUSTDOC)] {
            command.arg("--config").arg(setting(name, &links.join(link)));
        }
        // What is measured shares no folder with what is not.
        if self.has_build_folder {
            command.arg("--config").arg(setting("build.build-dir", &self.plan.folder));
        }
        // At the end, where no word of memprof's can pass for a value that is lacking.
        command.args(&self.options);
        if !program.is_empty() {
            command.arg("--").args(program);
        }
        // They would win over the settings; a wrapper of the user's is in the plan.
        command.env_remove("RUSTC_WRAPPER").env_remove("RUSTDOC");
        for package in &self.plan.packages {
            command.env(variable(&package.manifest_dir), self.plan.digest(package));
        }
        Ok(command)
    }

    /// Where cargo puts the programs, in a folder for each profile. A target that a file describes has its name without the ending.
    pub(crate) fn programs(&self) -> PathBuf {
        let target = Path::new(&self.plan.target);
        let is_file = target.extension().is_some_and(|ending| ending == "json");
        let name = target.file_stem().filter(|_| is_file).unwrap_or(target.as_os_str());
        self.plan.folder.join(name)
    }

    /// The tracked packages of the programs that are built.
    fn packages(&self) -> impl Iterator<Item = &Package> {
        self.plan.packages.iter().filter(|package| self.of_call.contains(&package.manifest_dir))
    }

    /// What becomes of each tracked package. Nothing is changed.
    pub(crate) fn states(&self) -> Result<Vec<(&Package, State)>, Error> {
        let state = |package| {
            let _lock = State::lock(&self.plan, package)?;
            Ok((package, mirror::look(&self.plan, package)?))
        };
        let states: io::Result<Vec<_>> = self.packages().map(state).collect();
        states.map_err(|error| failed("cannot read the program's sources", &error))
    }

    /// What became of those that were built.
    pub(crate) fn built(&self) -> Vec<(&Package, State)> {
        let states = self.packages().map(|package| (package, State::read(&self.plan, package)));
        states.filter(|(_, state)| !state.entries.is_empty()).collect()
    }
}

/// How many of these functions of a package are tracked, and how many are not, by reason.
pub(crate) fn counted<'a>(
    state: &State,
    functions: impl Iterator<Item = (&'a Path, &'a Known)>,
) -> (usize, BTreeMap<Reason, usize>) {
    let mut left_out = BTreeMap::new();
    let mut tracked = 0;
    for (path, function) in functions {
        match state.reason(path, function) {
            Some(reason) => *left_out.entry(reason).or_default() += 1,
            None => tracked += 1,
        }
    }
    (tracked, left_out)
}

/// A value of `--config` that is a path.
fn setting(name: &str, path: &Path) -> String {
    format!("{name}={}", toml::Value::from(path.to_string_lossy().into_owned()))
}

/// What cargo is asked with for the packages: of these targets alone, since what others need may not be on this machine.
fn of_metadata(cargo: &Cargo, targets: &[&str]) -> Vec<String> {
    let mut kept: Vec<String> =
        targets.iter().flat_map(|target| ["--filter-platform".to_owned(), (*target).to_owned()]).collect();
    kept.extend(cargo.words(|name| OF_METADATA.contains(&name)));
    kept
}
