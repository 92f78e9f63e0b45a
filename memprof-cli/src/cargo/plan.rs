//! [`Plan`]: what a build is to do, handed from `cargo memprof` to itself, which cargo calls in the compiler's place.
//!
//! It is a file in a folder that its content names, so builds at the same time have their own, and none changes under a
//! build that reads it; one that no build used for a week is removed. What decides how a package is compiled (its policy,
//! this command's version, the runtime) is in one number, its digest, of which cargo takes note: the package is built anew
//! when that changes, and otherwise as cargo has it. Who plans is [`Build`](super::build), who reads it
//! [`wrapper`](super::wrapper).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher as _},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::glob::Glob;

/// The folder of all plans, within that of memprof's build.
const PLANS: &str = "plans";
/// So long a plan is kept that no build uses: longer than any build goes on.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// The file of a plan, in a folder of its own. Beside it stand links to this command, by which cargo calls it: where it is, is its plan.
/// So nothing of it is in the environment, which the program inherits, and with it a cargo that the program starts.
const FILE: &str = "plan.json";
/// The link that cargo calls in the compiler's place.
pub(crate) const RUSTC: &str = "memprof-rustc";
/// The link that cargo calls for tests in documentation.
pub(crate) const RUSTDOC: &str = "memprof-rustdoc";

/// The folders of the mirrors and of what is known of packages, within that of memprof's build.
const MIRRORS: &str = "mirror";
const STATES: &str = "state";

/// How much is tracked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// All but what cannot be
    All,
    /// Not what cannot allocate, nor what is inlined everywhere
    #[default]
    Lean,
}

/// What of a package is tracked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) level: Level,
    /// Globs over the names of functions; none: all.
    pub(crate) only: Vec<String>,
    pub(crate) skip: Vec<String>,
    /// What runs before showed to be called often for few bytes: file within the package, and name.
    pub(crate) calibrated: BTreeSet<(PathBuf, String)>,
}

impl Policy {
    /// `lean, only Parser::*, without Parser::new`: what was asked for.
    pub(crate) fn said(&self) -> String {
        let level = match self.level {
            Level::All => "all",
            Level::Lean => "lean",
        };
        let only = self.only.iter().map(|glob| format!(", only {glob}"));
        let skip = self.skip.iter().map(|glob| format!(", without {glob}"));
        only.chain(skip).fold(level.to_owned(), |said, more| said + &more)
    }
}

/// A package that is tracked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its library, as the compiler names it; empty where it has none.
    pub(crate) library: String,
    /// Its folder, by the path that the compiler shows.
    pub(crate) root: PathBuf,
    /// As cargo names it: `CARGO_MANIFEST_DIR`.
    pub(crate) manifest_dir: PathBuf,
    /// The roots of its targets, but for build scripts.
    pub(crate) targets: BTreeSet<PathBuf>,
    /// The roots of its build scripts, which are compiled as they are.
    pub(crate) scripts: BTreeSet<PathBuf>,
    /// Folders inside it of other packages, and of what is built.
    pub(crate) others: BTreeSet<PathBuf>,
    pub(crate) policy: Policy,
    /// The globs of `--only` and `--skip` that mean a function of this package: it is built again where these change, whatever others mean
    /// elsewhere.
    pub(crate) matched: BTreeSet<String>,
}

/// memprof, compiled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Runtime {
    /// Its sources, settings, compiler and target, hashed.
    pub(crate) key: String,
    /// The library that a tracked crate names.
    pub(crate) library: PathBuf,
    /// Where the libraries that it needs are.
    pub(crate) folders: Vec<PathBuf>,
}

/// What a build is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// This command's.
    pub(crate) version: String,
    /// `target/memprof`, without links on the way.
    pub(crate) folder: PathBuf,
    /// Without it, the program's own memprof is used, in the crates that depend on it.
    pub(crate) runtime: Option<Runtime>,
    pub(crate) packages: Vec<Package>,
    /// Dependencies that are not tracked, as `--deps` takes them, by the names of their libraries; several of one name behind commas.
    pub(crate) untracked: BTreeMap<String, String>,
    /// The user's own wrapper of the compiler.
    pub(crate) wrapper: Option<PathBuf>,
    /// What cargo would run for the tests in documentation.
    pub(crate) rustdoc: PathBuf,
    /// The target that the program is for, as cargo and the compiler are told.
    pub(crate) target: String,
    /// The workspace's own folder.
    pub(crate) workspace: PathBuf,
}

