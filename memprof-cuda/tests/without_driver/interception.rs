//! Interception on a machine without CUDA: an error that says so. A process of its own, in which no simulator is.
#![expect(clippy::print_stdout, reason = "says what it skips")]

#[test]
fn without_a_driver_interception_is_an_error_that_says_so() {
    let found = std::path::Path::new("/dev/nvidiactl").exists();
    match memprof_cuda::intercept() {
        Ok(_) | Err(_) if found => println!("skipped: this machine has a driver"),
        Ok(_) => panic!("interception began without a driver"),
        Err(error) => {
            assert!(error.is_no_driver(), "{error}");
            let text = "no CUDA driver: searched for libcuda.so, libcuda.so.1, and found none. ";
            assert!(error.to_string().starts_with(text), "{error}");
        }
    }
}
