//! [`sync`]: the copy of a tracked package that the compiler reads.
//!
//! It stands in a folder of its own, which no other package nor policy shares, by the absolute path of the original, so
//! that one setting of the compiler, which takes the folder off, makes all paths those of the original again. A Rust file
//! is written anew with the attribute on its functions; all else is a link to the original, which is only read. Nothing is
//! written but by [`Place`], so nothing reaches the originals.
//!
//! A file that another one takes as text (`include_str!`) is linked, as are one that the parser does not understand and
//! the root of a build script. What stands outside of the package and is named by a literal path
//! (`include_str!("../../README.md")`, `#[path = "../shared.rs"]`) is there too, as are the roots of targets that stand outside; what stands
//! beside these, modules of theirs perhaps, is linked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{
    place::Place,
    plan::{Level, Package, Plan, hashed},
    source::{
        edit,
        file::Source,
        function::{Function, Reason},
        lean::cannot_allocate,
    },
    state::{Entry, Known, Stamp, State},
};
use crate::glob::Glob;

/// Brings the mirror of `package` up to date, and gives what is known of it. `failing` are functions that turned out not to compile tracked.
/// The caller holds the package's lock.
pub(crate) fn sync(plan: &Plan, package: &Package, failing: &[(PathBuf, String)]) -> io::Result<State> {
    made(plan, package, failing, Some(&Place::at(&plan.folder)?))
}

/// What the mirror of `package` would be made of; nothing is written.
pub(crate) fn look(plan: &Plan, package: &Package) -> io::Result<State> {
    made(plan, package, &[], None)
}

/// Both. Without a `place`, nothing is written.
fn made(plan: &Plan, package: &Package, failing: &[(PathBuf, String)], place: Option<&Place>) -> io::Result<State> {
    let mut state = State::read_or_before(plan, package);
    let found = walk(package)?;
    // Unless it was removed, as nothing had used it for long.
    let is_there = place.is_none_or(|place| place.root().join(plan.mirror(package)).exists());
    if failing.is_empty() && is_there && state.roots == package.targets && is_unchanged(&state, &found) {
        return Ok(state);
    }
    forget_changed(&mut state);
    state.crates.retain(|known| package.targets.contains(&known.root));
    state.failing.extend(failing.iter().cloned());
    let texts = Texts::read(plan, package, found);
    let (entries, contents) = decided(plan, package, &state, &texts)?;
    if let Some(place) = place {
        // Before anything is written: a folder can have become a link, and a link a folder.
        for path in state.entries.keys().filter(|path| !entries.contains_key(*path)) {
            place.remove(&inside(plan, package, path))?;
        }
        for path in entries.keys() {
            let inside = inside(plan, package, path);
            match contents.get(path) {
                Some(content) => place.write(&inside, content.as_bytes()).map(drop)?,
                None => place.link(&inside, path)?,
            }
        }
    }
    state.has_allocator = texts.sources.values().any(|(_, _, source)| !source.allocators.is_empty());
    state.entries = entries;
    state.roots.clone_from(&package.targets);
    state.made_with = plan.made_with();
    state.beside = texts.beside;
    if place.is_some() {
        state.write(plan, package)?;
    }
    Ok(state)
}

/// Where an original stands in the folder of memprof's own: below the package's mirror, which is looked at for links as all of it is.
pub(crate) fn inside(plan: &Plan, package: &Package, original: &Path) -> PathBuf {
    plan.mirror(package).join(original.strip_prefix("/").unwrap_or(original))
}

/// What stands in a package's folder.
#[derive(Debug, Default)]
struct Found {
    rust: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

fn walk(package: &Package) -> io::Result<Found> {
    fs::read_dir(&package.root)
        .map_err(|error| io::Error::new(error.kind(), format!("‘{}’: {error}", package.root.display())))?;
    let mut found = Found::default();
    visit(package, &package.root, &mut Vec::new(), &mut found);
    Ok(found)
}

/// Whether there is any Rust file in `folder`; a folder without one is linked as it is, as is one that may not be read. Links to folders are
/// folders.
fn visit(package: &Package, folder: &Path, above: &mut Vec<PathBuf>, found: &mut Found) -> bool {
    let (Ok(real), Ok(entries)) = (folder.canonicalize(), fs::read_dir(folder)) else { return false };
    // A link to a folder around it.
    if above.contains(&real) {
        return false;
    }
    above.push(real);
    let mut has_rust = false;
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        // No source can name it.
        if name.to_str().is_none() {
            continue;
        }
        // What a link that leads nowhere, a pipe or a socket is to the compiler, it is not in the mirror: a pipe would be waited for.
        let Ok(kind) = fs::metadata(&path) else { continue };
        if kind.is_dir() {
            let is_built = path.join("CACHEDIR.TAG").exists();
            if is_built || name == ".git" || package.others.contains(&path) {
                continue;
            }
            if name == "node_modules" {
                found.others.push(path);
                continue;
            }
            let before = found.others.len();
            if visit(package, &path, above, found) {
                has_rust = true;
            } else {
                found.others.truncate(before);
                found.others.push(path);
            }
        } else if kind.is_file() {
            let is_rust = path.extension().is_some_and(|ending| ending == "rs");
            has_rust |= is_rust;
            if is_rust { found.rust.push(path) } else { found.others.push(path) }
        }
    }
    above.pop();
    has_rust
}

