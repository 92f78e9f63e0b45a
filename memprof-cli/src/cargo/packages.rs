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

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package as Described, PackageId, Target, TargetKind};

use super::{
    arguments::Cargo,
    compiler::Compiler,
    linked::{self, Linked, depended_on, is_macro},
    mirror::normal,
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
    /// Whether cargo is told to build elsewhere than where programs are put (`build.build-dir`).
    pub(crate) has_build_folder: bool,
    pub(crate) tracked: Vec<Package>,
    /// The folders of the packages that this call builds, tracked or not: others of the workspace may have been built by calls before.
    pub(crate) of_call: BTreeSet<PathBuf>,
    /// Of a word of `-p` that means no package, what is wrong: for cargo to say in its own words, where it is called.
    pub(crate) unmatched: Option<String>,
    /// Dependencies of the program that are not tracked and could be.
    pub(crate) untracked: Vec<Untracked>,
    /// Whether what this call builds depends on memprof itself.
    pub(crate) has_memprof: bool,
}

/// A dependency that is not tracked.
#[derive(Debug)]
pub(crate) struct Untracked {
    /// As `--deps` takes it: with its version where the program has several.
    pub(crate) name: String,
    /// Its library, as the compiler names it; empty where it has none.
    pub(crate) library: String,
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
    // What a package's folder holds that is none of its own.
    let mut others: BTreeSet<PathBuf> = metadata.packages.iter().map(|package| folder(package).to_owned()).collect();
    others.insert(metadata.target_directory.clone().into());
    others.extend(metadata.build_directory.clone().map(PathBuf::from));
    let is_tracked = |package: &&Described| {
        let is_own = metadata.workspace_members.contains(&package.id) || package.source.is_none();
        !OWN.contains(&package.name.as_str()) && (is_own || deps.iter().any(|name| is_named(package, name)))
    };
    let workspace: PathBuf = metadata.workspace_root.clone().into();
    let tracked = metadata.packages.iter().filter(is_tracked).filter(|package| !is_macro(package));
    Ok(Packages {
        untracked: untracked(&metadata, &of_call, is_tracked),
        of_call: of_call.values().map(|package| folder(package).to_owned()).collect(),
        tracked: tracked.map(|package| described(package, &workspace, &others, policy)).collect(),
        unmatched: linked::unmatched(&metadata, cargo).map(|wrong| refusal(&metadata, wrong)),
        has_memprof: of_call.values().any(|package| package.name == "memprof"),
        target_folder: metadata.target_directory.clone().into(),
        has_build_folder: metadata.build_directory.as_ref().is_some_and(|folder| *folder != metadata.target_directory),
        workspace,
    })
}

/// The packages of the programs that are not tracked.
fn untracked(metadata: &Metadata, of_call: &Linked<'_>, is_tracked: impl Fn(&&Described) -> bool) -> Vec<Untracked> {
    let (tracked, others): (Vec<&Described>, Vec<&Described>) =
        of_call.values().partition(|package| is_tracked(package));
    let direct: BTreeSet<&PackageId> =
        tracked.iter().flat_map(|package| depended_on(metadata, package, &[DependencyKind::Normal])).collect();
    let has_others = |package: &Described| of_call.values().filter(|other| other.name == package.name).count() > 1;
    let described = |package: &Described| Untracked {
        name: if has_others(package) { with_version(package) } else { package.name.to_string() },
        library: library(package),
        folder: folder(package).to_owned(),
        is_direct: direct.contains(&package.id),
    };
    others.into_iter().filter(|package| !OWN.contains(&package.name.as_str())).map(described).collect()
}

fn folder(package: &Described) -> &Path {
    package.manifest_path.as_std_path().parent().unwrap_or(Path::new("/"))
}

/// The name of its library, which need not be the package's, as the compiler has it; empty where it has none.
fn library(package: &Described) -> String {
    use TargetKind::{CDyLib, DyLib, Lib, RLib, StaticLib};
    let is_library = |kind: &TargetKind| matches!(kind, Lib | RLib | DyLib | CDyLib | StaticLib);
    let library = package.targets.iter().find(|target| target.kind.iter().any(is_library));
    library.map(|library| library.name.replace('-', "_")).unwrap_or_default()
}

