//! Of any snapshot every format is written, and has its readers' form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memprof_profiles::{hostile, law};

fuzz_target!(|bytes: &[u8]| law::holds(&hostile::snapshot(bytes)));
