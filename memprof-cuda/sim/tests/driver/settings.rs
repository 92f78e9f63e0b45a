//! Settings that are wrong: one clear error, whichever way the library was loaded. Each in a process of its own.
#![expect(unsafe_code, reason = "loads the library without its loader, and calls the driver's function directly")]

use std::error::Error;
use std::process::{Command, Output};

use memprof_cuda_sim::load_simulator;

const CHILD: &str = "SETTINGS_TEST_CHILD";

/// This test, in a process with this variable.
fn again(test: &str, value: &str, library: &str) -> Result<Output, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    Ok(child
        .args(["--exact", &format!("settings::{test}"), "--nocapture"])
        .env(CHILD, library)
        .env("CUDA_SIM_DEVICES", value)
        .output()?)
}

#[test]
fn a_wrong_setting_is_an_error_that_says_what_is_accepted() -> Result<(), Box<dyn Error>> {
    if std::env::var_os(CHILD).is_some() {
        let error = load_simulator().err().ok_or("it was loaded")?;
        let text = "the simulator's setting CUDA_SIM_DEVICES=abc is not a number of devices, from 0 to 64";
        assert_eq!(error.to_string(), text);
        return Ok(());
    }
    let output = again("a_wrong_setting_is_an_error_that_says_what_is_accepted", "abc", "")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn a_driver_with_a_wrong_setting_does_not_start_and_says_why() -> Result<(), Box<dyn Error>> {
    if let Some(library) = std::env::var_os(CHILD) {
        // SAFETY: the simulator, whose initialisation runs nothing.
        let library = unsafe { libloading::Library::new(library) }?;
        // SAFETY: `cuInit` has this type in every CUDA.
        let init = unsafe { library.get::<unsafe extern "C" fn(u32) -> u32>(b"cuInit\0") }?;
        // SAFETY: 0 is the one argument that it takes.
        assert_eq!(unsafe { init(0) }, 1);
        return Ok(());
    }
    let sim = load_simulator()?;
    let library = sim.path().to_str().ok_or("the path is not UTF-8")?;
    let output = again("a_driver_with_a_wrong_setting_does_not_start_and_says_why", "1.5", library)?;
    let text = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{text}");
    assert_eq!(text, "cuda simulator: CUDA_SIM_DEVICES=1.5 is not a number of devices, from 0 to 64\n");
    Ok(())
}
