//! The contexts that are there when interception begins, asked of the driver: the only calls of it that interception
//! makes, and all before it begins.

#![expect(unsafe_code, reason = "calls functions of the driver that are found at run time")]

use core::ffi::{c_int, c_uint, c_void};
use core::ptr;

use libloading::Library;
use memprof_core::__allocator::blind;

use crate::driver;
use crate::intercept::contexts;

type Context = *mut c_void;

/// A driver that is loaded.
pub(super) struct Driver {
    device_count: unsafe extern "C" fn(*mut c_int) -> u32,
    primary_state: unsafe extern "C" fn(c_int, *mut c_uint, *mut c_int) -> u32,
    retain_primary: unsafe extern "C" fn(*mut Context, c_int) -> u32,
    release_primary: unsafe extern "C" fn(c_int) -> u32,
    current: unsafe extern "C" fn(*mut Context) -> u32,
    device_of_current: unsafe extern "C" fn(*mut c_int) -> u32,
    _library: Library,
}

macro_rules! function {
    ($library:expr, $name:literal) => {{
        // SAFETY: the function of this name has the type of the field that it is stored in: CUDA's headers declare it so.
        unsafe { $library.get(concat!($name, "\0").as_bytes()) }.map(|symbol| *symbol)
    }};
}

#[cfg(not(windows))]
const NAMES: [&str; 2] = ["libcuda.so.1", "libcuda.so"];
#[cfg(windows)]
const NAMES: [&str; 1] = ["nvcuda.dll"];

impl Driver {
    /// The driver that the process has loaded, or that the loader finds. An error says what is missing.
    pub(super) fn find() -> Result<Self, String> {
        let mut problem = String::new();
        for library in loaded().chain(NAMES.map(open)) {
            match library.and_then(Self::of) {
                Ok(driver) => return Ok(driver),
                Err(error) if problem.is_empty() => problem = error,
                Err(_) => {}
            }
        }
        Err(problem)
    }

    fn of(library: Library) -> Result<Self, String> {
        let lacks = |error: libloading::Error| driver::words(&error);
        Ok(Self {
            device_count: function!(library, "cuDeviceGetCount").map_err(lacks)?,
            primary_state: function!(library, "cuDevicePrimaryCtxGetState").map_err(lacks)?,
            retain_primary: function!(library, "cuDevicePrimaryCtxRetain").map_err(lacks)?,
            release_primary: function!(library, "cuDevicePrimaryCtxRelease_v2").map_err(lacks)?,
            current: function!(library, "cuCtxGetCurrent").map_err(lacks)?,
            device_of_current: function!(library, "cuCtxGetDevice").map_err(lacks)?,
            _library: library,
        })
    }

    /// The devices whose primary context is active; none while the driver is not initialised.
    pub(super) fn active_primaries(&self) -> Vec<c_int> {
        let mut count = 0;
        // SAFETY: room for one number.
        let asked = unsafe { (self.device_count)(&raw mut count) };
        if asked != 0 {
            return Vec::new();
        }
        (0..count).filter(|&device| self.is_active(device)).collect()
    }

    fn is_active(&self, device: c_int) -> bool {
        let (mut flags, mut active) = (0, 0);
        // SAFETY: room for two numbers.
        let asked = unsafe { (self.primary_state)(device, &raw mut flags, &raw mut active) };
        asked == 0 && active != 0
    }

    /// Learns which contexts there are: the primary ones of these devices, and the calling thread's.
    pub(super) fn learn(&self, active: &[c_int]) {
        let _blind = blind();
        for &device in active {
            let Ok(ordinal) = u32::try_from(device) else { continue };
            contexts::held_by_others(ordinal);
            let mut context = ptr::null_mut();
            // SAFETY: room for one handle.
            let retained = unsafe { (self.retain_primary)(&raw mut context, device) };
            if retained != 0 {
                continue;
            }
            contexts::learn_primary(ordinal, context.addr() as u64);
            // SAFETY: it was retained just now.
            let _still_held_by_others = unsafe { (self.release_primary)(device) };
        }
        let (mut context, mut device) = (ptr::null_mut(), 0);
        // SAFETY: room for one handle.
        if unsafe { (self.current)(&raw mut context) } != 0 || context.is_null() {
            return;
        }
        // SAFETY: room for one number.
        let asked = unsafe { (self.device_of_current)(&raw mut device) };
        if let (0, Ok(ordinal)) = (asked, u32::try_from(device)) {
            contexts::learn(context.addr() as u64, ordinal);
        }
    }
}

/// What the process has loaded, for all to see.
fn loaded() -> impl Iterator<Item = Result<Library, String>> {
    #[cfg(unix)]
    return core::iter::once(Ok(Library::from(libloading::os::unix::Library::this())));
    #[cfg(not(unix))]
    core::iter::empty()
}

fn open(name: &str) -> Result<Library, String> {
    // SAFETY: a driver's initialisers have no conditions.
    unsafe { Library::new(name) }.map_err(|error| driver::words(&error))
}
