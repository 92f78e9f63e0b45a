//! The command `cargo memprof`, with the sources of what it compiles into programs.
//!
//! The sources are packed into it when it is built (`build.rs`), so an installed command needs no checkout. cargo calls
//! this program in the compiler's place too, by a link of another name (`cargo/plan`); which of the two it is called as
//! is found out in the library, as all else.

use std::process::ExitCode;

use memprof_cli::Carried;

/// What a program is compiled with: path, content.
const RUNTIME: Carried = include!(concat!(env!("OUT_DIR"), "/runtime.rs"));

fn main() -> ExitCode {
    memprof_cli::cargo_memprof(RUNTIME)
}
