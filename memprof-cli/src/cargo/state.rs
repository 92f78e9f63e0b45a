//! [`State`]: what is known between builds of a package as it is tracked by one policy: the files that it was mirrored
//! from, and what became of each function.
//!
//! It is a file for each package, replaced whole, so who reads it without the lock sees the old one or the new one. One
//! that is missing or not understood is as if the package was never built. Whoever changes it holds [`State::lock`];
//! what changes is decided by `mirror` and `wrapper`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};

use super::{
    place::Place,
    plan::{Package, Plan, hashed},
    source::function::Reason,
};

/// How a file is told from what it was: its length, and when it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    nanoseconds: u128,
}

impl Stamp {
    /// Of a file, links followed.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        let written = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { bytes: found.len(), nanoseconds: written.as_nanos() })
    }
}

/// A function, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// Its name among those of its file.
    pub(crate) key: String,
    pub(crate) line: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Why it is not tracked, if it is not.
    pub(crate) reason: Option<Reason>,
}

/// How a file stands in the mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A link to the original, file or folder.
    Linked,
    /// A Rust file of its own.
    Written { stamp: Stamp, functions: Vec<Known> },
    /// A Rust file that is linked, since it is read as text, or is not understood.
    AsItIs(Stamp),
}

/// A crate of a package, as it was compiled last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Crate {
    /// The root, by absolute path; the crate of it and that of its tests are two.
    pub(crate) root: PathBuf,
    pub(crate) is_test: bool,
    /// Its name among those of the package.
    pub(crate) title: String,
    /// Whether it was compiled from the mirror. It was as it is where it does not compile tracked.
    pub(crate) is_tracked: bool,
    /// Whether the program has a global allocator that the sources do not show, so that memprof's is not around it.
    #[serde(default)]
    pub(crate) is_unmeasured: bool,
    /// The Rust files that it was compiled of, by absolute path.
    pub(crate) files: BTreeSet<PathBuf>,
}

/// What is known of a package.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// This command's version, and memprof's key: by another one, other functions may compile.
    pub(crate) made_with: String,
    /// The roots of the package's targets, which have something of their own in the mirror.
    pub(crate) roots: BTreeSet<PathBuf>,
    /// The folders of which all is linked, though a file in them is not, with a hash of the names that were in each.
    pub(crate) beside: BTreeMap<PathBuf, String>,
    /// By absolute path.
    pub(crate) entries: BTreeMap<PathBuf, Entry>,
    /// Functions that do not compile tracked, by file and key; of a file that changed they are tried again.
    pub(crate) failing: BTreeSet<(PathBuf, String)>,
    /// Crates that fail tracked after the compiler told of their types, with no function at fault, as the compiler's call names them, with the
    /// [`sources`](State::sources) that fail: of these they are compiled as they are.
    #[serde(default)]
    pub(crate) lost: BTreeMap<String, String>,
    /// Crates of the package. One stays what it is until it is compiled again, whatever becomes of others.
    pub(crate) crates: Vec<Crate>,
    /// Whether it has a global allocator of its own.
    pub(crate) has_allocator: bool,
}

impl State {
    /// What is known of `package`; nothing where it was never built like this.
    pub(crate) fn read(plan: &Plan, package: &Package) -> Self {
        Self::at(&plan.folder.join(plan.state(package))).unwrap_or_default()
    }

    fn at(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The same; where it was never built like this, what does not compile and its crates are those of when it was built last by another policy.
    pub(crate) fn read_or_before(plan: &Plan, package: &Package) -> Self {
        let before = || {
            let written = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
            let before = Self::at(&plan.states_of(package).max_by_key(written)?)?;
            (before.made_with == plan.made_with()).then(|| Self { roots: BTreeSet::new(), ..before })
        };
        Self::at(&plan.folder.join(plan.state(package))).or_else(before).unwrap_or_default()
    }

    /// Keeps it.
    pub(crate) fn write(&self, plan: &Plan, package: &Package) -> io::Result<()> {
        Place::at(&plan.folder)?.write(&plan.state(package), &serde_json::to_vec(self)?).map(|_| ())
    }

    /// Waits until no other process works on the package; held as long as the file is open.
    pub(crate) fn lock(plan: &Plan, package: &Package) -> io::Result<File> {
        Place::at(&plan.folder)?.lock(&plan.state(package).with_extension("lock"))
    }

    /// All functions, with the file of each.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&Path, &Known)> {
        self.entries.iter().flat_map(|(path, entry)| {
            let functions = match entry {
                Entry::Written { functions, .. } => functions.as_slice(),
                Entry::Linked | Entry::AsItIs(_) => &[],
            };
            functions.iter().map(move |function| (path.as_path(), function))
        })
    }

