//! No driver at all. No simulator is loaded in this process, so a machine without a GPU has none.

use memprof_cuda::context;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn without_a_driver_a_context_is_an_error_that_says_what_was_searched() {
    let error = match context(0) {
        Ok(_) => {
            eprintln!("skipped: this machine has a CUDA driver");
            return;
        }
        Err(error) if !error.is_no_driver() => {
            eprintln!("skipped: this machine has a CUDA driver: {error}");
            return;
        }
        Err(error) => error,
    };
    let text = error.to_string();
    assert!(text.starts_with("no CUDA driver: searched for libcuda.so, libcuda.so.1, and found none. "), "{text}");
    assert!(text.contains("LD_LIBRARY_PATH"), "{text}");
    assert!(!error.is_out_of_memory());
    assert_eq!(error.code(), None);
    // The same again: nothing of the failure is kept.
    assert_eq!(context(1).map(drop).map_err(|error| error.to_string()), Err(text));
    // A snapshot needs no driver.
    assert_eq!(memprof_core::snapshot().totals("cuda:0").live, 0);
}
