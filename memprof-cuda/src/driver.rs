//! Whether there is a CUDA driver: asked before cudarc, which panics where there is none, or where a function of it is
//! missing.
//!
//! The library is looked up as cudarc does it, by bare names, which also finds one that the process has loaded
//! already: linked, or opened under that name by anybody. Interception asks the same one. What memprof-cuda needs of it always is checked when it is
//! found; what only some calls need, by [`require`] when they are made.

#![expect(unsafe_code, reason = "a library is loaded, and its functions looked up")]

use std::error::Error as _;
use std::sync::OnceLock;

use libloading::Library;
use memprof_core::__allocator;

use crate::error::{Error, Kind};

/// The names under which the driver is searched, in this order: each of them is one of cudarc's own.
const NAMES: &[&str] = if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so", "libcuda.so.1"] };

/// What contexts, streams, events, copies and the plain allocations of cudarc call.
const FUNCTIONS: &[&str] = &[
    "cuInit",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuCtxSynchronize",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventDestroy_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemAllocAsync",
    "cuMemFreeAsync",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemAllocManaged",
    "cuMemsetD8Async",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemGetInfo_v2",
];

/// The driver, once it was found with all of [`FUNCTIONS`].
static DRIVER: OnceLock<Library> = OnceLock::new();

/// Whether the driver is there and has all of these functions; without, cudarc panics when it calls one.
///
/// # Errors
///
/// No driver, or the first function that is missing.
pub(crate) fn require(functions: &[&'static str]) -> Result<(), Error> {
    lacks(library()?, functions).map_or(Ok(()), |function| Err(Error::new(Kind::MissingFunction { function })))
}

/// The driver's library. A failure is not kept: a later call may find what was loaded meanwhile.
///
/// # Errors
///
/// No driver, or the first function of [`FUNCTIONS`] that it lacks.
pub(crate) fn library() -> Result<&'static Library, Error> {
    if let Some(driver) = DRIVER.get() {
        return Ok(driver);
    }
    let _blind = __allocator::blind();
    let driver = load()?;
    if let Some(function) = lacks(&driver, FUNCTIONS) {
        return Err(Error::new(Kind::MissingFunction { function }));
    }
    Ok(DRIVER.get_or_init(|| driver))
}

/// A function of a library, by its C name; what the loader says if there is none.
///
/// # Safety
///
/// - `F` is the type of a pointer to the function of this name.
/// - It is not called once the library is unloaded.
pub(crate) unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: the caller's promise of its type.
    let found = unsafe { library.get::<F>(name.as_bytes()) };
    found.map(|symbol| *symbol).map_err(|error| words(&error))
}

/// A function of the driver, which memprof-cuda cannot do without.
///
/// # Errors
///
/// The driver does not have it.
///
/// # Safety
///
/// - `F` is the type of a pointer to the function of this name.
pub(crate) unsafe fn needed<F: Copy>(driver: &'static Library, name: &'static str) -> Result<F, Error> {
    // SAFETY: the caller's promise of its type; the library is never unloaded.
    unsafe { function(driver, name) }.map_err(|_| Error::new(Kind::MissingFunction { function: name }))
}

fn load() -> Result<Library, Error> {
    let mut refusals = Vec::new();
    for name in NAMES {
        // SAFETY: the initialisers of a CUDA driver need nothing of us; cudarc loads the same library the same way.
        match unsafe { Library::new(*name) } {
            Ok(driver) => return Ok(driver),
            Err(error) => {
                let said = words(&error);
                if !is_absent(name, &said) {
                    refusals.push(said);
                }
            }
        }
    }
    let found =
        if refusals.is_empty() { "found none".to_owned() } else { format!("the loader said: {}", refusals.join("; ")) };
    let problem = format!(
        "searched for {}, and {found}. Install NVIDIA's driver, or put the folder of its library into LD_LIBRARY_PATH",
        NAMES.join(", ")
    );
    Err(Error::new(Kind::NoDriver { problem }))
}

/// Whether a loader of Linux says that there is no library of this name. One that is there may need another that is
/// not.
pub(crate) fn is_absent(name: &str, said: &str) -> bool {
    said.contains(&format!("{name}: ")) && said.contains("No such file")
}

/// What the loader said, which libloading's own text leaves to the source of the error.
pub(crate) fn words(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The first of these functions that the driver does not have.
fn lacks(driver: &Library, functions: &[&'static str]) -> Option<&'static str> {
    functions.iter().copied().find(|function| {
        // SAFETY: the symbol is only looked up, and its value not used.
        unsafe { driver.get::<*const ()>(function.as_bytes()) }.is_err()
    })
}

#[cfg(test)]
mod tests {
    use super::is_absent;

    #[test]
    fn a_library_that_is_broken_or_lacks_another_is_not_absent() {
        let no_file = "cannot open shared object file: No such file or directory";
        assert!(is_absent("libcuda.so", &format!("libcuda.so: {no_file}")));
        assert!(!is_absent("libcuda.so", &format!("libneeded.so.1: {no_file}")));
        assert!(!is_absent("libcuda.so", "/x/libcuda.so: file too short"));
    }
}