/// Whether nothing was added, removed or changed since.
fn is_unchanged(state: &State, found: &Found) -> bool {
    let is_there = |path: &PathBuf| state.entries.contains_key(path);
    let stamps = state.entries.iter().all(|(path, entry)| match entry {
        Entry::Linked => true,
        Entry::Written { stamp, .. } | Entry::AsItIs(stamp) => Stamp::of(path).is_ok_and(|now| now == *stamp),
    });
    let beside = state.beside.iter().all(|(folder, names)| hashed(listed(folder)) == *names);
    let is_linked = |path: &PathBuf| is_there(path) || state.beside.contains_key(path);
    stamps && beside && found.rust.iter().all(is_there) && found.others.iter().all(is_linked)
}

/// What stands in a folder, in order; nothing in one that may not be read.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// What failed in a file that changed may compile now.
fn forget_changed(state: &mut State) {
    let is_same = |path: &PathBuf| match state.entries.get(path) {
        Some(Entry::Written { stamp, .. }) => Stamp::of(path).is_ok_and(|now| now == *stamp),
        _ => false,
    };
    let kept = std::mem::take(&mut state.failing).into_iter().filter(|(path, _)| is_same(path)).collect();
    state.failing = kept;
}

/// The files of a package, read.
#[derive(Debug, Default)]
struct Texts {
    sources: BTreeMap<PathBuf, (Stamp, String, Source)>,
    /// Rust files that stay as they are.
    as_is: BTreeMap<PathBuf, Stamp>,
    linked: BTreeSet<PathBuf>,
    /// The folders of which all is linked, though a file in them is not.
    beside: BTreeMap<PathBuf, String>,
}

impl Texts {
    fn read(plan: &Plan, package: &Package, found: Found) -> Self {
        let mut texts = Self { linked: found.others.into_iter().collect(), ..Self::default() };
        let (mut rest, mut data) = (found.rust, BTreeSet::new());
        let elsewhere: Vec<PathBuf> = package.targets.iter().filter(|root| !rest.contains(root)).cloned().collect();
        let mut split = Vec::new();
        for root in elsewhere {
            // A folder around it is none that is linked whole.
            let around = texts.linked.extract_if(.., |linked| root.starts_with(linked));
            split.extend(around.filter(|linked| *linked != root));
            rest.push(root);
        }
        while let Some(path) = rest.pop() {
            if texts.sources.contains_key(&path) || texts.as_is.contains_key(&path) {
                continue;
            }
            let Ok(stamp) = Stamp::of(&path) else { continue };
            let is_script = package.scripts.contains(&path);
            let read = if is_script { None } else { fs::read_to_string(&path).ok() };
            let Some((text, source)) = read.and_then(|text| Source::read(&text).ok().map(|source| (text, source)))
            else {
                texts.as_is.insert(path, stamp);
                continue;
            };
            for included in &source.included {
                let folder = path.parent().unwrap_or(&package.root);
                let named = normal(&folder.join(&included.path));
                match fs::metadata(&named) {
                    Ok(kind) if kind.is_file() && included.is_data => drop(data.insert(named)),
                    Ok(kind) if kind.is_file() && package.is_outside(&named) => rest.push(named),
                    _ => {}
                }
            }
            texts.sources.insert(path, (stamp, text, source));
        }
        for path in data {
            match texts.sources.remove(&path) {
                Some((stamp, ..)) => drop(texts.as_is.insert(path, stamp)),
                None if texts.as_is.contains_key(&path)
                    || texts.linked.iter().any(|linked| path.starts_with(linked)) => {}
                None => drop(texts.linked.insert(path)),
            }
        }
        texts.link_beside(plan, package, split);
        texts
    }

