//! Each cell of the table is a process of its own, which `alarm` kills if it hangs.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use super::cells::{FUNCTIONS, PLACES, cell};
use super::hooked::{FUNCTION, PLACE};

#[path = "../common/harness.rs"]
mod harness;

pub(super) fn main() {
    match std::env::var(PLACE) {
        Ok(place) => cell(&place),
        Err(_) => {
            harness::main("every_function_may_be_called_in_every_place", every_function_may_be_called_in_every_place);
        }
    }
}

fn run(function: &str, place: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(FUNCTION, function).env(PLACE, place).env_remove("MEMPROF").stdin(Stdio::null());
    command.output().expect("the child runs")
}

fn every_function_may_be_called_in_every_place() {
    let mut failed = Vec::new();
    for (place, _) in PLACES {
        for (function, _) in FUNCTIONS {
            let output = run(function, place);
            if output.status.success() {
                continue;
            }
            let how = match output.status.signal() {
                Some(libc::SIGALRM) => "hangs".to_owned(),
                _ => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
            };
            failed.push(format!("{function} in {place} {how}"));
        }
    }
    assert!(failed.is_empty(), "{} cells fail:\n{}", failed.len(), failed.join("\n"));
}