/// `hyper`, `hyper@1.2.3`, or `all` of them.
fn is_named(package: &Described, name: &str) -> bool {
    name == "all" || Spec::of(name).is(package)
}

/// Refuses a name of `--deps` by which nothing would be tracked.
fn check(deps: &[String], metadata: &Metadata, of_call: &Linked<'_>) -> Result<(), Error> {
    let is_own = |package: &Described| OWN.contains(&package.name.as_str());
    let linked: Vec<&Described> = of_call.values().copied().filter(|package| !is_own(package)).collect();
    let is_tracked = |name: &str| name == "all" || linked.iter().any(|package| is_named(package, name));
    let Some(wrong) = deps.iter().find(|name| !is_tracked(name)) else { return Ok(()) };
    let why = other_versions(wrong, linked.iter().copied()).unwrap_or_else(|| {
        let names = names(linked.iter().copied().filter(|package| package.source.is_some()));
        let accepted =
            if names.is_empty() { "none, there are no dependencies".to_owned() } else { format!("all, {names}") };
        format!("{}; accepted: {accepted}", why_not(wrong, metadata))
    });
    Err(Error::File(format!("--deps {wrong}: {why}")))
}

/// Refuses a word of `-p` that means no package.
fn refusal(metadata: &Metadata, wrong: &str) -> String {
    let why = other_versions(wrong, metadata.packages.iter()).unwrap_or_else(|| {
        let members = metadata.workspace_packages().into_iter();
        format!("the program has no such package; accepted: {}, and its dependencies", names(members))
    });
    format!("-p {wrong}: {why}")
}

/// The versions of a package that is there, where none is the one that is asked for.
fn other_versions<'a>(wrong: &str, packages: impl Iterator<Item = &'a Described>) -> Option<String> {
    let mut versions: Vec<&Described> = packages.filter(|package| Spec::of(wrong).is_any_version(package)).collect();
    versions.sort_by_key(|package| &package.version);
    let name = &versions.first()?.name;
    let others = if versions.len() == 1 { "another version" } else { "other versions" };
    let versions: Vec<String> = versions.iter().map(|package| with_version(package)).collect();
    Some(format!("the program has {name} in {others}; accepted: {name}, {}", versions.join(", ")))
}

