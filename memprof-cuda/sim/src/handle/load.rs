//! Finding a driver: the real one where there is a device, else the simulator, so that cudarc meets it.
//!
//! It is found as cudarc looks for it, by the name that the library gives itself (`build.rs`). What was found holds for
//! the process, and a library that is loaded is never unloaded: cudarc keeps addresses in it. Nothing of cudarc's is
//! called here, so a test may choose before cudarc does.
#![expect(unsafe_code, reason = "loads shared libraries and asks a driver for its devices")]
use std::env;
use std::ffi::{c_int, c_uint};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use crate::base::error::LoadError;
use crate::base::{log, settings};
use crate::handle::sim::Sim;

/// The file's name, as cargo makes it.
const FILE: &str = "libmemprof_cuda_sim.so";

/// Which driver cudarc meets from now on.
#[derive(Clone, Copy, Debug)]
pub enum Driver {
    /// The machine's own, with a device at least.
    Real,
    /// The simulator.
    Simulated(Sim),
}

impl Driver {
    /// The simulator, if that is the driver.
    pub fn simulator(self) -> Option<Sim> {
        match self {
            Self::Real => None,
            Self::Simulated(sim) => Some(sim),
        }
    }

    /// Whether this is the machine's own driver.
    pub fn is_real(self) -> bool {
        matches!(self, Self::Real)
    }
}

/// The machine's driver if it has a device, else the simulator; which one, is decided once a process.
///
/// Call it before cudarc's first call: cudarc looks for a driver once. Where the simulator is taken, one line on stderr says so.
///
/// # Errors
///
/// If there is no device and the simulator's library is not found or cannot be loaded, which names the places; or its settings are wrong.
pub fn load() -> Result<Driver, LoadError> {
    static IS_REAL: OnceLock<bool> = OnceLock::new();
    static SAID: OnceLock<()> = OnceLock::new();
    if *IS_REAL.get_or_init(|| device_count() > 0) {
        return Ok(Driver::Real);
    }
    let sim = load_simulator()?;
    SAID.get_or_init(|| log::say("no GPU is there: the simulator is used, in host memory"));
    Ok(Driver::Simulated(sim))
}

/// The simulator, whether or not there is a GPU. Call it before cudarc's first call; further calls give the same one.
///
/// # Errors
///
/// If the library is not found or cannot be loaded, which names the places; or a setting is wrong, which says what is accepted.
pub fn load_simulator() -> Result<Sim, LoadError> {
    static LOADED: Mutex<Option<Sim>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sim) = *loaded {
        return Ok(sim);
    }
    settings::read().map_err(|problem| LoadError::because(format!("the simulator's setting {problem}")))?;
    let path = find()?;
    // SAFETY: our own library, whose initialisation runs nothing.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) };
    let library = library.map_err(|error| LoadError::new(&format!("cannot load {}", path.display()), &error))?;
    // For ever: cudarc keeps addresses in it, and threads may call it while the process ends.
    let sim = Sim::new(Box::leak(Box::new(library)), path)?;
    *loaded = Some(sim);
    Ok(sim)
}

/// The devices of the machine's driver; 0 without one.
fn device_count() -> c_int {
    type Init = unsafe extern "C" fn(c_uint) -> c_uint;
    type GetCount = unsafe extern "C" fn(*mut c_int) -> c_uint;
    // SAFETY: the driver's own library, if there is one, by the name that it has everywhere.
    let Ok(library) = (unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW) }) else { return 0 };
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: only asked whether it is there: it is in the simulator, which may stand in the loader's path under the driver's name.
    if unsafe { library.get::<Init>(b"cuda_sim_reset\0") }.is_ok() {
        return 0;
    }
    // SAFETY: `cuInit` has this type in every CUDA.
    let Ok(init) = (unsafe { library.get::<Init>(b"cuInit\0") }) else { return 0 };
    // SAFETY: `cuDeviceGetCount` has this type in every CUDA.
    let Ok(get_count) = (unsafe { library.get::<GetCount>(b"cuDeviceGetCount\0") }) else { return 0 };
    // SAFETY: 0 is the one argument that it takes.
    if unsafe { init(0) } != 0 {
        return 0;
    }
    let mut count = 0;
    // SAFETY: a place for one number.
    if unsafe { get_count(&raw mut count) } == 0 { count } else { 0 }
}

/// Where the library is: as `CUDA_SIM_LIBRARY` says, or where cargo leaves it as seen from the running program, or from this crate's build.
fn find() -> Result<PathBuf, LoadError> {
    if let Some(path) = env::var_os("CUDA_SIM_LIBRARY") {
        return Ok(PathBuf::from(path));
    }
    let mut places = Vec::new();
    if let Some(folder) = env::current_exe().ok().as_deref().and_then(Path::parent) {
        places.extend(["deps", "../deps", ".", ".."].map(|place| folder.join(place).join(FILE)));
    }
    // A documentation test runs from a folder of its own.
    places.push(Path::new(env!("OUT_DIR")).join("../../../deps").join(FILE));
    let found = places.iter().find(|place| place.is_file());
    found.and_then(|place| place.canonicalize().ok()).ok_or_else(|| {
        let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        LoadError::because(format!(
            "{FILE} is in none of these places: {}; CUDA_SIM_LIBRARY may name it",
            places.join(", ")
        ))
    })
}
