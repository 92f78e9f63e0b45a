//! [`Place`]: a folder of memprof's own, in which nothing is ever written through a link.
//!
//! Each folder on the way to a file is looked at without following it, and made anew where it is none; a file is written beside its name
//! and then takes it, so a link of that name is replaced and what it leads to stays as it is, and a hard link loses its name
//! alone. So what stands elsewhere cannot change, wherever links are planted in here.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Component, Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// A folder of memprof's own.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// The folder at `root`, which is made where it is not there. Links that lead to it are followed: it is where it is said to be.
    pub(crate) fn at(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self { root: root.canonicalize()? })
    }

    /// Where it is, without links on the way.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder inside, and those on the way to it.
    pub(crate) fn folder(&self, inside: &Path) -> io::Result<PathBuf> {
        let mut path = self.root.clone();
        for component in inside.components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::RootDir | Component::CurDir => continue,
                Component::ParentDir | Component::Prefix(_) => return Err(leads_out(inside)),
            }
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => continue,
                Ok(_) => fs::remove_file(&path)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            match fs::create_dir(&path) {
                // Another process made it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(&path) => {}
                made => made?,
            }
        }
        Ok(path)
    }

    /// Writes a file inside, unless it has this content already.
    pub(crate) fn write(&self, inside: &Path, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.parent(inside)?;
        let is_there = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if is_there && fs::read(&path).is_ok_and(|there| there == content) {
            return Ok(path);
        }
        Self::put(&path, |temporary| File::create_new(temporary)?.write_all(content))?;
        Ok(path)
    }

    /// Puts a link to `original` inside, for what is read only. Where there are no links, a copy.
    pub(crate) fn link(&self, inside: &Path, original: &Path) -> io::Result<()> {
        let path = self.parent(inside)?;
        if fs::read_link(&path).is_ok_and(|there| there == original) {
            return Ok(());
        }
        Self::put(&path, |temporary| link(original, temporary))
    }

    /// Waits until no other process has the lock of this name inside; it is held as long as the file is open.
    pub(crate) fn lock(&self, inside: &Path) -> io::Result<File> {
        let path = self.parent(inside)?;
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            fs::remove_file(&path)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// Removes a file, link or folder inside, if there is one.
    pub(crate) fn remove(&self, inside: &Path) -> io::Result<()> {
        let path = self.parent(inside)?;
        match fs::symlink_metadata(&path) {
            // Without following links in it.
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The path of a file inside, its folder made.
    fn parent(&self, inside: &Path) -> io::Result<PathBuf> {
        let name = inside.file_name().ok_or_else(|| leads_out(inside))?;
        Ok(self.folder(inside.parent().unwrap_or(Path::new("")))?.join(name))
    }

    /// Has `make` make a file beside `path`, which then takes its name.
    fn put(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let temporary = loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let temporary = path.with_file_name(format!(".memprof-{}-{number}.tmp", process::id()));
            match make(&temporary) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => break made.map(|()| temporary)?,
            }
        };
        if is_folder(path) {
            fs::remove_dir_all(path)?;
        }
        let done = fs::rename(&temporary, path);
        if done.is_err() {
            // The first failure is the one to tell of.
            let _ = fs::remove_file(&temporary);
        }
        done
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn leads_out(inside: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("‘{}’ leads out of its folder", inside.display()))
}

#[cfg(unix)]
fn link(original: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, path)
}

#[cfg(not(unix))]
fn link(original: &Path, path: &Path) -> io::Result<()> {
    if original.is_dir() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "folders are not linked on this system"));
    }
    fs::copy(original, path).map(|_| ())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Whatever is planted in the place of a file or of a folder on the way to it, what it leads to stays as it was.
    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
        fs::create_dir_all(theirs.join("src")).expect("a folder");
        fs::write(theirs.join("src/lib.rs"), "original").expect("a file");
        let place = Place::at(&ours).expect("a folder");
        // The file, its folder, and the folder above it are links; the file is a hard link.
        fs::create_dir_all(ours.join("a/src")).expect("a folder");
        symlink(theirs.join("src/lib.rs"), ours.join("a/src/lib.rs")).expect("a link");
        fs::create_dir_all(ours.join("b")).expect("a folder");
        symlink(theirs.join("src"), ours.join("b/src")).expect("a link");
        symlink(&theirs, ours.join("c")).expect("a link");
        fs::create_dir_all(ours.join("d/src")).expect("a folder");
        fs::hard_link(theirs.join("src/lib.rs"), ours.join("d/src/lib.rs")).expect("a link");
        for name in ["a", "b", "c", "d"] {
            let inside = Path::new(name).join("src/lib.rs");
            place.write(&inside, b"ours").expect("it is written");
            assert_eq!(fs::read_to_string(ours.join(&inside)).expect("text"), "ours", "{name}");
            place.remove(&inside).expect("it is removed");
        }
        symlink(&theirs, ours.join("e")).expect("a link");
        place.remove(Path::new("e/src/lib.rs")).expect("there is none");
        symlink(&theirs, ours.join("f")).expect("a link");
        place.remove(Path::new("f")).expect("the link goes");
        assert_eq!(fs::read_to_string(theirs.join("src/lib.rs")).expect("text"), "original");
        assert_eq!(fs::read_dir(theirs.join("src")).expect("a folder").count(), 1);
    }

    #[test]
    fn no_path_leads_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::at(folder.path()).expect("a folder");
        assert!(place.write(Path::new("a/../../x"), b"").is_err());
        assert!(place.folder(Path::new("..")).is_err());
    }
}
