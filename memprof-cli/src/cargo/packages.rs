//! Which packages of a program are tracked: the workspace's own, those that stand in folders, and the dependencies that are named.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, NodeDep, Package as Described, PackageId, TargetKind};

use super::{
    arguments::Cargo,
    compiler::Compiler,
    plan::{Package, Policy},
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
    check(deps, &metadata)?;
    let folders: BTreeSet<PathBuf> = metadata.packages.iter().map(|package| folder(package).to_owned()).collect();
    let is_tracked = |package: &&Described| {
        let is_own = metadata.workspace_members.contains(&package.id) || package.source.is_none();
        !OWN.contains(&package.name.as_str()) && (is_own || deps.iter().any(|name| is_named(package, name)))
    };
    let workspace: PathBuf = metadata.workspace_root.clone().into();
    let tracked = metadata.packages.iter().filter(is_tracked).filter(|package| !is_macro(package));
    let of_call = of_call(&metadata, cargo);
    Ok(Packages {
        untracked: untracked(&metadata, &of_call, is_tracked),
        of_call: of_call.values().map(|package| folder(package).to_owned()).collect(),
        tracked: tracked.map(|package| described(package, &workspace, &folders, policy)).collect(),
        has_memprof: metadata.packages.iter().any(|package| package.name == "memprof"),
        target_folder: metadata.target_directory.clone().into(),
        workspace,
    })
}

/// The packages of the workspace that cargo would build: those that are named, the one in whose folder it is called, or the workspace's default.
fn chosen<'a>(metadata: &'a Metadata, cargo: &Cargo) -> Vec<&'a Described> {
    let members = metadata.workspace_packages();
    let has = |name: &str| cargo.options.iter().any(|option| option == name);
    let names: Vec<&str> = ["-p", "--package"].into_iter().flat_map(|name| cargo.values(name)).collect();
    if has("--workspace") || has("--all") {
        return members;
    }
    if !names.is_empty() {
        let is_asked = |package: &&&Described| names.iter().any(|name| is_named(package, name));
        let named: Vec<&Described> = members.iter().filter(is_asked).copied().collect();
        // By a path or a pattern: which ones is cargo's business.
        return if named.is_empty() { members } else { named };
    }
    let here = metadata.resolve.as_ref().and_then(|resolve| resolve.root.as_ref());
    let here = members.iter().find(|package| Some(&package.id) == here && folder(package) != metadata.workspace_root);
    here.map_or_else(|| metadata.workspace_default_packages(), |here| vec![here])
}

/// The packages of the programs that cargo would build, but for what only builds them. What the compiler loads, and brings along, is none.
fn of_call<'a>(metadata: &'a Metadata, cargo: &Cargo) -> BTreeMap<&'a PackageId, &'a Described> {
    let packages: BTreeMap<&PackageId, &Described> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let mut found = BTreeMap::new();
    let mut open: Vec<(&Described, bool)> =
        chosen(metadata, cargo).into_iter().map(|package| (package, true)).collect();
    while let Some((package, is_chosen)) = open.pop() {
        if is_macro(package) || found.insert(&package.id, package).is_some() {
            continue;
        }
        let kinds: &[DependencyKind] =
            if is_chosen { &[DependencyKind::Normal, DependencyKind::Development] } else { &[DependencyKind::Normal] };
        let needed = depended_on(metadata, package, kinds).filter_map(|id| packages.get(id));
        open.extend(needed.map(|package| (*package, false)));
    }
    found
}

/// What a package depends on itself.
fn depended_on<'a>(
    metadata: &'a Metadata,
    package: &Described,
    kinds: &[DependencyKind],
) -> impl Iterator<Item = &'a PackageId> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let dependencies = nodes.filter(move |node| node.id == package.id).flat_map(|node| &node.deps);
    let is_such = |dependency: &&NodeDep| dependency.dep_kinds.iter().any(|kind| kinds.contains(&kind.kind));
    dependencies.filter(is_such).map(|dependency| &dependency.pkg)
}

/// The packages of the programs that are not tracked.
fn untracked(
    metadata: &Metadata,
    of_call: &BTreeMap<&PackageId, &Described>,
    is_tracked: impl Fn(&&Described) -> bool,
) -> Vec<Untracked> {
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
