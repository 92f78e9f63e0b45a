//! Libraries that are there and cannot be loaded: the error says what is wrong with them, not that there are none.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "what a process says is read by the test that started it")]

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ground::alone;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Set for the process that a test has started.
const IS_CHILD: &str = "BROKEN_LIBRARIES_CHILD";

const NOT_INITIALIZED: u32 = 15;

/// A folder in which a file of this name is no library.
fn folder_with_broken(name: &str) -> Outcome<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("broken_{name}"));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), "no library")?;
    Ok(folder)
}

/// What this test refuses in a process that searches libraries in `folder` first.
fn refused_in(folder: &Path, test: &str, variables: &[(&str, &Path)]) -> Outcome<String> {
    let mut process = Command::new(env::current_exe()?);
    process.args([&format!("broken_libraries::{test}"), "--exact", "--nocapture"]).env(IS_CHILD, "1");
    for name in ["CUDA_HOME", "CUDA_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "HOME"] {
        process.env_remove(name);
    }
    let paths = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let paths = env::join_paths([folder.to_owned()].into_iter().chain(env::split_paths(&paths)))?;
    let output = process.env("LD_LIBRARY_PATH", paths).envs(variables.iter().copied()).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.strip_prefix("refused: "));
    line.map(str::to_owned).ok_or_else(|| said.clone().into())
}

#[test]
fn a_driver_that_cannot_be_loaded_is_not_said_to_be_absent() -> Outcome {
    if env::var_os(IS_CHILD).is_some() {
        let refused = memprof_cuda::context(0).map(drop);
        eprintln!("\nrefused: {}", refused.err().map_or_else(|| "nothing".to_owned(), |error| error.to_string()));
        return Ok(());
    }
    let folder = folder_with_broken("libcuda.so")?;
    let said = refused_in(&folder, "a_driver_that_cannot_be_loaded_is_not_said_to_be_absent", &[])?;
    if !said.starts_with("no CUDA driver: ") {
        eprintln!("skipped: this machine has a CUDA driver: {said}");
        return Ok(());
    }
    let expected = format!(
        "no CUDA driver: searched for libcuda.so, libcuda.so.1, and the loader said: {}/libcuda.so: file too short. \
         Install NVIDIA's driver, or put the folder of its library into LD_LIBRARY_PATH",
        folder.display()
    );
    assert_eq!(said, expected);
    Ok(())
}

#[test]
fn a_cupti_that_cannot_be_loaded_is_not_said_to_be_absent_and_one_of_many_names_is_said_once() -> Outcome {
    let (_alone, sim) = alone()?;
    if env::var_os(IS_CHILD).is_some() {
        sim.fail_next("cuptiSubscribe_v2", NOT_INITIALIZED, u64::MAX);
        sim.fail_next("cuptiSubscribe", NOT_INITIALIZED, u64::MAX);
        let refused = memprof_cuda::intercept().map(drop);
        eprintln!("\nrefused: {}", refused.err().map_or_else(|| "nothing".to_owned(), |error| error.to_string()));
        return Ok(());
    }
    let folder = folder_with_broken("libcupti.so")?;
    // A toolkit of the one library that the process has loaded already, by two names, and of a broken one by two.
    let libraries = folder.join("toolkit/lib64");
    fs::create_dir_all(&libraries)?;
    fs::write(libraries.join("libcupti.so.11"), "no library")?;
    for (name, file) in [("", sim.path()), (".13", sim.path()), (".12", Path::new("libcupti.so.11"))] {
        let link = libraries.join(format!("libcupti.so{name}"));
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(file, link)?;
    }
    let test = "a_cupti_that_cannot_be_loaded_is_not_said_to_be_absent_and_one_of_many_names_is_said_once";
    let said = refused_in(&folder, test, &[("CUDA_HOME", &folder.join("toolkit"))])?;
    let expected = format!(
        "cannot intercept CUDA allocations: CUPTI from the process (version 26): CUPTI_ERROR_NOT_INITIALIZED (15): the \
         CUDA driver does not run or is older than this CUPTI: check it with `nvidia-smi`, and use the CUPTI of the CUDA \
         version that it shows, or an older one; cannot load {}/libcupti.so.12: file too short; cannot load \
         {}/libcupti.so: file too short",
        libraries.display(),
        folder.display()
    );
    // A machine that has a CUPTI has more to say.
    assert!(said.starts_with(&expected), "{said}");
    Ok(())
}
