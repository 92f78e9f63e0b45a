//! [`State`]: what is known of a tracked package between builds: the files that it was mirrored from, and what became
//! of each function.
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

use super::{place::Place, plan::Package, source::function::Reason};

/// How a file is told from what it was: its length, and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What is known of a package.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The policy that this was made by.
    pub(crate) digest: String,
    /// By absolute path.
    pub(crate) entries: BTreeMap<PathBuf, Entry>,
    /// Functions that do not compile tracked, by file and name; of a file that changed they are tried again.
    pub(crate) failing: BTreeSet<(PathBuf, String)>,
    /// Crates of the package that were compiled as they are, since they do not compile tracked.
    pub(crate) as_is: BTreeSet<String>,
    /// Whether it has a global allocator of its own.
    pub(crate) has_allocator: bool,
}

impl State {
    /// What is known of `package`; nothing where it was never built.
    pub(crate) fn read(folder: &Path, package: &Package) -> Self {
        let text = fs::read(folder.join("state").join(format!("{}.json", package.file_stem())));
        text.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps it.
    pub(crate) fn write(&self, folder: &Path, package: &Package) -> io::Result<()> {
        let name = Path::new("state").join(format!("{}.json", package.file_stem()));
        Place::at(folder)?.write(&name, &serde_json::to_vec(self)?).map(|_| ())
    }

    /// Waits until no other process works on the package; held as long as the file is open.
    pub(crate) fn lock(folder: &Path, package: &Package) -> io::Result<File> {
        let states = Place::at(folder)?.folder(Path::new("state"))?;
        let path = states.join(format!("{}.lock", package.file_stem()));
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            fs::remove_file(&path)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
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
}
