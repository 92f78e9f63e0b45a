//! [`Linked`]: the packages that are linked into the programs of a call, by cargo's own graph.
//!
//! What only builds them is none: build scripts and what these need, procedural macros and what those bring along. A package that is used
//! both ways is. Where cargo's choice cannot be told from here, more packages are named than cargo would build, never fewer.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, NodeDep, Package, PackageId, TargetKind};

use super::{
    arguments::Cargo,
    spec::{Spec, is_member},
};

/// Packages, by cargo's name for each.
pub(super) type Linked<'a> = BTreeMap<&'a PackageId, &'a Package>;

/// Those of a call of cargo.
pub(super) fn of_call<'a>(metadata: &'a Metadata, cargo: &Cargo) -> Linked<'a> {
    linked(metadata, &chosen(metadata, cargo), cargo.builds_tests())
}

/// Those of any call: every member's, with its tests.
pub(super) fn of_any_call(metadata: &Metadata) -> Linked<'_> {
    linked(metadata, &metadata.workspace_packages(), true)
}

/// What a package depends on itself, in one of these ways.
pub(super) fn depended_on<'a>(
    metadata: &'a Metadata,
    package: &Package,
    kinds: &[DependencyKind],
) -> impl Iterator<Item = &'a PackageId> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let dependencies = nodes.filter(move |node| node.id == package.id).flat_map(|node| &node.deps);
    let is_such = |dependency: &&NodeDep| dependency.dep_kinds.iter().any(|kind| kinds.contains(&kind.kind));
    dependencies.filter(is_such).map(|dependency| &dependency.pkg)
}

/// A library that the compiler loads is not a part of the program.
pub(super) fn is_macro(package: &Package) -> bool {
    package.targets.iter().any(|target| target.kind.contains(&TargetKind::ProcMacro))
}

/// Whether more can be built of a package than a procedural macro: a program or a test, which is linked as any other.
fn has_programs(package: &Package) -> bool {
    let is_none = [TargetKind::ProcMacro, TargetKind::CustomBuild];
    package.targets.iter().any(|target| !target.kind.iter().any(|kind| is_none.contains(kind)))
}

/// The packages that a call names.
fn names(cargo: &Cargo) -> impl Iterator<Item = &str> {
    ["-p", "--package"].into_iter().flat_map(|name| cargo.values(name))
}

/// Whether a word of `-p` means a package: cargo takes a dependency's name as well, but no pattern of them.
fn is_asked(metadata: &Metadata, package: &Package, text: &str) -> bool {
    metadata.workspace_members.contains(&package.id) && is_member(package, text) || Spec::of(text).is(package)
}

/// A word of `-p` that means none.
pub(super) fn unmatched<'a>(metadata: &Metadata, cargo: &'a Cargo) -> Option<&'a str> {
    names(cargo).find(|text| !metadata.packages.iter().any(|package| is_asked(metadata, package, text)))
}

/// The packages that cargo would build for their own sake: those that are named, the one in whose folder it is called, or the workspace's
/// default.
fn chosen<'a>(metadata: &'a Metadata, cargo: &Cargo) -> Vec<&'a Package> {
    let mut members = metadata.workspace_packages();
    if cargo.has("--workspace") || cargo.has("--all") {
        members.retain(|package| !cargo.values("--exclude").any(|text| is_member(package, text)));
        return members;
    }
    let names: Vec<&str> = names(cargo).collect();
    if !names.is_empty() {
        let is_named = |package: &&Package| names.iter().any(|text| is_asked(metadata, package, text));
        let named: Vec<&Package> = metadata.packages.iter().filter(is_named).collect();
        return if named.is_empty() { members } else { named };
    }
    let here = metadata.resolve.as_ref().and_then(|resolve| resolve.root.as_ref());
    let is_here = |package: &&&Package| {
        Some(&package.id) == here && package.manifest_path.parent() != Some(&metadata.workspace_root)
    };
    members.iter().find(is_here).map_or_else(|| metadata.workspace_default_packages(), |here| vec![*here])
}

fn linked<'a>(metadata: &'a Metadata, chosen: &[&'a Package], with_tests: bool) -> Linked<'a> {
    let packages: BTreeMap<&PackageId, &Package> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let chosen_ids: BTreeSet<&PackageId> = chosen.iter().map(|package| &package.id).collect();
    let mut found = Linked::new();
    let mut open = chosen.to_owned();
    while let Some(package) = open.pop() {
        let is_chosen = chosen_ids.contains(&package.id);
        let is_loaded = is_macro(package) && !(is_chosen && has_programs(package));
        if is_loaded || found.insert(&package.id, package).is_some() {
            continue;
        }
        let kinds: &[DependencyKind] = if is_chosen && with_tests {
            &[DependencyKind::Normal, DependencyKind::Development]
        } else {
            &[DependencyKind::Normal]
        };
        open.extend(depended_on(metadata, package, kinds).filter_map(|id| packages.get(id).copied()));
    }
    found
}
