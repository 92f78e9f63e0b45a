//! A driver that lacks functions: an empty library that carries the driver's name.

#![expect(unsafe_code, reason = "a library is loaded")]
#![cfg(target_os = "linux")]

use std::error::Error;
use std::path::Path;
use std::process::Command;

use libloading::Library;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn a_driver_without_functions_is_an_error_that_names_the_first_one_missing() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("empty.c"), folder.join("libcuda_without_functions.so"));
    std::fs::write(&source, "unsigned cuInit(unsigned flags) { return flags; }\n")?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so", "-o"])
        .args([&library, &source])
        .status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler");
        return Ok(());
    }
    // SAFETY: it has no initialisers. Once it is loaded, the driver's name leads to it.
    let _library = unsafe { Library::new(&library) }?;
    let error = memprof_cuda::context(0).map(drop).err().ok_or("an empty library gave a context")?;
    assert!(error.is_no_driver());
    assert_eq!(error.to_string(), "the CUDA driver has no function cuGetErrorName: it is too old");
    Ok(())
}
