//! [`Config`]: what the user's cargo would take from its configuration where this program takes its place: the wrapper of the compiler, the
//! documentation tool, the target.
//!
//! From `--config` first, the last one before the others, then from the environment, then from `.cargo/config.toml` of the folder and those
//! above it, then from cargo's home, as cargo itself has it. A wrapper that is set to nothing is none, whatever is said further away.

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
    /// Of a build in `folder`, with these values of `--config`: settings, or files of them.
    pub(crate) fn of<'a>(folder: &Path, given: impl Iterator<Item = &'a str>) -> Self {
        let mut config = Self::default();
        for text in given.collect::<Vec<_>>().into_iter().rev() {
            let file = || fs::read_to_string(folder.join(text)).ok()?.parse::<toml::Table>().ok();
            if let Some(table) = text.parse::<toml::Table>().ok().or_else(file) {
                config.add(&table, folder);
            }
        }
        config.add_environment();
        let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        let folders = folder.ancestors().map(|above| above.join(".cargo")).chain(home);
        for folder in folders {
            let read = ["config.toml", "config"].iter().find_map(|name| fs::read_to_string(folder.join(name)).ok());
            if let Some(table) = read.and_then(|text| text.parse::<toml::Table>().ok()) {
                config.add(&table, folder.parent().unwrap_or(&folder));
            }
        }
        config.wrapper.take_if(|wrapper| wrapper.as_os_str().is_empty());
        config
    }

    fn add_environment(&mut self) {
        let set = |names: [&str; 2]| names.into_iter().find_map(env::var_os).map(PathBuf::from);
        let program = |names| set(names).filter(|program| !program.as_os_str().is_empty());
        let target = || env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty());
        self.wrapper = self.wrapper.take().or_else(|| set(["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"]));
        self.rustdoc = self.rustdoc.take().or_else(|| program(["RUSTDOC", "CARGO_BUILD_RUSTDOC"]));
        self.rustc = self.rustc.take().or_else(|| program(["RUSTC", "CARGO_BUILD_RUSTC"]));
        self.target = self.target.take().or_else(target);
    }

    /// What is not set yet. A program's path with a slash in it is relative to the folder of `.cargo`.
    fn add(&mut self, table: &toml::Table, base: &Path) {
        let build = |key: &str| table.get("build").and_then(|build| build.get(key)).and_then(toml::Value::as_str);
        let path = |value: &str| if value.contains('/') { base.join(value) } else { PathBuf::from(value) };
        let program = |key: &str| build(key).filter(|value| !value.is_empty()).map(path);
        self.wrapper = self.wrapper.take().or_else(|| build("rustc-wrapper").map(path));
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

    #[test]
    fn what_is_given_wins_and_a_wrapper_set_to_nothing_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = "[build]\nrustc-wrapper = \"sccache\"\ntarget = \"far\"\n";
        fs::create_dir(folder.path().join(".cargo")).expect("a folder");
        fs::write(folder.path().join(".cargo/config.toml"), settings).expect("a file");
        fs::write(folder.path().join("more.toml"), "[build]\ntarget = \"of the file\"\n").expect("a file");
        let of = |given: &[&str]| {
            let Config { wrapper, target, .. } = Config::of(folder.path(), given.iter().copied());
            (wrapper, target.expect("one is set"))
        };
        let wrapper = ["build.rustc-wrapper='first'", "build.rustc-wrapper='last'", "more.toml"];
        assert_eq!(of(&wrapper), (Some("last".into()), "of the file".to_owned()));
        assert_eq!(of(&["build.rustc-wrapper=''", "build.target='x'"]), (None, "x".to_owned()));
    }
}
