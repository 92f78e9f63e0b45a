//! Memory that NVIDIA's own libraries take: interception sees the driver's calls beneath them.
//!
//! Neither library is needed to build this or to run it: they are opened where they are, and otherwise the check says
//! *skipped*. `GPU_CHECK_LIBRARIES` names folders to look into first, as `scripts/gpu-check` fills it in.
#![expect(unsafe_code, reason = "C libraries are opened and called")]

use std::env;
use std::ffi::{c_int, c_void};
use std::path::PathBuf;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

use crate::ground::calls::{live, measured, totals};
use crate::ground::{Gpu, Outcome, device, saw, skipped};

/// A library of this name and any of CUDA's versions; the newest.
fn library(name: &str) -> Option<Library> {
    let files = [".so", ".so.13", ".so.12", ".so.11.0", ".so.11"].map(|end| format!("{name}{end}"));
    let folders = env::var_os("GPU_CHECK_LIBRARIES").unwrap_or_default();
    let folders = env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()).collect::<Vec<_>>();
    let in_folders = folders.iter().flat_map(|folder| files.iter().map(|file| folder.join(file)));
    let by_name = files.iter().map(PathBuf::from);
    in_folders.chain(by_name).find_map(|path| {
        // SAFETY: NVIDIA's libraries may be opened at any time.
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.ok()
    })
}

/// A function of a library that stays loaded.
fn function<T>(library: &'static Library, name: &str) -> Result<Symbol<T>, libloading::Error> {
    // SAFETY: the callers name types as NVIDIA's headers do.
    unsafe { library.get::<T>(name.as_bytes()) }
}

/// Opens one and keeps it: it may hold threads and memory to the end.
fn keep(name: &str) -> Option<&'static Library> {
    library(name).map(|library| &*Box::leak(Box::new(library)))
}

fn done(what: &str, status: c_int) -> Outcome {
    if status == 0 { Ok(()) } else { Err(format!("{what}: error {status}").into()) }
}

#[test]
fn a_runtime_api_cuda_malloc_is_charged_to_its_scope() -> Outcome {
    type Malloc = unsafe extern "C" fn(*mut *mut c_void, usize) -> c_int;
    type MallocAsync = unsafe extern "C" fn(*mut *mut c_void, usize, *mut c_void) -> c_int;
    type Free = unsafe extern "C" fn(*mut c_void) -> c_int;
    type FreeAsync = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

    let gpu = Gpu::take()?;
    if !gpu.is_real() {
        return Ok(());
    }
    let Some(runtime) = keep("libcudart") else {
        skipped("no libcudart.so: set CUDA_HOME or LD_LIBRARY_PATH");
        return Ok(());
    };
    let (malloc, free) = (function::<Malloc>(runtime, "cudaMalloc")?, function::<Free>(runtime, "cudaFree")?);
    let malloc_async = function::<MallocAsync>(runtime, "cudaMallocAsync")?;
    let free_async = function::<FreeAsync>(runtime, "cudaFreeAsync")?;
    let _guard = memprof_cuda::intercept()?;

    let before = live(device());
    let mut plain = std::ptr::null_mut();
    // SAFETY: a place for the address.
    let (status, recorded) = measured("cudaMalloc", || unsafe { malloc(&raw mut plain, 3 << 20) });
    done("cudaMalloc", status)?;
    assert_eq!(recorded.counters(device()).current_bytes, 3 << 20, "cudaMalloc raises no callback of the driver");
    // SAFETY: allocated above.
    done("cudaFree", unsafe { free(plain) })?;
    assert_eq!(live(device()), before, "cudaFree raises no callback of the driver");

    let (mut pooled, stream) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: a place for the address, and the default stream.
    let (status, recorded) = measured("cudaMallocAsync", || unsafe { malloc_async(&raw mut pooled, 5000, stream) });
    done("cudaMallocAsync", status)?;
    assert_eq!(recorded.counters(device()).current_bytes, 5000, "cudaMallocAsync raises no callback of the driver");
    // SAFETY: allocated above.
    done("cudaFreeAsync", unsafe { free_async(pooled, stream) })?;
    assert_eq!((live(device()), totals(device()).unknown_frees), (before, 0));
    saw("bytes: cudaMalloc 3145728, cudaMallocAsync 5000; both freed");
    Ok(())
}

#[test]
fn a_workspace_of_cublas_is_charged_to_the_scope_that_made_it() -> Outcome {
    type Create = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
    type Destroy = unsafe extern "C" fn(*mut c_void) -> c_int;

    let gpu = Gpu::take()?;
    if !gpu.is_real() {
        return Ok(());
    }
    // Wheels keep it beside the library that needs it, and tell the loader nothing.
    let _needed_by_the_next = keep("libcublasLt");
    let Some(cublas) = keep("libcublas") else {
        skipped("no libcublas.so: set CUDA_HOME or LD_LIBRARY_PATH");
        return Ok(());
    };
    let create = function::<Create>(cublas, "cublasCreate_v2")?;
    let destroy = function::<Destroy>(cublas, "cublasDestroy_v2")?;
    let _guard = memprof_cuda::intercept()?;
    let (used, before) = (gpu.used()?, live(device()));
    let mut handle = std::ptr::null_mut();
    // SAFETY: a place for the handle.
    let (status, recorded) = measured("cublasCreate", || unsafe { create(&raw mut handle) });
    done("cublasCreate", status)?;
    let attributed = recorded.counters(device()).current_bytes;
    let more = gpu.used()?.saturating_sub(used);
    saw(format!("{attributed} bytes attributed; cuMemGetInfo says {more} more in use, modules of cuBLAS included"));
    assert!(attributed > 0, "nothing that cuBLAS allocated was seen");
    // SAFETY: made above.
    done("cublasDestroy", unsafe { destroy(handle) })?;
    assert_eq!((live(device()), totals(device()).unknown_frees), (before, 0), "what cuBLAS keeps after its handle");
    Ok(())
}
