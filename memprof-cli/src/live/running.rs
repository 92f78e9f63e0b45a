//! Which processes answer, by what they have written into `$XDG_RUNTIME_DIR/memprof`: a file for each, named by its id,
//! with its address.
//!
//! The recorder writes them (`process/http/published` of `memprof-core`) and takes them away at its end. A process that
//! was killed leaves its file, so one counts while a process of its id lives; an id that was given away again is found
//! out by asking. Nothing is asked, written or removed here. Where there are no signals, nobody is found.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Where it is said, or that it is said nowhere.
pub(crate) fn directory() -> Result<PathBuf, String> {
    let set = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    set.map(|path| path.join("memprof"))
        .ok_or_else(|| "XDG_RUNTIME_DIR is not set, so programs say on stderr alone where they answer".to_owned())
}

/// The processes that answer, and where. A file that a killed process has left is none.
pub(crate) fn processes(directory: &Path) -> Vec<(u32, String)> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let ids = files.filter_map(|file| file.file_name().to_str()?.parse::<u32>().ok());
    let mut processes: Vec<(u32, String)> = ids
        .filter(|id| is_alive(*id))
        .filter_map(|id| {
            let said = fs::read_to_string(directory.join(id.to_string())).ok()?;
            Some((id, said.trim().to_owned()))
        })
        .collect();
    processes.sort_unstable();
    processes
}

#[cfg(unix)]
fn is_alive(id: u32) -> bool {
    use rustix::{
        io::Errno,
        process::{Pid, test_kill_process},
    };
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(Errno::SRCH)))
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    false
}
