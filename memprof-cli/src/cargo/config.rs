//! [`Config`]: what the user's cargo would take from its configuration where this program takes its place: the wrapper of the compiler, the
//! documentation tool, the target.
//!
//! From the environment first, then from `.cargo/config.toml` of the folder and those above it, then from cargo's home, as cargo itself has it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// What is set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) wrapper: Option<PathBuf>,
    pub(crate) rustdoc: Option<PathBuf>,
    pub(crate) rustc: Option<PathBuf>,
    pub(crate) target: Option<String>,
}

impl Config {
    /// Of a build in `folder`.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut config = Self::of_environment();
        let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        let folders = folder.ancestors().map(|above| above.join(".cargo")).chain(home);
        for folder in folders {
            let read = ["config.toml", "config"].iter().find_map(|name| fs::read_to_string(folder.join(name)).ok());
            if let Some(table) = read.and_then(|text| text.parse::<toml::Table>().ok()) {
                config.add(&table, folder.parent().unwrap_or(&folder));
            }
        }
        config
    }

    fn of_environment() -> Self {
        let set =
            |names: [&str; 2]| names.into_iter().find_map(|name| env::var_os(name).filter(|value| !value.is_empty()));
        Self {
            wrapper: set(["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"]).map(PathBuf::from),
            rustdoc: set(["RUSTDOC", "CARGO_BUILD_RUSTDOC"]).map(PathBuf::from),
            rustc: set(["RUSTC", "CARGO_BUILD_RUSTC"]).map(PathBuf::from),
            target: env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty()),
        }
    }

    /// What is not set yet. A program's path with a slash in it is relative to the folder of `.cargo`.
    fn add(&mut self, table: &toml::Table, base: &Path) {
        let build = |key: &str| table.get("build").and_then(|build| build.get(key)).and_then(toml::Value::as_str);
        let program = |key: &str| {
            build(key)
                .filter(|value| !value.is_empty())
                .map(|value| if value.contains('/') { base.join(value) } else { PathBuf::from(value) })
        };
        self.wrapper = self.wrapper.take().or_else(|| program("rustc-wrapper"));
        self.rustdoc = self.rustdoc.take().or_else(|| program("rustdoc"));
        self.rustc = self.rustc.take().or_else(|| program("rustc"));
        self.target = self.target.take().or_else(|| build("target").map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearer_wins_and_paths_are_relative_to_where_they_stand() {
        let mut config = Config::default();
        let near = "[build]\nrustc-wrapper = \"tools/wrap\"\n".parse().expect("TOML");
        let far = "[build]\nrustc-wrapper = \"sccache\"\ntarget = \"x\"\n".parse().expect("TOML");
        config.add(&near, Path::new("/a"));
        config.add(&far, Path::new("/"));
        let expected =
            Config { wrapper: Some("/a/tools/wrap".into()), target: Some("x".to_owned()), ..Config::default() };
        assert_eq!(config, expected);
    }
}
