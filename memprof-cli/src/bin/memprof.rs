//! The command `memprof`.

use std::process::ExitCode;

fn main() -> ExitCode {
    memprof_cli::memprof()
}
