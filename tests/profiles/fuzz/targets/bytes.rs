//! Any bytes are a profile or an error; of a profile every format is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memprof_profiles::law;

fuzz_target!(|bytes: &[u8]| law::holds_of_bytes(bytes));