    /// Links what stands beside the package, up to the workspace's folder, and beside the Rust files outside of it: modules of theirs, and what
    /// is read by a path that is put together; and what stands in the folders `split`, each of which has a root in it.
    fn link_beside(&mut self, plan: &Plan, package: &Package, split: Vec<PathBuf>) {
        let files = self.sources.keys().chain(self.as_is.keys());
        let outside = files.filter(|path| package.is_outside(path)).filter_map(|path| path.parent());
        let above = package.root.ancestors().skip(1).take_while(|above| above.starts_with(&plan.workspace));
        let mut rest: Vec<PathBuf> = outside.chain(above).map(Path::to_owned).chain(split).collect();
        let there: BTreeSet<PathBuf> =
            self.sources.keys().chain(self.as_is.keys()).chain(&self.linked).chain([&package.root]).cloned().collect();
        while let Some(folder) = rest.pop() {
            if self.beside.contains_key(&folder) {
                continue;
            }
            let paths = listed(&folder);
            self.beside.insert(folder, hashed(&paths));
            for path in paths {
                // By components: itself, or else the first of what stands in it.
                match there.range::<PathBuf, _>(&path..).next() {
                    Some(known) if *known == path => {}
                    Some(known) if known.starts_with(&path) => rest.push(path),
                    // No source can name what is no UTF-8.
                    _ if path.to_str().is_none() => {}
                    _ => drop(self.linked.insert(path)),
                }
            }
        }
    }
}

/// A path without `.` and `..`, as the text says it.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut done = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(done.pop()),
            other => done.push(other),
        }
    }
    done
}

/// What becomes of each file, and the text of those that are written.
type Decided = (BTreeMap<PathBuf, Entry>, BTreeMap<PathBuf, String>);

fn decided(plan: &Plan, package: &Package, state: &State, texts: &Texts) -> io::Result<Decided> {
    let functions: Vec<&Function> = texts.sources.values().flat_map(|(_, _, source)| &source.functions).collect();
    let mut harmless = cannot_allocate(&functions).into_iter();
    let choice = Choice::of(package)?;
    let (mut entries, mut contents) = (BTreeMap::new(), BTreeMap::new());
    for (path, (stamp, text, source)) in &texts.sources {
        let known: Vec<Known> = source
            .functions
            .iter()
            .map(|function| {
                let is_harmless = harmless.next().unwrap_or(false);
                let reason = if state.failing.contains(&(path.clone(), function.key.clone())) {
                    Some(Reason::DoesNotCompile)
                } else {
                    choice.reason(path, function, is_harmless)
                };
                let (first, last) = (*function.lines.start(), *function.lines.end());
                let Function { name, key, line, .. } = function;
                Known { name: name.clone(), key: key.clone(), line: *line, first, last, reason }
            })
            .collect();
        let mut edits = edit::tracked(text, source, |index| known[index].reason.is_none());
        // A program with a memprof of its own says itself what it measures.
        if plan.runtime.is_some() {
            source.allocators.iter().for_each(|allocator| edits.wrap(allocator));
        }
        if package.targets.contains(path) {
            edits.root(&path.to_string_lossy());
        }
        contents.insert(path.clone(), edits.done());
        entries.insert(path.clone(), Entry::Written { stamp: *stamp, functions: known });
    }
    entries.extend(texts.as_is.iter().map(|(path, stamp)| (path.clone(), Entry::AsItIs(*stamp))));
    entries.extend(texts.linked.iter().map(|path| (path.clone(), Entry::Linked)));
    Ok((entries, contents))
}

/// A package's policy, its globs read.
struct Choice<'a> {
    package: &'a Package,
    only: Vec<Glob>,
    skip: Vec<Glob>,
}

impl<'a> Choice<'a> {
    fn of(package: &'a Package) -> io::Result<Self> {
        let globs = |texts: &[String]| {
            let globs = texts.iter().map(|text| Glob::scope("scope", text.clone()));
            globs.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)
        };
        Ok(Self { package, only: globs(&package.policy.only)?, skip: globs(&package.policy.skip)? })
    }

    /// Why a function is left out.
    fn reason(&self, path: &Path, function: &Function, is_harmless: bool) -> Option<Reason> {
        if let Some(reason) = function.reason.filter(|reason| reason.is_binding()) {
            return Some(reason);
        }
        let matches = |glob: &Glob| self.package.has(glob, &function.name);
        if self.skip.iter().any(matches) || !(self.only.is_empty() || self.only.iter().any(matches)) {
            return Some(Reason::NotAskedFor);
        }
        let policy = &self.package.policy;
        let inside = path.strip_prefix(&self.package.root).unwrap_or(path);
        if policy.calibrated.contains(&(inside.to_owned(), function.key.clone())) {
            return Some(Reason::Calibrated);
        }
        match policy.level {
            Level::All => None,
            // A program is its first row.
            Level::Lean if function.name == "main" => None,
            Level::Lean => function.reason.or(is_harmless.then_some(Reason::CannotAllocate)),
        }
    }
}
