//! The command `cargo memprof`, with the sources of what it compiles into programs.

use std::process::ExitCode;

use memprof_cli::Carried;

/// What a program is compiled with: path, content.
const RUNTIME: Carried = include!(concat!(env!("OUT_DIR"), "/runtime.rs"));

fn main() -> ExitCode {
    memprof_cli::cargo_memprof(RUNTIME)
}