impl Package {
    /// Whether its function of this name is meant by `glob`, with or without the package or its library in front.
    pub(crate) fn has(&self, glob: &Glob, function: &str) -> bool {
        let is_within = |name: &str| glob.matches(&format!("{name}::{function}"));
        glob.matches(function) || is_within(&self.name) || is_within(&self.library)
    }

    /// Whether a file does not stand in its folder: elsewhere, or in another package inside.
    pub(crate) fn is_outside(&self, path: &Path) -> bool {
        !path.starts_with(&self.root) || self.others.iter().any(|other| path.starts_with(other))
    }

    /// How a report can name a file of it: relative to the workspace, by name and version, or by its whole path.
    pub(crate) fn shown(&self, path: &Path, workspace: &Path) -> impl Iterator<Item = PathBuf> {
        let relative = path.strip_prefix(workspace).ok().map(Path::to_owned);
        let inside = path.strip_prefix(&self.root).ok();
        let of_registry = inside.map(|inside| Path::new(&format!("{}-{}", self.name, self.version)).join(inside));
        relative.into_iter().chain(of_registry).chain([path.to_owned()])
    }

    /// How the name begins of what is kept of it.
    fn stem(&self) -> String {
        format!("{}-{}-", self.name, hashed(&self.root))
    }

    /// `hyper 1.2.3`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

impl Plan {
    /// The one beside the link by which this command was called; `None` where it was called otherwise.
    pub(crate) fn of_call() -> Option<io::Result<Self>> {
        let called = PathBuf::from(std::env::args_os().next()?);
        called.file_name().filter(|name| *name == RUSTC || *name == RUSTDOC)?;
        let path = called.with_file_name(FILE);
        let named =
            |error| io::Error::other(format!("cannot read the plan of the build, ‘{}’: {error}", path.display()));
        Some(fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from)).map_err(named))
    }

    /// Writes it, with the links beside it, and gives their folder. Other builds at the same time have their own.
    pub(crate) fn write(&self) -> io::Result<PathBuf> {
        let text = serde_json::to_vec_pretty(self)?;
        let place = Place::at(&self.folder)?;
        let folder = Path::new(PLANS).join(hashed(&text));
        let own = std::env::current_exe()?;
        for name in [RUSTC, RUSTDOC] {
            place.link(&folder.join(name), &own)?;
        }
        let path = place.write(&folder.join(FILE), &text)?;
        let now = SystemTime::now();
        // One that was there is used again. Where a file's time cannot be set, it is removed sooner, and written anew.
        let _ = File::options().append(true).open(path)?.set_modified(now);
        remove_unused(&place, &folder, now);
        Ok(place.root().join(folder))
    }

    /// The tracked package in whose folder cargo says that it compiles.
    pub(crate) fn package(&self, manifest_dir: &Path) -> Option<&Package> {
        self.packages.iter().find(|package| package.manifest_dir == manifest_dir)
    }

    /// What a change of how a package is tracked changes: the value of [`variable`].
    pub(crate) fn digest(&self, package: &Package) -> String {
        let Policy { level, only, calibrated, skip: _ } = &package.policy;
        let globs = (only.is_empty(), &package.matched);
        let runtime = self.runtime.as_ref().map(|runtime| &runtime.key);
        hashed((env!("CARGO_PKG_VERSION"), level, globs, calibrated, runtime))
    }

    /// What besides the policy decides which functions compile tracked.
    pub(crate) fn made_with(&self) -> String {
        format!("{} {}", self.version, self.runtime.as_ref().map_or("", |runtime| &runtime.key))
    }

    /// A name for what is kept of a package as it is tracked here. Builds that track it otherwise, at the same time too, have their own.
    fn name_of(&self, package: &Package) -> String {
        format!("{}{}", package.stem(), self.digest(package))
    }

    /// What is known of a package as it is tracked here, within the plan's folder.
    pub(crate) fn state(&self, package: &Package) -> PathBuf {
        Path::new(STATES).join(format!("{}.json", self.name_of(package)))
    }

    /// What is known of a package, however it was tracked.
    pub(crate) fn states_of(&self, package: &Package) -> impl Iterator<Item = PathBuf> {
        let stem = package.stem();
        let files = fs::read_dir(self.folder.join(STATES)).into_iter().flatten().flatten().map(|entry| entry.path());
        files.filter(move |path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&stem) && path.extension().is_some_and(|ending| ending == "json")
        })
    }

    /// The mirror of a package, within the plan's folder.
    pub(crate) fn mirror(&self, package: &Package) -> PathBuf {
        Path::new(MIRRORS).join(self.name_of(package))
    }
}

