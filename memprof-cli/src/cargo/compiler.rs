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

    /// Refuses one that is older than `oldest`, such as `1.95`. One that does not say its release may do.
    pub(crate) fn at_least(&self, oldest: &str) -> io::Result<()> {
        let release = self.version.lines().find_map(|line| line.strip_prefix("release: "));
        if release.is_none_or(|release| major_and_minor(release) >= major_and_minor(oldest)) {
            return Ok(());
        }
        let this = self.version.lines().next().unwrap_or_default();
        Err(io::Error::other(format!("it needs Rust {oldest} or later, and the compiler here is {this}")))
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

/// Of `1.95.0-nightly`, 1 and 95.
fn major_and_minor(version: &str) -> Vec<u64> {
    version.split('.').take(2).map_while(|number| number.parse().ok()).collect()
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

#[cfg(test)]
mod tests {
    use super::Compiler;

    #[test]
    fn an_older_compiler_is_refused_by_its_name() {
        let compiler = |release: &str| Compiler {
            version: format!("rustc {release} (4d91de4e4 2025-02-17)\nbinary: rustc\nrelease: {release}\n"),
            host: String::new(),
            sysroot: "".into(),
        };
        for release in ["1.95.0", "1.95.1-nightly", "1.100.0", "2.0.0"] {
            assert!(compiler(release).at_least("1.95").is_ok(), "{release}");
        }
        for release in ["1.94.9", "1.9.0", "0.99.0"] {
            assert_eq!(
                compiler(release).at_least("1.95").expect_err("older").to_string(),
                format!("it needs Rust 1.95 or later, and the compiler here is rustc {release} (4d91de4e4 2025-02-17)")
            );
        }
    }
}
