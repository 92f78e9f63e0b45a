//! How a test calls the command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A profile that the first example saved.
pub(crate) const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dataframe.json");

/// A folder for the test of this name, empty.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir_all(&folder).expect("a folder"),
    }
    folder
}

pub(crate) fn memprof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memprof")).args(arguments).output().expect("the command starts")
}

/// What it prints where all goes well.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = memprof(arguments);
    let words = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), &*words), (Some(0), ""), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The one line that it says of a wrong call or file.
pub(crate) fn complaint(arguments: &[&str]) -> String {
    let output = memprof(arguments);
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{arguments:?}");
    let words = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(words.lines().count(), 1, "{words}");
    words.trim_end().strip_prefix("memprof: ").expect("who says it").to_owned()
}

/// How a call ended: status, stdout and stderr.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A call in this folder, so that names in it are short.
pub(crate) fn memprof_in(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memprof"));
    let output = command.args(arguments).current_dir(folder).output().expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
