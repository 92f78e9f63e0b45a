//! [`Split`]: which words of a call are this command's, which are cargo's, and which the program's.
//!
//! It stands before clap, since cargo's options and the program's arguments are no business of clap's. No word but `--`
//! is lost, none is changed, and each list keeps the order. An option that nobody knows here is taken for one of
//! cargo's without a value, so cargo says what is wrong with it; to `report` and `plan`, which have nothing built, it
//! is a wrong word of their own. A new option of cargo's that takes a value has to stand in [`VALUED`].

use std::ffi::OsString;

use clap::{Arg, Command};

/// cargo's options that take a value, which can be a word of its own.
const VALUED: &[&str] = &[
    "--artifact-dir",
    "--bench",
    "--bin",
    "--color",
    "--config",
    "--example",
    "--exclude",
    "--features",
    "--jobs",
    "--lockfile-path",
    "--manifest-path",
    "--message-format",
    "--package",
    "--profile",
    "--target",
    "--target-dir",
    "--test",
    "-F",
    "-Z",
    "-j",
    "-p",
];

/// cargo's options that take none.
const ALONE: &[&str] = &[
    "--all",
    "--all-features",
    "--all-targets",
    "--benches",
    "--bins",
    "--doc",
    "--examples",
    "--frozen",
    "--future-incompat-report",
    "--ignore-rust-version",
    "--keep-going",
    "--lib",
    "--locked",
    "--no-default-features",
    "--no-fail-fast",
    "--no-run",
    "--offline",
    "--quiet",
    "--release",
    "--tests",
    "--timings",
    "--unit-graph",
    "--verbose",
    "--workspace",
    "-q",
    "-r",
    "-v",
    "-vv",
];

/// The words of a call: those that are this command's, cargo's, and the program's.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) own: Vec<OsString>,
    pub(super) cargo: Vec<OsString>,
    pub(super) program: Vec<OsString>,
}

impl Split {
    /// The words of a call of `verb`, whose name is the first.
    pub(super) fn of(verb: &Command, words: Vec<OsString>) -> Self {
        let mut split = Self::default();
        // These two call no cargo that would say that it has no such option.
        let is_strict = matches!(verb.get_name(), "report" | "plan");
        let mut words = words.into_iter();
        split.own.extend(words.next());
        while let Some(word) = words.next() {
            if word == "--" {
                split.program.extend(words);
                break;
            }
            let text = word.to_string_lossy().into_owned();
            if !text.starts_with('-') && verb.get_name() == "run" {
                split.program.push(word);
                split.program.extend(words);
                break;
            }
            let is_joined = if text.starts_with("--") { text.contains('=') } else { text.len() > 2 };
            let name = if text.starts_with("--") { text.split('=').next() } else { text.get(..2) }.unwrap_or(&text);
            let takes_value = takes_value(verb, name);
            let is_cargos = VALUED.contains(&name) || ALONE.contains(&text.as_str());
            let list =
                if takes_value.is_some() || (is_strict && !is_cargos) { &mut split.own } else { &mut split.cargo };
            list.push(word);
            if takes_value.unwrap_or(VALUED.contains(&name)) && !is_joined {
                list.extend(words.next());
            }
        }
        split
    }
}

/// Whether an option of `verb` takes a value; `None` where it has no such option.
fn takes_value(verb: &Command, name: &str) -> Option<bool> {
    if matches!(name, "-h" | "--help") {
        return Some(false);
    }
    let is_it = |argument: &&Arg| match name.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short().is_some_and(|short| name.strip_prefix('-') == Some(short.to_string().as_str())),
    };
    verb.get_arguments().find(is_it).map(|option| option.get_action().takes_values())
}
