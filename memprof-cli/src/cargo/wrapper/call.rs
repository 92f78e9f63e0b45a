//! [`Call`]: a call of the compiler, as cargo makes it.
//!
//! Read is what decides something here; the arguments are handed on as they came, those of an argument file as words.
//! An option whose value is a word of its own has to stand in [`TAKING`], or a value that ends in `.rs` is taken for
//! the root of the crate; where no word ends so, the first is. What is done with the call is left to [`wrapper`](super).

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// The arguments, and what of them decides anything here.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// What is run, and with which arguments.
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<String>,
    pub(crate) crate_name: String,
    /// The place of the root among the arguments.
    source: Option<usize>,
    crate_types: Vec<String>,
    pub(crate) is_test: bool,
    /// Set where it is of the program, and not of what builds it.
    target: Option<String>,
    pub(crate) edition: String,
    pub(crate) has_memprof: bool,
    pub(crate) has_cap_lints: bool,
    /// What the user's own settings make of paths: `FROM=TO`.
    pub(crate) remaps: Vec<String>,
    out_dir: Option<PathBuf>,
    extra_filename: String,
    metadata: String,
}

impl Call {
    /// Reads the arguments of this process, behind its own name.
    ///
    /// # Errors
    ///
    /// An argument that is no UTF-8, and a file of arguments that cannot be read.
    pub(crate) fn of(program: OsString, arguments: impl Iterator<Item = OsString>) -> io::Result<Self> {
        let mut words = Vec::new();
        for argument in arguments {
            let not_text = || io::Error::other("an argument of the compiler is no UTF-8");
            let word = argument.into_string().map_err(|_| not_text())?;
            // Where a command is too long for the system, cargo puts it into a file, one argument a line.
            match word.strip_prefix('@') {
                Some(file) => words.extend(fs::read_to_string(file)?.lines().map(str::to_owned)),
                None => words.push(word),
            }
        }
        let mut call = Self { program, edition: "2015".to_owned(), ..Self::default() };
        let mut index = 0;
        while index < words.len() {
            let word = words[index].as_str();
            let (name, joined) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (word, None),
            };
            let next = words.get(index + 1).map(String::as_str);
            let takes = TAKING.contains(&name);
            let value = if takes { joined.or(next) } else { joined }.unwrap_or_default().to_owned();
            call.note(name, &value, index);
            index += if takes && joined.is_none() { 2 } else { 1 };
        }
        call.arguments = words;
        Ok(call)
    }

    fn note(&mut self, name: &str, value: &str, index: usize) {
        match name {
            "--crate-name" => value.clone_into(&mut self.crate_name),
            "--crate-type" => self.crate_types.extend(value.split(',').map(str::to_owned)),
            "--test" => self.is_test = true,
            "--target" => self.target = Some(value.to_owned()),
            "--edition" => value.clone_into(&mut self.edition),
            "--extern" => {
                let name = value.split('=').next().unwrap_or_default();
                self.has_memprof |= name.rsplit(':').next() == Some("memprof");
            }
            "--cap-lints" => self.has_cap_lints = true,
            "--remap-path-prefix" => self.remaps.push(value.to_owned()),
            "--out-dir" => self.out_dir = Some(value.into()),
            "-C" | "--codegen" => {
                if let Some(extra) = value.strip_prefix("extra-filename=") {
                    extra.clone_into(&mut self.extra_filename);
                } else if let Some(metadata) = value.strip_prefix("metadata=") {
                    metadata.clone_into(&mut self.metadata);
                }
            }
            _ if name.starts_with('-') => {}
            _ if Path::new(name).extension().is_some_and(|ending| ending == "rs") => self.source = Some(index),
            // Behind what cargo begins with, so that it is not the compiler, which the wrapper of a workspace is called with.
            _ if !self.crate_name.is_empty() => self.source = self.source.or(Some(index)),
            _ => {}
        }
    }

    /// Whether it compiles a crate of the program, which is for `target`: no question that cargo asks the compiler, nothing that builds it,
    /// and nothing that a build script has built for another target.
    pub(crate) fn compiles_program(&self, target: &str) -> bool {
        self.target.as_deref().is_some_and(|own| target_name(own) == target_name(target))
            && self.source.is_some()
            && self.out_dir.is_some()
    }

    /// The root of the crate, as it is given.
    pub(crate) fn source(&self) -> &Path {
        Path::new(self.source.map_or("", |index| self.arguments[index].as_str()))
    }

    /// Whether a program comes of it, and not a library. Where cargo names no kind, as for a test or benchmark with `harness = false`, it is
    /// the compiler's own choice: a program.
    pub(crate) fn is_executable(&self) -> bool {
        self.is_test || self.crate_types.is_empty() || self.crate_types.iter().any(|kind| kind == "bin")
    }

    /// The file in which the compiler lists what it read.
    pub(crate) fn dep_info(&self) -> PathBuf {
        let folder = self.out_dir.as_deref().unwrap_or(Path::new(""));
        folder.join(format!("{}{}.d", self.crate_name, self.extra_filename))
    }

    /// The crate's name with what cargo tells its builds apart by: profile, features, dependencies, options of the compiler.
    pub(crate) fn unit(&self) -> String {
        format!("{}-{}", self.crate_name, self.metadata)
    }

    /// A name for the crate among those of its package: `app (test)`.
    pub(crate) fn title(&self) -> String {
        format!("{}{}", self.crate_name, if self.is_test { " (test)" } else { "" })
    }

    /// Its arguments with another folder for what comes of it.
    pub(crate) fn with_out_dir(&self, folder: &Path) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut words = self.arguments.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix("--out-dir") {
                Some("") => drop(words.next()),
                Some(joined) if joined.starts_with('=') => {}
                _ => arguments.push(word.into()),
            }
        }
        arguments.extend(["--out-dir".into(), folder.into()]);
        arguments
    }

    /// Its arguments with another root.
    pub(crate) fn with_source(&self, source: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.arguments.iter().map(OsString::from).collect();
        if let Some(index) = self.source {
            arguments[index] = source.into();
        }
        arguments
    }
}