/// Removes the plans that no build has used for long, but for that in `own`, and the mirrors that are in none of the others. What cannot be
/// removed is left: another build may be about it. What is known of packages stays, as cargo may have them as they were.
fn remove_unused(place: &Place, own: &Path, now: SystemTime) {
    let names = |folder: &str| {
        let entries = fs::read_dir(place.root().join(folder)).into_iter().flatten().flatten();
        entries.map(|entry| Path::new(folder).join(entry.file_name())).collect::<Vec<_>>()
    };
    // Before the plans: one that comes meanwhile makes its own.
    let mirrors = names(MIRRORS);
    let (unused, used): (Vec<PathBuf>, Vec<_>) = names(PLANS).into_iter().partition(|folder| {
        let used = fs::metadata(place.root().join(folder).join(FILE)).and_then(|found| found.modified());
        folder != own && used.is_ok_and(|used| now.duration_since(used).is_ok_and(|ago| ago > KEPT))
    });
    if unused.is_empty() {
        return;
    }
    let read = |folder: &PathBuf| -> Option<Plan> {
        let plan: Plan = serde_json::from_slice(&fs::read(place.root().join(folder).join(FILE)).ok()?).ok()?;
        (plan.version == env!("CARGO_PKG_VERSION")).then_some(plan)
    };
    // Of a plan of another version it is not known which mirrors it needs.
    if let Some(plans) = used.iter().map(read).collect::<Option<Vec<Plan>>>() {
        let needed: BTreeSet<PathBuf> =
            plans.iter().flat_map(|plan| plan.packages.iter().map(|package| plan.mirror(package))).collect();
        for mirror in mirrors.iter().filter(|mirror| !needed.contains(*mirror)) {
            // Under another name first: half of a mirror would be taken for one.
            let gone = Path::new(MIRRORS).join(format!(".gone-{}", hashed(mirror)));
            let _ = fs::rename(place.root().join(mirror), place.root().join(&gone));
            let _ = place.remove(&gone);
        }
    }
    for folder in unused {
        let _ = place.remove(&folder);
    }
}

/// The variable that says how a package is tracked, of which cargo takes note: where it changed, the package is built anew. Not set for one
/// that is not tracked.
pub(crate) fn variable(manifest_dir: &Path) -> String {
    format!("__CARGO_MEMPROF_{}", hashed(manifest_dir))
}

/// Sixteen digits that stand for a path, or for anything else.
pub(crate) fn hashed(what: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
impl Package {
    /// One of which all is tracked.
    pub(crate) fn fixture(name: &str, version: &str, root: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            library: name.to_owned(),
            root: root.into(),
            manifest_dir: root.into(),
            targets: BTreeSet::new(),
            scripts: BTreeSet::new(),
            others: BTreeSet::new(),
            policy: Policy::default(),
            matched: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_no_build_uses_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = |wrapper: &str| Plan {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            folder: folder.path().to_owned(),
            runtime: None,
            packages: Vec::new(),
            untracked: BTreeMap::new(),
            wrapper: Some(wrapper.into()),
            rustdoc: "rustdoc".into(),
            target: "one".to_owned(),
            workspace: folder.path().to_owned(),
        };
        let write = |wrapper: &str| plan(wrapper).write().expect("it is written");
        let used = |links: &Path, ago: Duration| {
            let file = File::options().append(true).open(links.join(FILE)).expect("a plan");
            file.set_modified(SystemTime::now() - ago).expect("a time");
        };
        let [older, younger, again] = ["a", "b", "c"].map(write);
        used(&older, Duration::from_hours(7 * 24 + 1));
        used(&younger, Duration::from_hours(7 * 24 - 1));
        used(&again, Duration::from_hours(7 * 24 + 1));
        // Of no plan, and so of none that is left.
        let mirror = folder.path().join(MIRRORS).join("one-1-2");
        fs::create_dir_all(&mirror).expect("a folder");
        assert_eq!(write("c"), again);
        assert_eq!([&older, &younger, &again, &mirror].map(|links| links.exists()), [false, true, true, false]);
        write("d");
        assert!(again.join(RUSTC).is_symlink(), "it was used a moment ago");
    }
}
