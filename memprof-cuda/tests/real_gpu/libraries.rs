//! Memory that NVIDIA's own libraries take: interception sees the driver's calls beneath them.
//!
//! Neither library is needed to build this or to run it: they are opened where they are, and otherwise the check says
//! *skipped*. `GPU_CHECK_LIBRARIES` names folders to look into first, as `scripts/gpu-check` fills it in.
#![expect(unsafe_code, reason = "C libraries are opened and called")]

use std::env;
use std::ffi::{c_int, c_void};
use std::path::PathBuf;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};

use memprof_core::Space;

use crate::ground::calls::{self, live, measured, totals};
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
fn the_runtime_s_other_functions_are_charged_too() -> Outcome {
    type Alloc3 = unsafe extern "C" fn(*mut *mut c_void, usize, u32) -> c_int;
    type Array = unsafe extern "C" fn(*mut *mut c_void, *const [c_int; 5], usize, usize, u32) -> c_int;
    type Pitch = unsafe extern "C" fn(*mut *mut c_void, *mut usize, usize, usize) -> c_int;
    type Free = unsafe extern "C" fn(*mut c_void) -> c_int;

    let gpu = Gpu::take()?;
    if !gpu.is_real() {
        return Ok(());
    }
    let Some(runtime) = keep("libcudart") else {
        skipped("no libcudart.so: set CUDA_HOME or LD_LIBRARY_PATH");
        return Ok(());
    };
    let host = function::<Alloc3>(runtime, "cudaHostAlloc")?;
    let managed = function::<Alloc3>(runtime, "cudaMallocManaged")?;
    let array = function::<Array>(runtime, "cudaMallocArray")?;
    let pitch = function::<Pitch>(runtime, "cudaMallocPitch")?;
    let _guard = memprof_cuda::intercept()?;
    let mut seen = Vec::new();
    let mut check = |name: &str, space: Space, bytes: i64, free_by: &str, work: &dyn Fn(*mut *mut c_void) -> c_int| {
        let mut block = std::ptr::null_mut();
        let (status, recorded) = measured(name, || work(&raw mut block));
        done(name, status)?;
        let counters = recorded.counters(space);
        seen.push(format!("{name}: {} bytes in {space}", counters.current_bytes));
        assert_eq!(counters.current_bytes, bytes, "{name} raises no callback of the driver, or another one");
        let free = function::<Free>(runtime, free_by)?;
        // SAFETY: allocated above.
        done(free_by, unsafe { free(block) })?;
        assert_eq!((live(space), totals(space).unknown_frees), ((0, 0), 0), "{free_by}");
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    // SAFETY: a place for the address.
    check("cudaHostAlloc", Space::PINNED, 5000, "cudaFreeHost", &|place| unsafe { host(place, 5000, 0) })?;
    // SAFETY: a place for the address.
    check("cudaMallocManaged", Space::MANAGED, 6000, "cudaFree", &|place| unsafe { managed(place, 6000, 1) })?;
    let float = [32, 0, 0, 0, 2];
    // SAFETY: a place for the array, and a format: one float.
    check("cudaMallocArray", device(), 64 * 32 * 4, "cudaFreeArray", &|place| unsafe {
        array(place, &raw const float, 64, 32, 0)
    })?;
    let mut row = 0;
    let row = &raw mut row;
    // SAFETY: places for the address and the pitch.
    check("cudaMallocPitch", device(), 300, "cudaFree", &|place| unsafe { pitch(place, row, 100, 3) })?;
    saw(seen.join(", "));
    Ok(())
}

/// Multiplies two matrices, with memory of our own.
fn multiply(cublas: &'static Library, handle: *mut c_void) -> Outcome {
    type Sgemm = unsafe extern "C" fn(
        *mut c_void,
        c_int,
        c_int,
        c_int,
        c_int,
        c_int,
        *const f32,
        u64,
        c_int,
        u64,
        c_int,
        *const f32,
        u64,
        c_int,
    ) -> c_int;
    const N: c_int = 1024;
    let multiply = function::<Sgemm>(cublas, "cublasSgemm_v2")?;
    let bytes = 4 * 1024 * 1024;
    let [a, b, c] = [calls::allocate(bytes)?, calls::allocate(bytes)?, calls::allocate(bytes)?];
    let (one, zero) = (1.0_f32, 0.0_f32);
    // SAFETY: three matrices of so many floats, whose values do not matter.
    let status = unsafe { multiply(handle, 0, 0, N, N, N, &raw const one, a, N, b, N, &raw const zero, c, N) };
    // SAFETY: waits for the product.
    unsafe { cudarc::driver::sys::cuCtxSynchronize() }.result()?;
    for address in [a, b, c] {
        calls::free(address)?;
    }
    done("cublasSgemm", status)
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
    // A product of two matrices of 1,024 by 1,024 floats: what cuBLAS allocates for that, it may have allocated before.
    let (product, multiplied) = measured("cublasSgemm", || multiply(cublas, handle));
    product?;
    gpu.context.synchronize()?;
    let of_product = multiplied.counters(device()).total_bytes;
    let taken = gpu.used()?.saturating_sub(used);
    // Less than a chunk of the driver's is code and bookkeeping.
    let verdict = match (attributed + multiplied.counters(device()).current_bytes, taken) {
        (1.., _) => "seen",
        (_, 0..0x0100_0000) => "nothing allocated, or too little to tell",
        _ => "NOT SEEN: cuBLAS took memory, and no callback of the driver was raised",
    };
    saw(format!(
        "{verdict}: cublasCreate {attributed} bytes attributed, {more} more in use; cublasSgemm {of_product}; {taken} in all"
    ));
    assert!(!verdict.starts_with("NOT"), "{verdict}");
    // SAFETY: made above.
    done("cublasDestroy", unsafe { destroy(handle) })?;
    assert_eq!((live(device()), totals(device()).unknown_frees), (before, 0), "what cuBLAS keeps after its handle");
    Ok(())
}
