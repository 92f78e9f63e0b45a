//! [`Config`]: what the user's cargo would take from its configuration where this program takes its place: the wrapper of
//! the compiler, the documentation tool, the target.
//!
//! It comes from `RUSTC`, `RUSTC_WRAPPER` and `RUSTDOC` first, then from `--config`, the last one before the others, then
//! from the other variables, then from `.cargo/config.toml` of the folder and those above it, then from cargo's home, as
//! cargo itself has it: what is nearer holds, and lists are joined. A wrapper that is set to nothing is none, whatever is
//! said further away.

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
    targets: Option<Targets>,
}

/// What is built for.
#[derive(Debug, PartialEq, Eq)]
enum Targets {
    One(String),
    List(Vec<String>),
}

impl Targets {
    /// A path of a description is relative to `base`.
    fn read(value: &toml::Value, base: &Path) -> Option<Self> {
        let target = |name: &str| {
            let is_file = Path::new(name).extension().is_some_and(|ending| ending == "json");
            if is_file { base.join(name).to_string_lossy().into_owned() } else { name.to_owned() }
        };
        match value {
            toml::Value::String(one) => Some(Self::One(target(one))),
            toml::Value::Array(list) => {
                Some(Self::List(list.iter().filter_map(toml::Value::as_str).map(target).collect()))
            }
            _ => None,
        }
    }
}

impl Config {
    /// Of a build in `folder`, with these values of `--config`: settings, or files of them.
    pub(crate) fn of<'a>(folder: &Path, given: impl Iterator<Item = &'a str>) -> Self {
        let mut config = Self::default();
        config.add_environment(["RUSTC_WRAPPER", "RUSTDOC", "RUSTC"]);
        for text in given.collect::<Vec<_>>().into_iter().rev() {
            let file = || fs::read_to_string(folder.join(text)).ok()?.parse::<toml::Table>().ok();
            if let Some(table) = text.parse::<toml::Table>().ok().or_else(file) {
                config.add(&table, folder);
            }
        }
        config.add_environment(["CARGO_BUILD_RUSTC_WRAPPER", "CARGO_BUILD_RUSTDOC", "CARGO_BUILD_RUSTC"]);
        let target = env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty());
        config.targets = config.targets.take().or(target.map(Targets::One));
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

    /// The one target of a build: that of `given`, the values of `--target`, else the one that is set, else `host`.
    ///
    /// # Errors
    ///
    /// Where there are several, which they are.
    pub(crate) fn target<'a>(&self, given: impl Iterator<Item = &'a str>, host: &str) -> Result<String, String> {
        let given: Vec<&str> = given.collect();
        let (asked, how) = match &self.targets {
            _ if !given.is_empty() => (given, "--target"),
            None => (Vec::new(), ""),
            Some(Targets::One(one)) => (vec![one.as_str()], ""),
            Some(Targets::List(list)) => {
                (list.iter().map(String::as_str).collect(), "build.target of cargo’s configuration")
            }
        };
        let mut names: Vec<&str> = Vec::new();
        for name in asked.into_iter().map(|name| if name == "host-tuple" { host } else { name }) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names[..] {
            [] => Ok(host.to_owned()),
            [one] => Ok(one.to_owned()),
            _ => Err(format!(
                "{how} names several targets, {}: programs are measured for one at a time; accepted: one --target, as --target {}",
                names.join(", "),
                names[0]
            )),
        }
    }

    /// What is not set yet, from the variables of these names.
    fn add_environment(&mut self, [wrapper, rustdoc, rustc]: [&str; 3]) {
        let set = |name: &str| env::var_os(name).map(PathBuf::from);
        let program = |name| set(name).filter(|program| !program.as_os_str().is_empty());
        self.wrapper = self.wrapper.take().or_else(|| set(wrapper));
        self.rustdoc = self.rustdoc.take().or_else(|| program(rustdoc));
        self.rustc = self.rustc.take().or_else(|| program(rustc));
    }

    /// What is not set yet. A program's path with a slash in it is relative to the folder of `.cargo`.
    fn add(&mut self, table: &toml::Table, base: &Path) {
        let build = |key: &str| table.get("build").and_then(|build| build.get(key)).and_then(toml::Value::as_str);
        let path = |value: &str| if value.contains('/') { base.join(value) } else { PathBuf::from(value) };
        let program = |key: &str| build(key).filter(|value| !value.is_empty()).map(path);
        self.wrapper = self.wrapper.take().or_else(|| build("rustc-wrapper").map(path));
        self.rustdoc = self.rustdoc.take().or_else(|| program("rustdoc"));
        self.rustc = self.rustc.take().or_else(|| program("rustc"));
        let targets = table.get("build").and_then(|build| build.get("target"));
        match (&mut self.targets, targets.and_then(|value| Targets::read(value, base))) {
            (None, targets) => self.targets = targets,
            (Some(Targets::List(list)), Some(Targets::List(more))) => list.extend(more),
            _ => {}
        }
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
        let expected = Config {
            wrapper: Some("/a/tools/wrap".into()),
            targets: Some(Targets::One("x".to_owned())),
            ..Config::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn there_is_one_target_and_several_are_refused_by_name() {
        let target = |texts: &[&str], given: &[&str]| {
            let mut config = Config::default();
            for text in texts {
                config.add(&format!("build.target = {text}\n").parse().expect("TOML"), Path::new("/w"));
            }
            config.target(given.iter().copied(), "host")
        };
        for (texts, given, expected) in [
            (&[][..], &[][..], "host"),
            (&["'a'", "'b'"], &[], "a"),
            (&["['a']", "'b'"], &[], "a"),
            (&["['a']", "['a']"], &[], "a"),
            (&["[]"], &[], "host"),
            (&["['host-tuple', 'host']"], &[], "host"),
            (&["['t/a.json']"], &[], "/w/t/a.json"),
            (&["['a', 'b']"], &["c", "c"], "c"),
        ] {
            assert_eq!(target(texts, given), Ok(expected.to_owned()), "{texts:?} {given:?}");
        }
        let accepted = "programs are measured for one at a time; accepted: one --target, as --target a";
        let refused = "build.target of cargo’s configuration names several targets, a, b: ";
        assert_eq!(target(&["['a', 'b']"], &[]), Err(format!("{refused}{accepted}")));
        assert_eq!(target(&["['a']", "['b']"], &[]), Err(format!("{refused}{accepted}")));
        assert_eq!(target(&[], &["a", "b"]), Err(format!("--target names several targets, a, b: {accepted}")));
    }

    #[test]
    fn what_is_given_wins_and_a_wrapper_set_to_nothing_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = "[build]\nrustc-wrapper = \"sccache\"\ntarget = \"far\"\n";
        fs::create_dir(folder.path().join(".cargo")).expect("a folder");
        fs::write(folder.path().join(".cargo/config.toml"), settings).expect("a file");
        fs::write(folder.path().join("more.toml"), "[build]\ntarget = \"of the file\"\n").expect("a file");
        let of = |given: &[&str]| {
            let config = Config::of(folder.path(), given.iter().copied());
            let target = config.target([].into_iter(), "host").expect("there is one");
            (config.wrapper, target)
        };
        let wrapper = ["build.rustc-wrapper='first'", "build.rustc-wrapper='last'", "more.toml"];
        assert_eq!(of(&wrapper), (Some("last".into()), "of the file".to_owned()));
        assert_eq!(of(&["build.rustc-wrapper=''", "build.target='x'"]), (None, "x".to_owned()));
    }
}