/// Their names, each once.
fn names<'a>(packages: impl Iterator<Item = &'a Described>) -> String {
    let names: BTreeSet<&str> = packages.map(|package| package.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// `hyper@1.2.3`: one of several versions.
fn with_version(package: &Described) -> String {
    format!("{}@{}", package.name, package.version)
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

fn described(package: &Described, workspace: &Path, others: &BTreeSet<PathBuf>, policy: &Policy) -> Package {
    let manifest_dir = folder(package).to_owned();
    // Of a package in the workspace, cargo names files relative to the workspace's folder, where the compiler runs.
    let root = match manifest_dir.strip_prefix(workspace) {
        Ok(inside) => {
            workspace.canonicalize().unwrap_or(workspace.to_owned()).components().chain(inside.components()).collect()
        }
        Err(_) => manifest_dir.clone(),
    };
    let inside = |path: &Path| path.strip_prefix(&manifest_dir).map(Path::to_owned).ok();
    let others = others.iter().filter(|other| **other != manifest_dir).filter_map(|other| inside(other));
    let (scripts, targets): (Vec<&Target>, Vec<_>) =
        package.targets.iter().partition(|target| target.kind.contains(&TargetKind::CustomBuild));
    let roots = |targets: Vec<&Target>| {
        let paths = targets.into_iter().map(|target| target.src_path.as_std_path());
        paths.map(|path| normal(&inside(path).map_or(path.to_owned(), |inside| root.join(inside)))).collect()
    };
    Package {
        name: package.name.to_string(),
        version: package.version.to_string(),
        library: library(package),
        targets: roots(targets),
        scripts: roots(scripts),
        others: others.map(|other| root.join(other)).collect(),
        root,
        manifest_dir,
        policy: policy.clone(),
        matched: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::arguments, *};

    /// A program that depends on these packages of a registry.
    fn program(dependencies: &[(&str, &str)]) -> Metadata {
        let id = |name: &str, version: &str| format!("registry+https://example.org/index#{name}@{version}");
        let package = |id: &str, name: &str, version: &str, source: Value| {
            json!({
                "name": name, "version": version, "id": id, "source": source, "dependencies": [], "targets": [],
                "features": {}, "manifest_path": format!("/w/{name}-{version}/Cargo.toml"),
            })
        };
        let own = "path+file:///w#app@0.1.0";
        let mut packages = vec![package(own, "app", "0.1.0", Value::Null)];
        let mut deps = Vec::new();
        for (name, version) in dependencies {
            packages.push(package(&id(name, version), name, version, "registry+https://example.org/index".into()));
            let kinds = json!([{ "kind": null, "target": null }]);
            deps.push(json!({ "name": name, "pkg": id(name, version), "dep_kinds": kinds }));
        }
        let nodes = json!([{ "id": own, "deps": deps, "dependencies": [] }]);
        let text = json!({
            "packages": packages, "workspace_members": [own], "workspace_default_members": [own],
            "resolve": { "nodes": nodes, "root": own }, "workspace_root": "/w", "target_directory": "/w/target",
            "version": 1,
        });
        serde_json::from_value(text).expect("a description")
    }

    fn cargo() -> Cargo {
        match arguments::parse(vec!["build".into()]).expect("a call") {
            arguments::Verb::Build(building) => building.cargo,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_version_that_is_not_there_is_refused_with_those_that_are() {
        let metadata = program(&[("map", "0.15.1"), ("map", "0.9.2"), ("set", "1.0.0-rc.1"), ("vec", "2.0.0")]);
        let of_call = linked::of_call(&metadata, &cargo());
        let check = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            check(&names, &metadata, &of_call).map_err(|error| error.to_string())
        };
        for accepted in ["map", "map@0.9", "map@0.15", "map@0.15.1", "set@1.0.0-rc.1", "all"] {
            assert_eq!(check(&["vec", accepted]), Ok(()), "{accepted}");
        }
        for (wrong, said) in [
            ("map@0.13", "the program has map in other versions; accepted: map, map@0.9.2, map@0.15.1"),
            ("map:1", "the program has map in other versions; accepted: map, map@0.9.2, map@0.15.1"),
            ("set@1", "the program has set in another version; accepted: set, set@1.0.0-rc.1"),
            ("max@1", "the program has no such dependency; accepted: all, map, set, vec"),
        ] {
            assert_eq!(check(&["vec", wrong]), Err(format!("--deps {wrong}: {said}")), "{wrong}");
        }
    }

    #[test]
    fn a_package_that_is_not_there_is_refused_likewise() {
        let metadata = program(&[("map", "0.15.1"), ("set", "1.0.0")]);
        let said = |line: &str| {
            let words = format!("plan {line}").split(' ').map(Into::into).collect();
            let arguments::Verb::Plan(planning) = arguments::parse(words).expect("a call") else { panic!("{line}") };
            linked::unmatched(&metadata, &planning.cargo).map(|wrong| refusal(&metadata, wrong))
        };
        for accepted in ["-p app", "-p a*", "-rp map@0.15 -pset"] {
            assert_eq!(said(accepted), None, "{accepted}");
        }
        let none = "-p m*: the program has no such package; accepted: app, and its dependencies";
        assert_eq!(said("-p app -pm*").as_deref(), Some(none));
        let other = "-p map@0.13: the program has map in another version; accepted: map, map@0.15.1";
        assert_eq!(said("--package map@0.13").as_deref(), Some(other));
    }

    /// As a line about them proposes it for `--deps`.
    #[test]
    fn what_is_not_tracked_is_named_so_that_it_means_one() {
        let metadata = program(&[("map", "0.15.1"), ("map", "0.9.2"), ("vec", "2.0.0")]);
        let of_call = linked::of_call(&metadata, &cargo());
        let names = |deps: &[&str]| {
            let is_tracked =
                |package: &&Described| package.source.is_none() || deps.iter().any(|name| is_named(package, name));
            let mut names: Vec<String> =
                untracked(&metadata, &of_call, is_tracked).into_iter().map(|package| package.name).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&[]), ["map@0.15.1", "map@0.9.2", "vec"]);
        assert_eq!(names(&["map@0.15"]), ["map@0.9.2", "vec"]);
        assert_eq!(names(&["map"]), ["vec"]);
    }
}
