//! Which packages of a program are tracked: the workspace's own, those that stand in folders, and the dependencies that are named.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package as Described, PackageId, TargetKind};

use super::{
    compiler::Compiler,
    plan::{Package, Policy},
};
use crate::error::Error;

/// memprof's own crates, which are never tracked.
const OWN: &[&str] = &["memprof", "memprof-core", "memprof-macros", "memprof-report", "memprof-cuda"];

/// A program's packages.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) workspace: PathBuf,
    pub(crate) target_folder: PathBuf,
    pub(crate) tracked: Vec<Package>,
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

/// Asks cargo. `arguments` are those of cargo's options that decide which packages there are.
pub(crate) fn ask(
    compiler: &Compiler,
    arguments: &[String],
    deps: &[String],
    policy: &Policy,
) -> Result<Packages, Error> {
    let mut command = MetadataCommand::new();
    command.cargo_path(compiler.cargo()).other_options(arguments.to_owned());
    let metadata = command.exec().map_err(|error| match error {
        // cargo's own words, without those around them.
        cargo_metadata::Error::CargoMetadata { stderr } => {
            let said = stderr.trim().trim_start_matches("error: ").lines().map(str::trim);
            Error::File(said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
        }
        other => Error::File(format!("cannot ask cargo for the packages: {other}")),
    })?;
    check(deps, &metadata)?;
    let folders: BTreeSet<PathBuf> = metadata.packages.iter().map(|package| folder(package).to_owned()).collect();
    let is_tracked = |package: &&Described| {
        let is_own = metadata.workspace_members.contains(&package.id) || package.source.is_none();
        !OWN.contains(&package.name.as_str()) && (is_own || deps.iter().any(|name| is_named(package, name)))
    };
    let workspace: PathBuf = metadata.workspace_root.clone().into();
    let tracked = metadata.packages.iter().filter(is_tracked).filter(|package| !is_macro(package));
    Ok(Packages {
        untracked: untracked(&metadata, is_tracked),
        tracked: tracked.map(|package| described(package, &workspace, &folders, policy)).collect(),
        has_memprof: metadata.packages.iter().any(|package| package.name == "memprof"),
        target_folder: metadata.target_directory.clone().into(),
        workspace,
    })
}

/// The packages that the tracked ones depend on, directly or not, but for what only builds or tests them.
fn untracked(metadata: &Metadata, is_tracked: impl Fn(&&Described) -> bool) -> Vec<Untracked> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: BTreeMap<&PackageId, &Node> = nodes.map(|node| (&node.id, node)).collect();
    let is_tracked = |package: &&Described| is_tracked(package) && !is_macro(package);
    let mut open: Vec<&PackageId> = metadata.packages.iter().filter(is_tracked).map(|package| &package.id).collect();
    let roots: BTreeSet<&PackageId> = open.iter().copied().collect();
    let (mut seen, mut direct) = (roots.clone(), BTreeSet::new());
    while let Some(id) = open.pop() {
        for dependency in nodes.get(id).iter().flat_map(|node| &node.deps) {
            if !dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal) {
                continue;
            }
            if roots.contains(id) {
                direct.insert(&dependency.pkg);
            }
            if seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    let could_be = |package: &&Described| {
        seen.contains(&package.id)
            && !roots.contains(&package.id)
            && !is_macro(package)
            && !OWN.contains(&package.name.as_str())
    };
    let described = |package: &Described| Untracked {
        name: package.name.to_string(),
        folder: folder(package).to_owned(),
        is_direct: direct.contains(&package.id),
    };
    metadata.packages.iter().filter(could_be).map(described).collect()
}

fn folder(package: &Described) -> &Path {
    package.manifest_path.as_std_path().parent().unwrap_or(Path::new("/"))
}

/// A library that the compiler loads is not a part of the program.
fn is_macro(package: &Described) -> bool {
    package.targets.iter().any(|target| target.kind.contains(&TargetKind::ProcMacro))
}

/// `hyper`, `hyper@1.2.3`, or `all` of them.
fn is_named(package: &Described, name: &str) -> bool {
    name == "all"
        || match name.split_once('@') {
            Some((name, version)) => package.name == name && package.version.to_string() == version,
            None => package.name == name,
        }
}

fn check(deps: &[String], metadata: &Metadata) -> Result<(), Error> {
    let unknown = deps.iter().find(|name| !metadata.packages.iter().any(|package| is_named(package, name)));
    let Some(unknown) = unknown else { return Ok(()) };
    let mut names: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some())
        .map(|package| package.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let accepted = if names.is_empty() {
        "none, there are no dependencies".to_owned()
    } else {
        format!("all, {}", names.join(", "))
    };
    Err(Error::File(format!("--deps {unknown}: the program has no such dependency; accepted: {accepted}")))
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