/// A target's name, of one that a file describes without its folder and ending: cargo names the file by another path.
fn target_name(target: &str) -> &str {
    target.strip_suffix(".json").and_then(|file| file.rsplit(['/', '\\']).next()).unwrap_or(target)
}

/// The compiler's options that take a value as a word of its own.
const TAKING: &[&str] = &[
    "--crate-name",
    "--crate-type",
    "--target",
    "--edition",
    "--extern",
    "--cap-lints",
    "--remap-path-prefix",
    "--out-dir",
    "-C",
    "--codegen",
    "--emit",
    "--print",
    "--cfg",
    "--check-cfg",
    "--error-format",
    "--json",
    "--sysroot",
    "--color",
    "--diagnostic-width",
    "--explain",
    "-L",
    "-l",
    "-o",
    "-A",
    "-W",
    "-D",
    "-F",
    "-Z",
    "--allow",
    "--warn",
    "--deny",
    "--forbid",
    "--force-warn",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Call {
        Call::of("rustc".into(), line.split(' ').map(OsString::from)).expect("it is read")
    }

    #[test]
    fn what_cargo_asks_is_told_from_what_it_compiles() {
        let compiled = call(
            "--crate-name app --edition=2021 src/main.rs --error-format=json --crate-type bin --emit=dep-info,link -C opt-level=3 -C metadata=34 -C extra-filename=-12 --out-dir /t/deps --target x86_64-unknown-linux-gnu -L dependency=/t/deps --extern memprof=/t/libmemprof.rlib --cap-lints allow",
        );
        assert!(
            compiled.compiles_program("x86_64-unknown-linux-gnu")
                && compiled.is_executable()
                && compiled.has_memprof
                && compiled.has_cap_lints
        );
        assert_eq!((compiled.source(), compiled.dep_info()), (Path::new("src/main.rs"), "/t/deps/app-12.d".into()));
        assert_eq!((compiled.edition.as_str(), compiled.unit().as_str()), ("2021", "app-34"));
        assert_eq!(compiled.with_source(Path::new("/m/src/main.rs"))[3], "/m/src/main.rs");
        let elsewhere = call("a.rs --out-dir /t -C debuginfo=0 --out-dir=/u --test").with_out_dir(Path::new("/v"));
        assert_eq!(elsewhere, ["a.rs", "-C", "debuginfo=0", "--test", "--out-dir", "/v"]);
        assert!(!call("- --crate-name ___ --print=file-names --target x --out-dir y").compiles_program("x"));
        assert!(!call("-vV").compiles_program("x"));
        // A build script is of no target.
        assert!(!call("--crate-name build_script_build build.rs --crate-type bin --out-dir t").compiles_program("x"));
        // What a build script has built for itself, and a target that a file describes.
        let nested = |target: &str| call(&format!("--crate-name a src/lib.rs --out-dir t --target {target}"));
        assert!(!nested("wasm32-unknown-unknown").compiles_program("x"));
        assert!(nested("/w/own.json").compiles_program("own.json"));
        let root = call(
            "rustc --crate-name b --edition=2024 src/root.txt --emit=link -Zunknown value --out-dir /t --target x",
        );
        assert!(root.compiles_program("x") && root.source() == Path::new("src/root.txt"));
        // A benchmark without a harness.
        let bench = "--crate-name b --edition=2024 benches/b.rs --emit=link --cfg test --out-dir /t --target x";
        assert!(call(bench).compiles_program("x") && call(bench).is_executable());
        let library = call(
            "--crate-name a src/lib.rs --crate-type lib --out-dir t --target x --extern priv:memprof_x=a --remap-path-prefix=/a=/b",
        );
        assert!(library.compiles_program("x") && !library.is_executable() && !library.has_memprof);
        assert_eq!((library.edition.as_str(), library.remaps), ("2015", vec!["/a=/b".to_owned()]));
    }
}
