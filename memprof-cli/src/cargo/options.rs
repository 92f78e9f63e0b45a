//! cargo's own options: which there are, and how the words of a call are read as such.
//!
//! As cargo reads them:
//!
//! | words | what they are |
//! |---|---|
//! | `--bin x`, `--bin=x` | an option with its value |
//! | `-p x`, `-px`, `-p=x` | the same of one letter |
//! | `-rq` | several of one letter, which [`Split`](super::split::Split) takes apart |
//! | `-rpx` | the last of several has a value |
//! | `--bin --release` | one whose value is lacking, for cargo to complain of, and another one |

use std::iter;

/// Those that take a value, which can be a word of its own: a new one of cargo's has to stand here.
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

/// Those that take none.
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
];

/// Whether an option of cargo's takes a value; `None` where cargo has no such option.
pub(super) fn takes_value(name: &str) -> Option<bool> {
    if VALUED.contains(&name) {
        return Some(true);
    }
    ALONE.contains(&name).then_some(false)
}

/// Whether a word is an option, or several; `-` alone stands for stdin, or what the program makes of it.
pub(super) fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Whether the word behind an option can be its value. The number of jobs can be below zero.
pub(super) fn is_value(name: &str, next: &str) -> bool {
    !is_option(next) || matches!(name, "-j" | "--jobs") && next != "--"
}

/// One of cargo's options in a call, or a word that belongs to none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given<'a> {
    /// `--bin`, `-p`; the whole word where it is no option.
    pub(super) name: &'a str,
    pub(super) value: Option<&'a str>,
    /// As it stands in the call.
    pub(super) words: &'a [String],
}

/// Each of them, of words in which no options of one letter stand together.
pub(super) fn read(words: &[String]) -> impl Iterator<Item = Given<'_>> {
    let mut rest = words;
    iter::from_fn(move || {
        let (word, behind) = rest.split_first()?;
        let (name, joined) = parts(word);
        let own =
            behind.first().filter(|next| joined.is_none() && takes_value(name) == Some(true) && is_value(name, next));
        let (words, others) = rest.split_at(1 + usize::from(own.is_some()));
        rest = others;
        Some(Given { name, value: joined.or(own.map(String::as_str)), words })
    })
}

/// The name, and the value where it stands in the same word.
fn parts(word: &str) -> (&str, Option<&str>) {
    if !is_option(word) {
        return (word, None);
    }
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    let letter = word.chars().nth(1).map_or(0, char::len_utf8);
    let (name, rest) = word.split_at(1 + letter);
    (name, (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_is_read_with_its_value_however_it_is_written() {
        let words = ["-r", "-p", "a", "-pb", "-p=c", "--package=d", "--bin", "--test", "t", "-j", "-1", "name", "-Z=x"];
        let words = words.map(String::from);
        let given: Vec<(&str, Option<&str>)> = read(&words).map(|given| (given.name, given.value)).collect();
        let is = [
            ("-r", None),
            ("-p", Some("a")),
            ("-p", Some("b")),
            ("-p", Some("c")),
            ("--package", Some("d")),
            ("--bin", None),
            ("--test", Some("t")),
            ("-j", Some("-1")),
            ("name", None),
            ("-Z", Some("x")),
        ];
        assert_eq!(given, is);
        assert_eq!(read(&words).flat_map(|given| given.words).collect::<Vec<_>>(), words.iter().collect::<Vec<_>>());
    }
}
