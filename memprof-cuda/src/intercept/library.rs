//! Where a CUPTI library may be.
//!
//! Places are listed likeliest first, each file once, and a library is loaded when its turn comes and not before. One
//! that cannot be loaded is told of in the loader's words. Whether a loaded one works with the driver is left to
//! [`subscription`](super::subscription). [`SEARCHED`], and what is said at [`intercept`](super::guard::intercept),
//! tell of the same places.

use std::collections::HashSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use libloading::Library;

use super::ffi::Cupti;
use crate::driver;

/// The names that the loader is asked for, newest first.
#[cfg(not(windows))]
const NAMES: [&str; 9] = [
    "libcupti.so",
    "libcupti.so.13",
    "libcupti.so.12",
    // CUDA 11 names it by its minor version too.
    "libcupti.so.11.8",
    "libcupti.so.11.7",
    "libcupti.so.11.6",
    "libcupti.so.11.5",
    "libcupti.so.11.4",
    "libcupti.so.11.3",
];
#[cfg(windows)]
const NAMES: [&str; 3] = ["cupti.dll", "cupti64_13.dll", "cupti64_12.dll"];

/// Where a toolkit has it, under its root.
const IN_TOOLKIT: [&str; 5] =
    ["extras/CUPTI/lib64", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "lib64", "lib"];

/// A place to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// What the process has loaded already, for all to see.
    Process,
    /// A file.
    File(PathBuf),
    /// What the loader finds by name.
    Name(&'static str),
}

/// The places to look at, likeliest first. Those that hold no such file are left out.
pub(super) fn places() -> Vec<Place> {
    let mut places = vec![Place::Process];
    places.extend(toolkits(|name| env::var_os(name)).iter().flat_map(|root| in_toolkit(root)).map(Place::File));
    places.extend(NAMES.map(Place::Name));
    for root in ["/usr/local/cuda", "/opt/cuda"] {
        places.extend(in_toolkit(Path::new(root)).into_iter().map(Place::File));
    }
    let wheels = wheels(|name| env::var_os(name), Path::new("/usr/local"));
    places.extend(wheels.iter().flat_map(|folder| libraries_in(folder)).map(Place::File));
    let mut files = HashSet::new();
    places.retain(|place| match place {
        // A link leads to what is looked at anyway.
        Place::File(path) => files.insert(path.canonicalize().unwrap_or_else(|_| path.clone())),
        Place::Process | Place::Name(_) => true,
    });
    places
}

/// What an error says was searched.
pub(super) const SEARCHED: &str = "the process, CUDA_HOME, CUDA_PATH, the loader's path (LD_LIBRARY_PATH), \
     /usr/local/cuda, /opt/cuda, and the Python packages of PYTHONPATH, VIRTUAL_ENV, CONDA_PREFIX, ~/.local and \
     /usr/local";

fn toolkits(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let set = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable);
    set.filter(|root| !root.is_empty()).map(PathBuf::from).collect()
}

fn in_toolkit(root: &Path) -> Vec<PathBuf> {
    IN_TOOLKIT.iter().flat_map(|folder| libraries_in(&root.join(folder))).collect()
}

/// Folders in which Python packages bring it: those of an environment, the user's own, and the `system`'s.
fn wheels(variable: impl Fn(&str) -> Option<OsString>, system: &Path) -> Vec<PathBuf> {
    let mut packages: Vec<PathBuf> = Vec::new();
    if let Some(paths) = variable("PYTHONPATH") {
        packages.extend(env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()));
    }
    let set = |name| variable(name).filter(|root| !root.is_empty()).map(PathBuf::from);
    let environments: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(set).collect();
    let user = set("HOME").map(|home| home.join(".local"));
    for root in environments.iter().map(PathBuf::as_path).chain(user.as_deref()).chain([system]) {
        for python in entries(&root.join("lib"), |name| name.starts_with("python")) {
            // The second is Debian's name for what pip installs for all.
            packages.extend([python.join("site-packages"), python.join("dist-packages")]);
        }
    }
    // Conda's own package of it.
    let mut folders: Vec<PathBuf> = environments.iter().map(|root| root.join("lib")).collect();
    for package in packages {
        folders.extend(entries(&package.join("nvidia"), |_| true).into_iter().map(|part| part.join("lib")));
    }
    folders
}

/// The CUPTI libraries in a folder, the plain name first, then newer versions before older.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let is_one = |name: &str| NAMES.contains(&name) || name.starts_with("libcupti.so.") || name.starts_with("cupti64_");
    let mut libraries = entries(folder, is_one);
    libraries.reverse();
    libraries.sort_by_key(|path| !NAMES.iter().take(1).any(|name| path.ends_with(name)));
    libraries
}

/// Entries of a folder by their names, sorted; none if it cannot be read.
fn entries(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let named = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(&wanted));
    let mut paths: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

impl Place {
    /// Loads the library from here. `None`: there is none here. An error says what is wrong with the one that is.
    pub(super) fn load(&self) -> Option<Result<Cupti, String>> {
        let (library, place) = match self {
            Self::Process => (in_process()?, "the process".to_owned()),
            Self::File(path) => (open(path.as_os_str()), path.display().to_string()),
            Self::Name(name) => match open(name.as_ref()) {
                Err(error) if driver::is_absent(name, &driver::words(&error)) => return None,
                library => (library, (*name).to_owned()),
            },
        };
        Some(match library {
            Ok(library) => Cupti::of(library, place),
            Err(error) => Err(cannot_load(&place, &driver::words(&error))),
        })
    }
}

