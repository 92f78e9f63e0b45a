//! [`Compiler`]: the Rust compiler that cargo would use here, and where it lies.
//!
//! It is asked by running it in the folder of the call, since a proxy such as rustup's chooses by folder. Which program
//! that is, [`Config`](super::config) knows. An error names the call, with what it said on one line.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::in_one_line;

/// A compiler.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// What it says of itself: version, commit, host.
    pub(crate) version: String,
    pub(crate) host: String,
    sysroot: PathBuf,
}

impl Compiler {
    /// Asks the compiler `rustc`, in `folder`, which can decide which one that is.
    pub(crate) fn ask(rustc: &Path, folder: &Path) -> io::Result<Self> {
        let version = printed(rustc, &["-vV"], folder)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or_else(|| io::Error::other("the compiler does not say what its host is"))?.to_owned();
        let sysroot = printed(rustc, &["--print", "sysroot"], folder)?.trim().into();
        Ok(Self { version, host, sysroot })
    }

    /// The program itself, where a proxy would choose another one in another folder.
    pub(crate) fn rustc(&self) -> Option<PathBuf> {
        self.tool("rustc")
    }

    /// `cargo` as the one that called this program, or the compiler's own.
    pub(crate) fn cargo(&self) -> PathBuf {
        env::var_os("CARGO").map(PathBuf::from).or_else(|| self.tool("cargo")).unwrap_or_else(|| "cargo".into())
    }

    fn tool(&self, name: &str) -> Option<PathBuf> {
        Some(self.sysroot.join("bin").join(format!("{name}{}", env::consts::EXE_SUFFIX))).filter(|path| path.exists())
    }
}

fn printed(program: &Path, arguments: &[&str], folder: &Path) -> io::Result<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| io::Error::other(format!("cannot run ‘{}’: {error}", program.display())))?;
    if !output.status.success() {
        let said = in_one_line(&String::from_utf8_lossy(&output.stderr));
        let call = format!("‘{} {}’", program.display(), arguments.join(" "));
        return Err(io::Error::other(format!("{call} failed: {said}")));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}