    /// Those in the files of crates that were compiled: a package has tests and examples besides.
    pub(crate) fn compiled_functions(&self) -> impl Iterator<Item = (&Path, &Known)> {
        let files = self.files();
        self.functions().filter(move |(path, _)| files.contains(path))
    }

    /// The files of crates that were compiled.
    pub(crate) fn files(&self) -> BTreeSet<&Path> {
        self.crates.iter().flat_map(|known| &known.files).map(PathBuf::as_path).collect()
    }

    /// Sixteen digits that stand for the Rust files as they are.
    pub(crate) fn sources(&self) -> String {
        let stamped = self.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::Linked => None,
            Entry::Written { stamp, .. } | Entry::AsItIs(stamp) => Some((path, stamp)),
        });
        hashed(stamped.collect::<Vec<_>>())
    }

    /// Whether a crate is compiled as it is from the start, by its name in the compiler's call.
    pub(crate) fn is_lost(&self, unit: &str) -> bool {
        self.lost.get(unit).is_some_and(|sources| *sources == self.sources())
    }

    /// Whether this file stands in the mirror with what is put into it.
    pub(crate) fn is_written(&self, path: &Path) -> bool {
        matches!(self.entries.get(path), Some(Entry::Written { .. }))
    }

    /// Takes in how a crate was compiled; says whether that is new.
    pub(crate) fn compiled(&mut self, new: Crate) -> bool {
        if self.crates.contains(&new) {
            return false;
        }
        self.crates.retain(|known| (&known.root, known.is_test) != (&new.root, new.is_test));
        self.crates.push(new);
        true
    }

    /// The crates that were compiled as they are, since they do not compile tracked.
    pub(crate) fn as_is(&self) -> BTreeSet<&str> {
        self.crates.iter().filter(|known| !known.is_tracked).map(|known| known.title.as_str()).collect()
    }

    /// The programs of which no bytes are counted.
    pub(crate) fn unmeasured(&self) -> BTreeSet<&str> {
        self.crates.iter().filter(|known| known.is_unmeasured).map(|known| known.title.as_str()).collect()
    }

    /// Why a function of this file is not tracked, if it is not: for a reason of its own, or since no crate with this file is.
    pub(crate) fn reason(&self, path: &Path, function: &Known) -> Option<Reason> {
        let of_file = || self.crates.iter().filter(|known| known.files.contains(path));
        let is_as_it_is = || of_file().next().is_some() && of_file().all(|known| !known.is_tracked);
        function.reason.or_else(|| is_as_it_is().then_some(Reason::DoesNotCompile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(root: &str, is_test: bool, is_tracked: bool) -> Crate {
        let files = [root, "/p/src/shared.rs"].map(PathBuf::from).into();
        Crate { root: root.into(), is_test, title: root[7..].to_owned(), is_tracked, is_unmeasured: false, files }
    }

    #[test]
    fn a_crate_stays_what_it_is_until_it_is_compiled_again() {
        let mut state = State::default();
        assert!(state.compiled(compiled("/p/src/lib.rs", false, false)));
        assert!(!state.compiled(compiled("/p/src/lib.rs", false, false)));
        assert!(state.compiled(compiled("/p/src/main.rs", false, true)));
        assert!(state.compiled(compiled("/p/src/lib.rs", true, true)));
        assert_eq!(state.as_is(), BTreeSet::from(["lib.rs"]));
        assert!(state.compiled(compiled("/p/src/lib.rs", false, true)));
        assert_eq!((state.as_is(), state.crates.len()), (BTreeSet::new(), 3));
    }

    #[test]
    fn a_function_is_left_out_where_each_crate_of_its_file_is_as_it_is() {
        let known = |reason| Known { name: "f".to_owned(), key: "f".to_owned(), line: 1, first: 1, last: 2, reason };
        let mut state = State::default();
        let mut reasons = |new: Option<Crate>| {
            new.map(|new| state.compiled(new));
            ["/p/src/lib.rs", "/p/src/shared.rs", "/p/src/main.rs"]
                .map(|path| state.reason(path.as_ref(), &known(None)))
        };
        let lost = Some(Reason::DoesNotCompile);
        assert_eq!(reasons(None), [None; 3], "nothing was compiled yet");
        assert_eq!(reasons(Some(compiled("/p/src/lib.rs", false, false))), [lost, lost, None]);
        assert_eq!(reasons(Some(compiled("/p/src/main.rs", false, true))), [lost, None, None]);
        let own = known(Some(Reason::CannotAllocate));
        assert_eq!(state.reason("/p/src/lib.rs".as_ref(), &own), Some(Reason::CannotAllocate));
    }
}