/// The symbols of the process, if CUPTI's are among them.
#[cfg(unix)]
#[expect(unsafe_code, reason = "asks the loader")]
fn in_process() -> Option<Result<Library, libloading::Error>> {
    let library = Library::from(libloading::os::unix::Library::this());
    // SAFETY: it is only asked for, not called; a function pointer's type says nothing false of an address.
    let there = unsafe { library.get::<unsafe extern "C" fn()>(b"cuptiSubscribe\0") }.is_ok();
    there.then_some(Ok(library))
}

#[cfg(not(unix))]
fn in_process() -> Option<Result<Library, libloading::Error>> {
    None
}

#[expect(unsafe_code, reason = "loads a library")]
fn open(path: &OsStr) -> Result<Library, libloading::Error> {
    // SAFETY: CUPTI's initialisers have no conditions; a user who names another library vouches for it.
    unsafe { Library::new(path) }
}

/// The same words for a file, by whichever name it was found: the loader's, which name it, unless it needs another.
fn cannot_load(place: &str, said: &str) -> String {
    if said.contains(place) { format!("cannot load {said}") } else { format!("cannot load {place}: {said}") }
}

#[cfg(test)]
mod tests {
    use super::{cannot_load, in_toolkit, libraries_in, toolkits, wheels};
    use std::ffi::OsString;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A folder that is removed when this is dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn with(name: &str, files: &[&str]) -> Self {
            let root = std::env::temp_dir().join(format!("memprof-{name}-{}", std::process::id()));
            for file in files {
                let file = root.join(file);
                fs::create_dir_all(file.parent().expect("a folder above the file")).expect("a folder is made");
                fs::write(file, "").expect("a file is written");
            }
            Self(root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_toolkit_is_searched_where_it_keeps_cupti() {
        let toolkit = Folder::with("toolkit", &["extras/CUPTI/lib64/libcupti.so.12", "lib64/libcudart.so"]);
        let home = OsString::from(&toolkit.0);
        let roots = toolkits(|name| (name == "CUDA_HOME").then(|| home.clone()));
        assert_eq!(roots, std::slice::from_ref(&toolkit.0));
        assert_eq!(in_toolkit(&roots[0]), [toolkit.0.join("extras/CUPTI/lib64/libcupti.so.12")]);
        assert_eq!(toolkits(|_| Some(OsString::new())), Vec::<PathBuf>::new());
    }

    #[test]
    fn python_packages_of_every_version_are_found() {
        let files = [
            "lib/python3.12/site-packages/nvidia/cu13/lib/libcupti.so.13",
            "lib/python3.12/site-packages/nvidia/cuda_cupti/lib/libcupti.so.12",
        ];
        let environment = Folder::with("wheels", &files);
        let root = OsString::from(&environment.0);
        let folders = wheels(|name| (name == "VIRTUAL_ENV").then(|| root.clone()), Path::new(""));
        let found: Vec<PathBuf> = folders.iter().flat_map(|folder| libraries_in(folder)).collect();
        assert_eq!(found, files.map(|file| environment.0.join(file)));
    }

    #[test]
    fn python_packages_outside_an_environment_are_found_the_user_s_own_first() {
        let files = [
            "home/.local/lib/python3.12/site-packages/nvidia/cuda_cupti/lib/libcupti.so.12",
            "system/lib/python3.11/dist-packages/nvidia/cuda_cupti/lib/libcupti.so.12",
        ];
        let folder = Folder::with("users", &files);
        let home = OsString::from(folder.0.join("home"));
        let folders = wheels(|name| (name == "HOME").then(|| home.clone()), &folder.0.join("system"));
        let found: Vec<PathBuf> = folders.iter().flat_map(|folder| libraries_in(folder)).collect();
        assert_eq!(found, files.map(|file| folder.0.join(file)));
    }

    #[test]
    #[cfg(not(windows))]
    fn cuda_11_is_asked_for_by_its_minor_versions() {
        let named = |name: &str| super::NAMES.contains(&name);
        assert!(named("libcupti.so.11.8") && named("libcupti.so.11.3"));
        assert!(!named("libcupti.so.11"), "no CUDA has it");
    }

    #[test]
    fn what_cannot_be_loaded_is_named_once() {
        let broken = "/x/libcupti.so: file too short";
        for place in ["/x/libcupti.so", "libcupti.so"] {
            assert_eq!(cannot_load(place, broken), "cannot load /x/libcupti.so: file too short");
        }
        let needs = "libz.so: cannot open shared object file: No such file or directory";
        assert_eq!(cannot_load("libcupti.so", needs), format!("cannot load libcupti.so: {needs}"));
    }

    #[test]
    fn the_plain_name_comes_first_then_newer_versions() {
        let folder = Folder::with("order", &["libcupti.so.12", "libcupti.so", "libcupti.so.13", "libcupti_static.a"]);
        let names = ["libcupti.so", "libcupti.so.13", "libcupti.so.12"];
        assert_eq!(libraries_in(&folder.0), names.map(|name| folder.0.join(name)));
    }
}
