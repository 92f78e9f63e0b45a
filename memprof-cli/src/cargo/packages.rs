//! Which packages of a program are tracked: the workspace's own, those that stand in folders, and the dependencies that
//! are named.
//!
//! All of a workspace are, whichever of them this call builds; procedural macros and memprof's own crates never are. A
//! name in `--deps` by which nothing would be tracked is an error that says why, and what is accepted. Which packages
//! are in the programs of the call is left to [`linked`], what a name means to [`spec`](super::spec), and which
//! functions to [`mirror`](super::mirror).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package as Described, PackageId};

use super::{
    arguments::Cargo,
    compiler::Compiler,
    linked::{self, Linked, depended_on, is_macro},
    plan::{Package, Policy},
    spec::Spec,
};
use crate::error::{Error, in_one_line};

/// memprof's own crates, which are never tracked.
const OWN: &[&str] = &["memprof", "memprof-core", "memprof-macros", "memprof-report", "memprof-cuda"];

/// A program's packages.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) workspace: PathBuf,
    pub(crate) target_folder: PathBuf,
    pub(crate) tracked: Vec<Package>,
    /// The folders of the packages that this call builds, tracked or not: others of the workspace may have been built by calls before.
    pub(crate) of_call: BTreeSet<PathBuf>,
    /// Dependencies of the program that are not tracked and could be.
    pub(crate) untracked: Vec<Untracked>,
    /// Whether the program depends on memprof itself.
    pub(crate) has_memprof: bool,
}

/// A dependency that is not tracked.
#[derive(Debug)]
pub(crate) struct Untracked {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Whether a tracked package depends on it.
    pub(crate) is_direct: bool,
}

/// Asks cargo. `arguments` are those of the `cargo` call's options that decide which packages there are.
pub(crate) fn ask(
    compiler: &Compiler,
    arguments: &[String],
    cargo: &Cargo,
    deps: &[String],
    policy: &Policy,
) -> Result<Packages, Error> {
    let mut command = MetadataCommand::new();
    command.cargo_path(compiler.cargo()).other_options(arguments.to_owned());
    let metadata = command.exec().map_err(|error| match error {
        // cargo's own words, without those around them.
        cargo_metadata::Error::CargoMetadata { stderr } => Error::File(in_one_line(&stderr)),
        other => Error::File(format!("cannot ask cargo for the packages: {other}")),
    })?;
    let of_call = linked::of_call(&metadata, cargo);
    check(deps, &metadata, &of_call)?;
    let folders: BTreeSet<PathBuf> = metadata.packages.iter().map(|package| folder(package).to_owned()).collect();
    let is_tracked = |package: &&Described| {
        let is_own = metadata.workspace_members.contains(&package.id) || package.source.is_none();
        !OWN.contains(&package.name.as_str()) && (is_own || deps.iter().any(|name| is_named(package, name)))
    };
    let workspace: PathBuf = metadata.workspace_root.clone().into();
    let tracked = metadata.packages.iter().filter(is_tracked).filter(|package| !is_macro(package));
    Ok(Packages {
        untracked: untracked(&metadata, &of_call, is_tracked),
        of_call: of_call.values().map(|package| folder(package).to_owned()).collect(),
        tracked: tracked.map(|package| described(package, &workspace, &folders, policy)).collect(),
        has_memprof: metadata.packages.iter().any(|package| package.name == "memprof"),
        target_folder: metadata.target_directory.clone().into(),
        workspace,
    })
}

/// The packages of the programs that are not tracked.
fn untracked(metadata: &Metadata, of_call: &Linked<'_>, is_tracked: impl Fn(&&Described) -> bool) -> Vec<Untracked> {
    let (tracked, others): (Vec<&Described>, Vec<&Described>) =
        of_call.values().partition(|package| is_tracked(package));
    let direct: BTreeSet<&PackageId> =
        tracked.iter().flat_map(|package| depended_on(metadata, package, &[DependencyKind::Normal])).collect();
    let described = |package: &Described| Untracked {
        name: package.name.to_string(),
        folder: folder(package).to_owned(),
        is_direct: direct.contains(&package.id),
    };
    others.into_iter().filter(|package| !OWN.contains(&package.name.as_str())).map(described).collect()
}

fn folder(package: &Described) -> &Path {
    package.manifest_path.as_std_path().parent().unwrap_or(Path::new("/"))
}

/// `hyper`, `hyper@1.2.3`, or `all` of them.
fn is_named(package: &Described, name: &str) -> bool {
    name == "all" || Spec::of(name).is(package)
}

/// Refuses a name of `--deps` by which nothing would be tracked.
fn check(deps: &[String], metadata: &Metadata, of_call: &Linked<'_>) -> Result<(), Error> {
    let is_own = |package: &Described| OWN.contains(&package.name.as_str());
    let linked = || of_call.values().copied().filter(|package| !is_own(package));
    let is_tracked = |name: &str| name == "all" || linked().any(|package| is_named(package, name));
    let Some(wrong) = deps.iter().find(|name| !is_tracked(name)) else { return Ok(()) };
    let mut names: Vec<&str> =
        linked().filter(|package| package.source.is_some()).map(|package| package.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let accepted = if names.is_empty() {
        "none, there are no dependencies".to_owned()
    } else {
        format!("all, {}", names.join(", "))
    };
    Err(Error::File(format!("--deps {wrong}: {}; accepted: {accepted}", why_not(wrong, metadata))))
}

/// Why nothing is tracked by a name.
fn why_not(name: &str, metadata: &Metadata) -> &'static str {
    let named: Vec<&Described> = metadata.packages.iter().filter(|package| is_named(package, name)).collect();
    let of_any_call = linked::of_any_call(metadata);
    if named.is_empty() {
        "the program has no such dependency"
    } else if named.iter().all(|package| OWN.contains(&package.name.as_str())) {
        "it is memprof’s own, which is never tracked"
    } else if named.iter().all(|package| is_macro(package)) {
        "it is a procedural macro, which the compiler loads, and no part of the program"
    } else if named.iter().any(|package| of_any_call.contains_key(&package.id)) {
        "only what this call does not build has that dependency: tests, benchmarks, examples, or other packages of the workspace"
    } else {
        "only build scripts and procedural macros have that dependency, so it is no part of the program"
    }
}

fn described(package: &Described, workspace: &Path, folders: &BTreeSet<PathBuf>, policy: &Policy) -> Package {
    let manifest_dir = folder(package).to_owned();
    // Of a package in the workspace, cargo names files relative to the workspace's folder, where the compiler runs.
    let root = match manifest_dir.strip_prefix(workspace) {
        Ok(inside) => {
            workspace.canonicalize().unwrap_or(workspace.to_owned()).components().chain(inside.components()).collect()
        }
        Err(_) => manifest_dir.clone(),
    };
    let inside = |path: &Path| path.strip_prefix(&manifest_dir).map(Path::to_owned).ok();
    let others = folders.iter().filter(|other| **other != manifest_dir).filter_map(|other| inside(other));
    Package {
        name: package.name.to_string(),
        version: package.version.to_string(),
        targets: package
            .targets
            .iter()
            .map(|target| target.src_path.as_std_path())
            .map(|path| inside(path).map_or(path.to_owned(), |inside| root.join(inside)))
            .collect(),
        others: others.map(|other| root.join(other)).collect(),
        root,
        manifest_dir,
        policy: policy.clone(),
    }
}
